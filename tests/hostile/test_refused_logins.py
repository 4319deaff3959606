"""A refused password is not sent again every minute, because that locks the account."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from concurrent_requests import BOTH, Send
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.auth import Clock, IamTokenAuth
from metastudio.auth.iam import FIRST_PAUSE, LONGEST_PAUSE
from metastudio.auth.project import afind_project_id, find_project_id
from metastudio.auth.token import ADVISORY_WINDOW
from metastudio.errors import AuthenticationError, MetaStudioError, ServerError
from metastudio.http.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=24)
REGION = "cn-north-4"


class LockingIam:
    """IAM and a service: IAM refuses logins unless `status` is 201, the service refuses the tokens in `revoked`."""

    def __init__(self) -> None:
        self.now = NOW
        self.status = 201
        self.logins: list[datetime] = []
        self.revoked: set[str] = set()

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        if not request.target.startswith("/v3/auth/tokens"):
            return CannedResponse(401 if request.header("x-auth-token") in self.revoked else 200)
        self.logins.append(self.now)
        times = {"issued_at": self.now.isoformat(), "expires_at": (self.now + LIFE).isoformat()}
        body = {"token": {**times, "project": {"id": "p"}}} if self.status == 201 else {"error": {"code": self.status}}
        return CannedResponse(self.status, json.dumps(body).encode(), {"X-Subject-Token": f"T{len(self.logins)}"})


@pytest.fixture
def iam() -> LockingIam:
    return LockingIam()


@pytest.fixture
def server(iam: LockingIam) -> Iterator[LoopbackServer]:
    with serve(iam) as running:
        yield running


@pytest.fixture
def auth(iam: LockingIam, server: LoopbackServer) -> IamTokenAuth:
    clock = Clock(lambda: iam.now)
    return IamTokenAuth("me", "PWMADEUP", "acme", region=REGION, iam_endpoint=server.url, clock=clock)


both = pytest.mark.parametrize("send", BOTH)


def failure(send: Send, auth: IamTokenAuth, url: str) -> MetaStudioError:
    with pytest.raises(MetaStudioError) as caught:
        send(auth, url)
    return caught.value


@both
def test_fails_fast_with_growing_pauses(
    send: Send, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    iam.status = 401
    for _ in range(30):  # a call every ten minutes
        assert type(failure(send, auth, server.url)) is AuthenticationError
        iam.now += timedelta(minutes=10)
    pauses = [later - earlier for earlier, later in zip(iam.logins, iam.logins[1:], strict=False)]
    assert min(pauses) >= FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert not any(request.method == "GET" for request in server.received)


@both
def test_the_repeated_error_says_when_the_next_login_is_sent(
    send: Send, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    iam.status = 403
    first = failure(send, auth, server.url)
    iam.now += timedelta(minutes=1)
    again = failure(send, auth, server.url)
    assert isinstance(again, AuthenticationError)
    assert again is not first
    assert again.status_code == 403
    assert "no login is sent for another 4 minutes" in str(again)
    assert "no login is sent" not in str(first)
    assert "PWMADEUP" not in f"{again!r} {vars(again)}"
    assert len(iam.logins) == 1


@both
def test_holds_while_the_old_token_is_good(
    send: Send, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    send(auth, server.url)
    iam.status = 401
    iam.now = NOW + LIFE - ADVISORY_WINDOW
    while iam.now < NOW + LIFE:
        assert send(auth, server.url)[0].status_code == 200
        iam.now += timedelta(minutes=1)
    assert len(iam.logins) == 2
    failure(send, auth, server.url)
    failure(send, auth, server.url)
    assert len(iam.logins) == 3


@both
def test_a_refused_token_leads_to_one_login(
    send: Send, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    send(auth, server.url)
    iam.status, iam.revoked = 401, {"T1"}
    for _ in range(5):
        failure(send, auth, server.url)
        iam.now += timedelta(minutes=1)
    assert len(iam.logins) == 2
    iam.now += ADVISORY_WINDOW
    iam.status = 201
    assert send(auth, server.url)[0].status_code == 200


@both
def test_a_login_ends_the_pauses(send: Send, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer) -> None:
    for _ in range(2):
        iam.status = 401
        failure(send, auth, server.url)
        iam.now += FIRST_PAUSE
        iam.status = 201
        assert send(auth, server.url)[0].status_code == 200
        iam.now += LIFE
    assert len(iam.logins) == 4


@both
@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_other_failures_are_tried_again_at_once(
    send: Send, status: int, iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    iam.status = status
    for _ in range(3):
        assert (isinstance(failure(send, auth, server.url), ServerError)) == (status >= 500)
    assert len(iam.logins) == 3


def find(auth: IamTokenAuth, iam: str) -> str:
    with httpx.Client(trust_env=False, verify=ssl_context()) as client:
        return find_project_id(client, auth, region=REGION, iam=iam)


def find_async(auth: IamTokenAuth, iam: str) -> str:
    async def main() -> str:
        async with httpx.AsyncClient(trust_env=False, verify=ssl_context()) as client:
            return await afind_project_id(client, auth, region=REGION, iam=iam)

    return asyncio.run(main())


@pytest.mark.parametrize("lookup", [find, find_async])
def test_the_project_lookup_shares_the_pauses(
    lookup: Callable[[IamTokenAuth, str], str], iam: LockingIam, auth: IamTokenAuth, server: LoopbackServer
) -> None:
    iam.status = 401
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            lookup(auth, server.url)
    assert len(iam.logins) == 1
    failure(BOTH[0], auth, server.url)
    assert len(iam.logins) == 1
    iam.now += FIRST_PAUSE
    iam.status = 201
    assert lookup(auth, server.url) == "p"
    assert lookup(auth, server.url) == "p"
    assert len(iam.logins) == 2
