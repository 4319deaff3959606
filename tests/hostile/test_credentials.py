"""A refresh of credentials under bad conditions, and objects whose construction failed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fault_server import FaultServer, reset, respond
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, TokenAuth, errors
from metastudio.auth import AkSkAuth, Clock, IamTokenAuth, InstanceMetadata
from metastudio.auth.chain import find
from metastudio.auth.token import ADVISORY_WINDOW, MANDATORY_WINDOW
from metastudio.http.retry import RetryPolicy
from session_calls import KINDS, Kind, call

NOW = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=24)


def get(kind: Kind, auth: httpx.Auth, url: str, timeout: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with httpx.AsyncClient(auth=auth, timeout=timeout, trust_env=False) as client:
            return await client.get(url)

    if kind == "async":
        return asyncio.run(main())
    with httpx.Client(auth=auth, timeout=timeout, trust_env=False) as client:
        return client.get(url)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timeout", [0.2, httpx.Timeout(None, read=0.2)], ids=["number", "read"])
def test_the_own_timeout_bounds_the_wait_for_the_refresh_of_another(kind: Kind, timeout: Any) -> None:
    asked, answer = threading.Event(), threading.Event()

    def token() -> str:
        asked.set()
        assert answer.wait(10)
        return "T"

    def keys() -> Credentials:
        return Credentials("AK", token())

    for auth in (TokenAuth(token), AkSkAuth.from_provider(keys)):
        asked.clear()
        answer.clear()
        with serve(lambda _: CannedResponse()) as server, ThreadPoolExecutor(1) as pool:
            leader = pool.submit(get, "sync", auth, server.url, 10)
            assert asked.wait(10)
            started = time.monotonic()
            with pytest.raises(errors.ApiTimeoutError, match="another request"):
                get(kind, auth, server.url, timeout)
            assert time.monotonic() - started < 1.5
            answer.set()
            assert leader.result().status_code == 200
            assert get(kind, auth, server.url, timeout).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [ADVISORY_WINDOW, MANDATORY_WINDOW], ids=["advisory", "mandatory"])
@pytest.mark.parametrize("max_retries", [0, 2])
def test_an_early_refresh_that_gets_no_response_does_not_fail_the_call(
    kind: Kind, window: timedelta, max_retries: int
) -> None:
    """httpx ends the attempt with the error of the login. The next attempt, no retry, uses the old token."""
    moments = [NOW]
    body = {"token": {"issued_at": NOW.isoformat(), "expires_at": (NOW + LIFE).isoformat()}}
    login = respond(201, json.dumps(body).encode(), {"X-Subject-Token": "T1"})
    page = respond(200, b'{"count": 0, "jobs": []}')
    with FaultServer([login, page]) as iam, FaultServer([page]) as server:
        auth = IamTokenAuth(
            "me", "PW", "acme", region="cn-north-4", iam_endpoint=iam.url, clock=Clock(lambda: moments[0])
        )
        assert call(kind, server.url, auth=auth).response
        moments[0] = NOW + LIFE - window
        iam._script[:] = [reset()]  # pyright: ignore[reportPrivateUsage]
        assert call(kind, server.url, auth=auth, retry=RetryPolicy(max_retries=max_retries)).response
        assert [b"X-Auth-Token: T1" in head for head in server.heads] == [True, True]


@pytest.mark.parametrize("cls", [MetaStudio, AsyncMetaStudio])
def test_a_client_whose_construction_failed_has_a_repr(cls: type[Any]) -> None:
    assert cls.__name__ in repr(object.__new__(cls))


@pytest.mark.parametrize("cls", [AkSkAuth, TokenAuth, IamTokenAuth])
def test_an_auth_object_whose_construction_failed_has_a_repr(cls: type[Any]) -> None:
    assert cls.__name__ in repr(object.__new__(cls))


def test_no_secret_is_in_the_frames_of_an_error() -> None:
    """Tools that report errors show the local variables of each frame."""

    def refuse(request: ReceivedRequest) -> CannedResponse:
        status = 201 if request.target.endswith("nocatalog=true") else 401
        return CannedResponse(status, b"[]", {"X-Subject-Token": "TKMADEUP"})

    with serve(refuse) as server:
        auths: list[httpx.Auth] = [
            IamTokenAuth("me", "PWMADEUP", "acme", region="x", iam_endpoint=server.url),
            TokenAuth(lambda: "TKMADEUP\n"),
        ]
        for auth in auths:
            with pytest.raises(errors.MetaStudioError) as caught:
                get("sync", auth, server.url, 5)
            assert not frames_with_secrets(caught)


@pytest.mark.parametrize(
    "fields",
    [
        {"access": "AKMADEUP", "secret": "SKMADEUP\n"},
        {"access": "AKMADEUP", "secret": "SKMADEUP", "expires_at": "never"},
        {"secret": "SKMADEUP"},
        {"access": 1, "secret": "SKMADEUP"},
    ],
)
def test_no_secret_of_the_metadata_service_is_in_the_frames_of_an_error(fields: dict[str, Any]) -> None:
    body = json.dumps({"credential": {**fields, "securitytoken": "STMADEUP"}}).encode()
    with serve(lambda _: CannedResponse(200, body)) as server, pytest.raises(errors.CredentialsError) as caught:
        InstanceMetadata(server.url)()
    assert not frames_with_secrets(caught)


@pytest.mark.parametrize("lines", ["ak=AKMADEUP\nsk=SK MADEUP", "sk=SKMADEUP", "ak=AKMADEUP\nsk SKMADEUP"])
def test_no_secret_of_the_credentials_file_is_in_the_frames_of_an_error(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[basic]\nsecurity_token=STMADEUP\n{lines}\n")
    path.chmod(0o600)
    with pytest.raises(errors.CredentialsError) as caught:
        find(environ={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)})
    assert not frames_with_secrets(caught)


def frames_with_secrets(caught: pytest.ExceptionInfo[errors.MetaStudioError]) -> list[str]:
    frames = [entry for entry in caught.traceback if "test_" not in str(entry.path)]
    assert frames
    return [entry.name for entry in frames if "MADEUP" in repr(entry.frame.f_locals)]
