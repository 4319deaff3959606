"""The project ID lookup at IAM: with an access key, a token, or a login."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import errors
from metastudio.auth import AkSkAuth, IamTokenAuth, TokenAuth
from metastudio.auth.project import afind_project_id, find_project_id
from metastudio.errors import AuthenticationError, ConfigurationError, ResponseFormatError
from metastudio.http.error_mapping import api_error
from metastudio.http.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "cn-north-4"


def find(auth: httpx.Auth, iam: str) -> str:
    with httpx.Client(verify=ssl_context()) as client:
        return find_project_id(client, auth, region=REGION, iam=iam)


def find_async(auth: httpx.Auth, iam: str) -> str:
    async def main() -> str:
        async with httpx.AsyncClient(verify=ssl_context()) as client:
            return await afind_project_id(client, auth, region=REGION, iam=iam)

    return asyncio.run(main())


both = pytest.mark.parametrize("find", [find, find_async])


def projects(*found: tuple[str, str]) -> CannedResponse:
    listed = [{"id": project_id, "name": name, "enabled": True} for project_id, name in found]
    return CannedResponse(200, json.dumps({"projects": listed, "links": {}}).encode())


@both
@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (AkSkAuth("AK", "SK"), "authorization"),
        (TokenAuth("T"), "x-auth-token"),
    ],
)
def test_finds_the_project_of_the_region(find: Callable[[httpx.Auth, str], str], auth: httpx.Auth, header: str) -> None:
    with serve(lambda _: projects(("p1", REGION))) as server:
        if isinstance(auth, TokenAuth):
            auth.trust("https://metastudio.test")
        assert find(auth, server.url) == "p1"
    (request,) = server.received
    assert (request.method, request.target) == ("GET", f"/v3/projects?name={REGION}")
    assert request.header(header)


@both
@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "finds no project 'cn-north-4'"),
        ([("p1", "cn-east-3")], "finds no project 'cn-north-4'"),
        ([("p1", REGION), ("p2", REGION)], "finds several projects 'cn-north-4': p1, p2"),
    ],
)
def test_rejects_none_or_several(
    find: Callable[[httpx.Auth, str], str], found: list[tuple[str, str]], message: str
) -> None:
    with serve(lambda _: projects(*found)) as server, pytest.raises(ConfigurationError, match=message) as caught:
        find(AkSkAuth("AK", "SK"), server.url)
    assert "set HUAWEICLOUD_SDK_PROJECT_ID or project_id=" in str(caught.value)
    assert server.url in str(caught.value)


@both
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            CannedResponse(401, b'{"error_msg":"verify aksk signature fail","error_code":"APIGW.0301"}'),
            AuthenticationError,
        ),
        (CannedResponse(403, b'{"error":{"message":"not allowed","code":403}}'), errors.PermissionDeniedError),
        (CannedResponse(503, b"<html>"), errors.ServerError),
        (CannedResponse(307, headers={"Location": "http://127.0.0.1:9/"}), errors.ApiError),
        (CannedResponse(200, b"<html>"), ResponseFormatError),
        (CannedResponse(200, b"[]"), ResponseFormatError),
        (CannedResponse(200, b'{"projects": {}}'), ResponseFormatError),
        (CannedResponse(200, b'{"projects": [{"name": "cn-north-4"}]}'), ResponseFormatError),
        (CannedResponse(200, b'{"projects": [null]}'), ResponseFormatError),
    ],
)
def test_iam_errors(find: Callable[[httpx.Auth, str], str], answer: CannedResponse, error: type[Exception]) -> None:
    with serve(lambda _: answer) as server, pytest.raises(error) as caught:
        find(AkSkAuth("AK", "SK"), server.url)
    assert "HUAWEICLOUD_SDK_PROJECT_ID" in str(caught.value)
    assert server.url in str(caught.value)


def test_adds_a_hint_to_an_error_raised_by_the_client() -> None:
    class RaisingClient(httpx.Client):
        def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            super().send(request, **options)
            raise AuthenticationError(401, "APIGW.0301", "no", hint="Mend it.")

    with (
        serve(lambda _: CannedResponse()) as server,
        RaisingClient() as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        find_project_id(client, AkSkAuth("AK", "SK"), region=REGION, iam=server.url)
    assert "Mend it. " + server.url in str(caught.value)


@both
def test_takes_the_project_from_a_login(find: Callable[[httpx.Auth, str], str]) -> None:
    def answer(_: ReceivedRequest) -> CannedResponse:
        return CannedResponse(201, b'{"token": {"project": {"id": "p1"}}}', {"X-Subject-Token": "T"})

    with serve(answer) as server:
        auth = IamTokenAuth("me", "secret", "acme", region=REGION, iam_endpoint=server.url)
        assert [find(auth, server.url), auth.project_id] == ["p1", "p1"]
    assert [request.method for request in server.received] == ["POST"]


@pytest.mark.anyio
async def test_converts_a_login_error_raised_by_the_client() -> None:
    class Strict(httpx.Client):
        def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            raise api_error(super().send(request, **options))

    class AsyncStrict(httpx.AsyncClient):
        async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            raise api_error(await super().send(request, **options))

    with serve(lambda _: CannedResponse(400, b'{"error":{"message":"no MADEUP for you","code":400}}')) as server:
        auth = IamTokenAuth("me", "MADEUP", "acme", region=REGION, iam_endpoint=server.url)
        with Strict() as client, pytest.raises(AuthenticationError, match=r"no \*\*\* for you") as caught:
            find_project_id(client, auth, region=REGION, iam=server.url)
        async with AsyncStrict() as aclient:
            with pytest.raises(AuthenticationError, match=r"no \*\*\* for you") as acaught:
                await afind_project_id(aclient, auth, region=REGION, iam=server.url)
    for error in (caught.value, acaught.value):
        assert "user 'me' of account 'acme'" in str(error)
        assert "MADEUP" not in f"{error!r} {vars(error)}"


@both
def test_rejects_a_login_for_no_project(find: Callable[[httpx.Auth, str], str]) -> None:
    with serve(lambda _: CannedResponse(201, b'{"token": {}}', {"X-Subject-Token": "T"})) as server:
        auth = IamTokenAuth("me", "secret", "acme", region=REGION, iam_endpoint=server.url)
        with pytest.raises(ConfigurationError, match="for no project"):
            find(auth, server.url)
