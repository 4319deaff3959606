"""Looks up the project ID of a region at IAM (docs/service-notes.md#project-id).

A token from `IamTokenAuth` is for one project and names it, so a login is enough there.
"""

from __future__ import annotations

from typing import Any

import httpx

from metastudio import errors
from metastudio.auth.credentials import is_project_id
from metastudio.auth.flow import AuthFlow
from metastudio.auth.iam import IamTokenAuth
from metastudio.errors import ConfigurationError
from metastudio.http import error_mapping, untrusted_json

_REMEDY = "set HUAWEICLOUD_SDK_PROJECT_ID or project_id="


def find_project_id(client: httpx.Client, auth: httpx.Auth, *, region: str, iam: str) -> str:
    """Return the ID of the project that has the name of the region.

    Args:
        client: Sends the request, with its timeout, proxies and certificates.
        auth: Authenticates the request. Its token may from then on be sent to IAM.
        region: The region, such as ``cn-north-4``.
        iam: The URL of IAM, from `metastudio.auth.iam.endpoint`.

    Raises:
        ConfigurationError: There is no such project, or several; the message lists them.
        ApiError: IAM refuses the request; the class follows from the HTTP status.
        ResponseFormatError: IAM's response is not a list of projects.
    """
    if isinstance(auth, IamTokenAuth) and auth.project_id is not None:
        return auth.project_id
    request, used = _request(auth, region, iam)
    try:
        response = client.send(request, auth=used, follow_redirects=False)
        if not response.is_success:  # a Session has raised it already
            raise error_mapping.api_error(response)
    except errors.ApiError as error:
        raise _explain(error, auth, iam) from None
    return _project_id(response, auth, region, iam)


async def afind_project_id(client: httpx.AsyncClient, auth: httpx.Auth, *, region: str, iam: str) -> str:
    """Return the ID of the project that has the name of the region; see `find_project_id`."""
    if isinstance(auth, IamTokenAuth) and auth.project_id is not None:
        return auth.project_id
    request, used = _request(auth, region, iam)
    try:
        response = await client.send(request, auth=used, follow_redirects=False)
        if not response.is_success:
            raise error_mapping.api_error(response)
    except errors.ApiError as error:
        raise _explain(error, auth, iam) from None
    return _project_id(response, auth, region, iam)


def _request(auth: httpx.Auth, region: str, iam: str) -> tuple[httpx.Request, httpx.Auth]:
    """Return the request that names the project, and how it is authenticated."""
    if isinstance(auth, IamTokenAuth):
        return auth.login_request(), httpx.Auth()
    if isinstance(auth, AuthFlow):
        auth.trust(iam)
    return httpx.Request("GET", f"{iam}/v3/projects", params={"name": region}), auth


def _explain(error: errors.ApiError, auth: httpx.Auth, iam: str) -> errors.ApiError:
    if isinstance(auth, IamTokenAuth):
        return auth.login_error(error)
    context = f"{iam} was asked for the project ID of the region; to avoid that, {_REMEDY}."
    error.hint = " ".join(filter(None, (error.hint, context)))
    return error


def _project_id(response: httpx.Response, auth: httpx.Auth, region: str, iam: str) -> str:
    if isinstance(auth, IamTokenAuth):
        auth.accept_login(response)
        if auth.project_id is None:
            raise ConfigurationError(f"the token of {iam} is for no project; {_REMEDY}")
        return auth.project_id
    try:
        ids = _ids(untrusted_json.parse(response.content), region)
    except ValueError:
        raise errors.ResponseFormatError(
            f"{iam} responded with success but not with a list of projects; {_REMEDY}",
            status_code=response.status_code,
            request_id=error_mapping.request_id(response),
            content_type=response.headers.get("Content-Type"),
            place="/projects",
            request=errors.RequestSummary.of(response.request),
        ) from None
    if not ids:
        raise ConfigurationError(
            f"{iam} finds no project {region!r} for these credentials; check the region, or {_REMEDY}"
        )
    if len(ids) > 1:
        raise ConfigurationError(f"{iam} finds several projects {region!r}: {', '.join(ids[:5])}; {_REMEDY}")
    return ids[0]


def _ids(value: Any, region: str) -> list[str]:
    """Return the IDs of the projects that have the name of the region, or raise ValueError."""
    projects: list[Any] | None = untrusted_json.member(value, "projects", list)
    if projects is None:
        raise ValueError("there is no list of projects")
    found = [project for project in projects if untrusted_json.member(project, "name", str) == region]
    ids = [untrusted_json.member(project, "id", str) for project in found]
    if not all(map(is_project_id, ids)):
        raise ValueError("a project ID is malformed")
    return [str(each) for each in ids]
