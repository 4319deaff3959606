"""The id of a region's project, asked of IAM when nobody gave it: ``GET /v3/projects?name=<region>`` (facts 1).

A token from `IamTokenAuth` is for one project and says which, so there the login is all that is asked.
"""

from __future__ import annotations

from typing import cast

import httpx

from metastudio import errors
from metastudio.auth.iam import IamTokenAuth
from metastudio.auth.token import TokenFlow
from metastudio.errors import ConfigurationError
from metastudio.http import error_mapping

_ADVICE = "set HUAWEICLOUD_SDK_PROJECT_ID or project_id="


def find_project_id(client: httpx.Client, auth: httpx.Auth, *, region: str, iam: str) -> str:
    """The id of the project named like `region`.

    Args:
        client: sends the request; with its timeout, proxies and certificates.
        auth: signs the request or gives it a token; a token may from then on be sent to `iam`.
        region: such as ``cn-north-4``.
        iam: URL of IAM, from `metastudio.auth.iam.endpoint`.

    Raises:
        ConfigurationError: there is no such project, or there are several; the message names them.
        ApiError: IAM refuses; by its class, such as AuthenticationError.
        ResponseFormatError: IAM's answer is no list of projects.
    """
    if isinstance(auth, IamTokenAuth):
        auth.log_in(client)
        return _of_login(auth)
    try:
        response = client.send(_request(auth, region, iam), auth=auth, follow_redirects=False)
    except errors.ApiError as error:  # from a client that raises them
        raise _advised(error, iam) from None
    return _only(response, region, iam)


async def afind_project_id(client: httpx.AsyncClient, auth: httpx.Auth, *, region: str, iam: str) -> str:
    """`find_project_id` for async clients."""
    if isinstance(auth, IamTokenAuth):
        await auth.alog_in(client)
        return _of_login(auth)
    try:
        response = await client.send(_request(auth, region, iam), auth=auth, follow_redirects=False)
    except errors.ApiError as error:
        raise _advised(error, iam) from None
    return _only(response, region, iam)


def _of_login(auth: IamTokenAuth) -> str:
    if auth.project_id is None:
        raise ConfigurationError(f"the token of {auth.iam} is for no project: {_ADVICE}")
    return auth.project_id


def _request(auth: httpx.Auth, region: str, iam: str) -> httpx.Request:
    if isinstance(auth, TokenFlow):
        auth.trust(iam)
    return httpx.Request("GET", f"{iam}/v3/projects", params={"name": region})


def _only(response: httpx.Response, region: str, iam: str) -> str:
    if not response.is_success:
        raise _advised(error_mapping.api_error(response), iam)
    try:
        found = [project for project in response.json()["projects"] if project["name"] == region]
        ids = [cast("str", project["id"]) for project in found]
    except (ValueError, LookupError, TypeError):
        raise errors.ResponseFormatError(
            f"{iam} said success, but its answer is no list of projects: {_ADVICE}",
            status_code=response.status_code,
            request_id=response.headers.get("X-Request-Id"),
            content_type=response.headers.get("Content-Type"),
            place="/projects",
            request=errors.RequestSummary.of(response.request),
        ) from None
    if not ids:
        raise ConfigurationError(
            f"{iam} knows no project {region!r} of these credentials: check the region, or {_ADVICE}"
        )
    if len(ids) > 1:
        raise ConfigurationError(f"{iam} knows several projects {region!r}: {', '.join(ids)}; {_ADVICE}")
    return ids[0]


def _advised(error: errors.ApiError, iam: str) -> errors.ApiError:
    asked = f"{iam} was asked for the project id of the region; to do without, {_ADVICE}."
    error.hint = " ".join(filter(None, (error.hint, asked)))
    return error
