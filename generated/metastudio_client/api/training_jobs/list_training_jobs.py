import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.gateway_error import GatewayError
from ...models.list_training_jobs_response import ListTrainingJobsResponse
from ...models.model_resolution import ModelResolution
from ...models.service_error import ServiceError
from ...models.sort_direction import SortDirection
from ...models.training_job_sort_key import TrainingJobSortKey
from ...models.training_job_state import TrainingJobState
from ...types import UNSET, Response, Unset, read_json


def _get_kwargs(
    project_id: str,
    *,
    offset: int | Unset = UNSET,
    limit: int | Unset = UNSET,
    sort_key: str | TrainingJobSortKey | Unset = UNSET,
    sort_dir: SortDirection | Unset = UNSET,
    create_until: datetime.datetime | Unset = UNSET,
    create_since: datetime.datetime | Unset = UNSET,
    state: list[str | TrainingJobState] | Unset = UNSET,
    query_project_id: str | Unset = UNSET,
    batch_name: str | Unset = UNSET,
    tag: str | Unset = UNSET,
    job_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    model_resolution: ModelResolution | str | Unset = UNSET,
    x_app_user_id: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_app_user_id, Unset):
        headers["X-App-UserId"] = x_app_user_id

    params: dict[str, Any] = {}

    params["offset"] = offset

    params["limit"] = limit

    json_sort_key: str | Unset
    if isinstance(sort_key, Unset):
        json_sort_key = UNSET
    elif isinstance(sort_key, TrainingJobSortKey):
        json_sort_key = str(sort_key)
    else:
        json_sort_key = sort_key
    params["sort_key"] = json_sort_key

    json_sort_dir: str | Unset = UNSET
    if not isinstance(sort_dir, Unset):
        json_sort_dir = str(sort_dir)

    params["sort_dir"] = json_sort_dir

    json_create_until: str | Unset = UNSET
    if not isinstance(create_until, Unset):
        json_create_until = create_until.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")

    params["create_until"] = json_create_until

    json_create_since: str | Unset = UNSET
    if not isinstance(create_since, Unset):
        json_create_since = create_since.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")

    params["create_since"] = json_create_since

    json_state: str | Unset = UNSET
    if not isinstance(state, Unset):
        json_state = ",".join(str(item) for item in state)

    params["state"] = json_state

    params["query_project_id"] = query_project_id

    params["batch_name"] = batch_name

    params["tag"] = tag

    params["job_id"] = job_id

    params["name"] = name

    json_model_resolution: str | Unset
    if isinstance(model_resolution, Unset):
        json_model_resolution = UNSET
    elif isinstance(model_resolution, ModelResolution):
        json_model_resolution = str(model_resolution)
    else:
        json_model_resolution = model_resolution
    params["model_resolution"] = json_model_resolution

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/{project_id}/digital-human-training-manage/user/jobs".format(
            project_id=quote(str(project_id), safe=""),
        ),
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GatewayError | ListTrainingJobsResponse | ServiceError | None:
    if response.status_code == 200:
        response_200 = ListTrainingJobsResponse.from_dict(read_json(response))

        return response_200

    if response.status_code == 400:
        response_400 = ServiceError.from_dict(read_json(response))

        return response_400

    if response.status_code == 401:
        response_401 = GatewayError.from_dict(read_json(response))

        return response_401

    if response.status_code == 403:
        response_403 = GatewayError.from_dict(read_json(response))

        return response_403

    if response.status_code == 404:
        response_404 = GatewayError.from_dict(read_json(response))

        return response_404

    if response.status_code == 429:
        response_429 = GatewayError.from_dict(read_json(response))

        return response_429

    if response.status_code == 500:
        response_500 = ServiceError.from_dict(read_json(response))

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[GatewayError | ListTrainingJobsResponse | ServiceError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    offset: int | Unset = UNSET,
    limit: int | Unset = UNSET,
    sort_key: str | TrainingJobSortKey | Unset = UNSET,
    sort_dir: SortDirection | Unset = UNSET,
    create_until: datetime.datetime | Unset = UNSET,
    create_since: datetime.datetime | Unset = UNSET,
    state: list[str | TrainingJobState] | Unset = UNSET,
    query_project_id: str | Unset = UNSET,
    batch_name: str | Unset = UNSET,
    tag: str | Unset = UNSET,
    job_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    model_resolution: ModelResolution | str | Unset = UNSET,
    x_app_user_id: str | Unset = UNSET,
) -> Response[GatewayError | ListTrainingJobsResponse | ServiceError]:
    """List training tasks

     Returns one page of the training tasks of a project that match all filters given, and how many match
    in all. The order is certain only with `sort_key`.

    Args:
        project_id (str): ID of the project whose tasks are listed.
        offset (int | Unset): Number of tasks to skip, counted from 0.
        limit (int | Unset): Number of tasks on a page.
        sort_key (str | TrainingJobSortKey | Unset): Property to order by. Only `create_time` is
            documented; other keys are passed on.
        sort_dir (SortDirection | Unset): Direction of the order, ascending by default. Use it
            with `sort_key`.
        create_until (datetime.datetime | Unset): Keep tasks created at this time or earlier.
        create_since (datetime.datetime | Unset): Keep tasks created at this time or later.
        state (list[str | TrainingJobState] | Unset): Keep tasks in any of these states. By
            default all are kept. States that are not listed here may be given too.
        query_project_id (str | Unset): Tenant whose tasks are listed. Whether this is a project
            or an account ID is not documented.
        batch_name (str | Unset): Keep tasks of the batch with this name.
        tag (str | Unset): Keep tasks that have exactly this tag.
        job_id (str | Unset): Keep the task with this ID.
        name (str | Unset): Keep tasks whose model has this name. Servers may also match part of a
            name.
        model_resolution (ModelResolution | str | Unset): Keep tasks whose model has this
            resolution.
        x_app_user_id (str | Unset): ID that an application gives its own user, kept with the
            tasks this user creates. Printable ASCII without blanks at its ends.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayError | ListTrainingJobsResponse | ServiceError]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        offset=offset,
        limit=limit,
        sort_key=sort_key,
        sort_dir=sort_dir,
        create_until=create_until,
        create_since=create_since,
        state=state,
        query_project_id=query_project_id,
        batch_name=batch_name,
        tag=tag,
        job_id=job_id,
        name=name,
        model_resolution=model_resolution,
        x_app_user_id=x_app_user_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    offset: int | Unset = UNSET,
    limit: int | Unset = UNSET,
    sort_key: str | TrainingJobSortKey | Unset = UNSET,
    sort_dir: SortDirection | Unset = UNSET,
    create_until: datetime.datetime | Unset = UNSET,
    create_since: datetime.datetime | Unset = UNSET,
    state: list[str | TrainingJobState] | Unset = UNSET,
    query_project_id: str | Unset = UNSET,
    batch_name: str | Unset = UNSET,
    tag: str | Unset = UNSET,
    job_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    model_resolution: ModelResolution | str | Unset = UNSET,
    x_app_user_id: str | Unset = UNSET,
) -> GatewayError | ListTrainingJobsResponse | ServiceError | None:
    """List training tasks

     Returns one page of the training tasks of a project that match all filters given, and how many match
    in all. The order is certain only with `sort_key`.

    Args:
        project_id (str): ID of the project whose tasks are listed.
        offset (int | Unset): Number of tasks to skip, counted from 0.
        limit (int | Unset): Number of tasks on a page.
        sort_key (str | TrainingJobSortKey | Unset): Property to order by. Only `create_time` is
            documented; other keys are passed on.
        sort_dir (SortDirection | Unset): Direction of the order, ascending by default. Use it
            with `sort_key`.
        create_until (datetime.datetime | Unset): Keep tasks created at this time or earlier.
        create_since (datetime.datetime | Unset): Keep tasks created at this time or later.
        state (list[str | TrainingJobState] | Unset): Keep tasks in any of these states. By
            default all are kept. States that are not listed here may be given too.
        query_project_id (str | Unset): Tenant whose tasks are listed. Whether this is a project
            or an account ID is not documented.
        batch_name (str | Unset): Keep tasks of the batch with this name.
        tag (str | Unset): Keep tasks that have exactly this tag.
        job_id (str | Unset): Keep the task with this ID.
        name (str | Unset): Keep tasks whose model has this name. Servers may also match part of a
            name.
        model_resolution (ModelResolution | str | Unset): Keep tasks whose model has this
            resolution.
        x_app_user_id (str | Unset): ID that an application gives its own user, kept with the
            tasks this user creates. Printable ASCII without blanks at its ends.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayError | ListTrainingJobsResponse | ServiceError
    """

    return sync_detailed(
        project_id=project_id,
        client=client,
        offset=offset,
        limit=limit,
        sort_key=sort_key,
        sort_dir=sort_dir,
        create_until=create_until,
        create_since=create_since,
        state=state,
        query_project_id=query_project_id,
        batch_name=batch_name,
        tag=tag,
        job_id=job_id,
        name=name,
        model_resolution=model_resolution,
        x_app_user_id=x_app_user_id,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    offset: int | Unset = UNSET,
    limit: int | Unset = UNSET,
    sort_key: str | TrainingJobSortKey | Unset = UNSET,
    sort_dir: SortDirection | Unset = UNSET,
    create_until: datetime.datetime | Unset = UNSET,
    create_since: datetime.datetime | Unset = UNSET,
    state: list[str | TrainingJobState] | Unset = UNSET,
    query_project_id: str | Unset = UNSET,
    batch_name: str | Unset = UNSET,
    tag: str | Unset = UNSET,
    job_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    model_resolution: ModelResolution | str | Unset = UNSET,
    x_app_user_id: str | Unset = UNSET,
) -> Response[GatewayError | ListTrainingJobsResponse | ServiceError]:
    """List training tasks

     Returns one page of the training tasks of a project that match all filters given, and how many match
    in all. The order is certain only with `sort_key`.

    Args:
        project_id (str): ID of the project whose tasks are listed.
        offset (int | Unset): Number of tasks to skip, counted from 0.
        limit (int | Unset): Number of tasks on a page.
        sort_key (str | TrainingJobSortKey | Unset): Property to order by. Only `create_time` is
            documented; other keys are passed on.
        sort_dir (SortDirection | Unset): Direction of the order, ascending by default. Use it
            with `sort_key`.
        create_until (datetime.datetime | Unset): Keep tasks created at this time or earlier.
        create_since (datetime.datetime | Unset): Keep tasks created at this time or later.
        state (list[str | TrainingJobState] | Unset): Keep tasks in any of these states. By
            default all are kept. States that are not listed here may be given too.
        query_project_id (str | Unset): Tenant whose tasks are listed. Whether this is a project
            or an account ID is not documented.
        batch_name (str | Unset): Keep tasks of the batch with this name.
        tag (str | Unset): Keep tasks that have exactly this tag.
        job_id (str | Unset): Keep the task with this ID.
        name (str | Unset): Keep tasks whose model has this name. Servers may also match part of a
            name.
        model_resolution (ModelResolution | str | Unset): Keep tasks whose model has this
            resolution.
        x_app_user_id (str | Unset): ID that an application gives its own user, kept with the
            tasks this user creates. Printable ASCII without blanks at its ends.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GatewayError | ListTrainingJobsResponse | ServiceError]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        offset=offset,
        limit=limit,
        sort_key=sort_key,
        sort_dir=sort_dir,
        create_until=create_until,
        create_since=create_since,
        state=state,
        query_project_id=query_project_id,
        batch_name=batch_name,
        tag=tag,
        job_id=job_id,
        name=name,
        model_resolution=model_resolution,
        x_app_user_id=x_app_user_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    offset: int | Unset = UNSET,
    limit: int | Unset = UNSET,
    sort_key: str | TrainingJobSortKey | Unset = UNSET,
    sort_dir: SortDirection | Unset = UNSET,
    create_until: datetime.datetime | Unset = UNSET,
    create_since: datetime.datetime | Unset = UNSET,
    state: list[str | TrainingJobState] | Unset = UNSET,
    query_project_id: str | Unset = UNSET,
    batch_name: str | Unset = UNSET,
    tag: str | Unset = UNSET,
    job_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    model_resolution: ModelResolution | str | Unset = UNSET,
    x_app_user_id: str | Unset = UNSET,
) -> GatewayError | ListTrainingJobsResponse | ServiceError | None:
    """List training tasks

     Returns one page of the training tasks of a project that match all filters given, and how many match
    in all. The order is certain only with `sort_key`.

    Args:
        project_id (str): ID of the project whose tasks are listed.
        offset (int | Unset): Number of tasks to skip, counted from 0.
        limit (int | Unset): Number of tasks on a page.
        sort_key (str | TrainingJobSortKey | Unset): Property to order by. Only `create_time` is
            documented; other keys are passed on.
        sort_dir (SortDirection | Unset): Direction of the order, ascending by default. Use it
            with `sort_key`.
        create_until (datetime.datetime | Unset): Keep tasks created at this time or earlier.
        create_since (datetime.datetime | Unset): Keep tasks created at this time or later.
        state (list[str | TrainingJobState] | Unset): Keep tasks in any of these states. By
            default all are kept. States that are not listed here may be given too.
        query_project_id (str | Unset): Tenant whose tasks are listed. Whether this is a project
            or an account ID is not documented.
        batch_name (str | Unset): Keep tasks of the batch with this name.
        tag (str | Unset): Keep tasks that have exactly this tag.
        job_id (str | Unset): Keep the task with this ID.
        name (str | Unset): Keep tasks whose model has this name. Servers may also match part of a
            name.
        model_resolution (ModelResolution | str | Unset): Keep tasks whose model has this
            resolution.
        x_app_user_id (str | Unset): ID that an application gives its own user, kept with the
            tasks this user creates. Printable ASCII without blanks at its ends.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GatewayError | ListTrainingJobsResponse | ServiceError
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            client=client,
            offset=offset,
            limit=limit,
            sort_key=sort_key,
            sort_dir=sort_dir,
            create_until=create_until,
            create_since=create_since,
            state=state,
            query_project_id=query_project_id,
            batch_name=batch_name,
            tag=tag,
            job_id=job_id,
            name=name,
            model_resolution=model_resolution,
            x_app_user_id=x_app_user_id,
        )
    ).parsed
