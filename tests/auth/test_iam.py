"""IamTokenAuth against a local IAM server."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from concurrent_requests import BOTH, Send, by_threads
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.auth import Clock, IamTokenAuth, iam, refresh
from metastudio.auth.token import ADVISORY_WINDOW
from metastudio.errors import (
    AuthenticationError,
    ConfigurationError,
    CredentialsError,
    MetaStudioError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from metastudio.auth.flow import Action

both = pytest.mark.parametrize("send", BOTH)

NOW = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=24)
PASSWORD = "MADEUPPASSWORD"


class FakeCloud:
    """IAM and a service in one server: ``/v3/auth/tokens`` issues T1, T2, ...; other paths accept `valid` ones."""

    def __init__(self) -> None:
        self.logins = 0
        self.valid: set[str] | None = None
        self.login_answer: CannedResponse | None = None
        self.skew = timedelta(0)
        self.before_login: Callable[[], object] = lambda: None
        self.refusal = CannedResponse(401, b"{}")

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        if request.target.partition("?")[0] != "/v3/auth/tokens":
            accepted = self.valid is None or request.header("x-auth-token") in self.valid
            return CannedResponse(200) if accepted else self.refusal
        self.before_login()
        self.logins += 1
        if self.login_answer:
            return self.login_answer
        issued = NOW + self.skew
        body = {
            "token": {
                "issued_at": f"{issued:%Y-%m-%dT%H:%M:%S}.855000Z",
                "expires_at": f"{issued + LIFE:%Y-%m-%dT%H:%M:%S}.855000Z",
                "project": {"id": "pid", "name": "cn-north-4"},
            }
        }
        return CannedResponse(201, json.dumps(body).encode(), {"X-Subject-Token": f"T{self.logins}"})


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def server(cloud: FakeCloud) -> Iterator[LoopbackServer]:
    with serve(cloud) as running:
        yield running


def login(server: LoopbackServer, *, clock: Clock | None = None, **options: Any) -> IamTokenAuth:
    options = {"region": "cn-north-4", **options}
    return IamTokenAuth("me", PASSWORD, "acme", iam_endpoint=server.url, clock=clock, **options)


def tokens_received(server: LoopbackServer) -> list[str | None]:
    return [request.header("x-auth-token") for request in server.received if request.method == "GET"]


# Login


@both
def test_login_request_and_token(send: Send, server: LoopbackServer) -> None:
    auth = login(server)
    send(auth, server.url + "/v1/x")
    asked, used = server.received
    assert (asked.method, asked.target) == ("POST", "/v3/auth/tokens?nocatalog=true")
    assert asked.header("content-type") == "application/json"
    assert asked.header("x-auth-token") is None
    assert json.loads(asked.body) == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "me", "password": PASSWORD, "domain": {"name": "acme"}}},
            },
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    assert used.header("x-auth-token") == "T1"
    assert auth.project_id == "pid"


@both
def test_logs_in_once_for_many_requests(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    auth = login(server)
    for _ in range(2):
        assert {answer.status_code for answer in send(auth, server.url, count=24)} == {200}
    assert cloud.logins == 1
    assert set(tokens_received(server)) == {"T1"}


def test_threads_and_event_loops_share_one_login(server: LoopbackServer, cloud: FakeCloud) -> None:
    auth = login(server)
    asked, answer = threading.Event(), threading.Event()

    def before_login() -> None:
        asked.set()
        assert answer.wait(10)

    cloud.before_login = before_login
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(by_threads, auth, server.url)
        assert asked.wait(10)
        others = [pool.submit(send, auth, server.url, count=4) for send in BOTH]
        answer.set()
        results = [first.result(), *[other.result() for other in others]]
    assert {response.status_code for responses in results for response in responses} == {200}
    assert cloud.logins == 1


@both
def test_refreshes_the_token_before_it_expires(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    moments = [NOW]
    auth = login(server, clock=Clock(lambda: moments[0]))
    for moment in (NOW, NOW + LIFE - ADVISORY_WINDOW - timedelta(seconds=1), NOW + LIFE - ADVISORY_WINDOW, NOW + LIFE):
        moments[0] = moment
        send(auth, server.url)
    assert tokens_received(server) == ["T1", "T1", "T2", "T2"]
    assert cloud.logins == 2


@both
@pytest.mark.parametrize("skew", [timedelta(days=-30), timedelta(days=30)])
def test_takes_only_the_lifetime_of_the_token_from_iams_clock(
    send: Send, server: LoopbackServer, cloud: FakeCloud, skew: timedelta
) -> None:
    cloud.skew = skew
    moments = [NOW]
    auth = login(server, clock=Clock(lambda: moments[0]))
    for moment in (NOW, NOW + timedelta(hours=23), NOW + LIFE):
        moments[0] = moment
        send(auth, server.url)
    assert tokens_received(server) == ["T1", "T1", "T2"]


@both
@pytest.mark.parametrize(
    "refusal",
    [
        CannedResponse(401, b'{"error_code":"APIGW.0307","error_msg":"The token must be updated"}'),
        CannedResponse(400, b'{"error_code":"MSS.00010008","error_msg":"Invalid token in the header."}'),
    ],
)
def test_refreshes_a_refused_token_once(
    send: Send, server: LoopbackServer, cloud: FakeCloud, refusal: CannedResponse
) -> None:
    auth = login(server)
    cloud.refusal = refusal
    cloud.valid = {"T2"}
    assert [send(auth, server.url)[0].status_code for _ in range(2)] == [200, 200]
    assert tokens_received(server) == ["T1", "T2", "T2"]


@both
def test_many_requests_refresh_a_refused_token_once(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    auth = login(server)
    send(auth, server.url)
    cloud.valid = {"T2"}
    assert {answer.status_code for answer in send(auth, server.url, count=24)} == {200}
    assert cloud.logins == 2


@both
def test_returns_the_401_if_the_new_token_is_refused(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    cloud.valid = set()
    assert send(login(server), server.url)[0].status_code == 401
    assert tokens_received(server) == ["T1", "T2"]


def test_login_has_the_timeout_of_the_request() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        body = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
        return httpx.Response(201, json=body, headers={"X-Subject-Token": "T"})

    auth = IamTokenAuth("me", PASSWORD, "acme", region="cn-north-4")
    with httpx.Client(transport=httpx.MockTransport(answer), auth=auth) as client:
        client.get("https://metastudio.test/", timeout=httpx.Timeout(7, connect=3))
    assert seen == [{"connect": 3, "read": 7, "write": 7, "pool": 7}] * 2


@both
def test_unreachable_iam_is_a_connection_error(send: Send) -> None:
    with serve(lambda _: CannedResponse()) as gone:
        auth = login(gone)
    with serve(lambda _: CannedResponse()) as server:
        with pytest.raises(httpx.ConnectError):
            send(auth, server.url)
        assert not server.received


def test_another_request_takes_over_a_cancelled_login(server: LoopbackServer, cloud: FakeCloud) -> None:
    auth = login(server)
    asked, answer = threading.Event(), threading.Event()

    def before_login() -> None:
        asked.set()
        assert answer.wait(10)

    cloud.before_login = before_login

    async def main() -> int:
        async with httpx.AsyncClient(auth=auth) as client:
            leader = asyncio.create_task(client.get(server.url))
            await asyncio.to_thread(asked.wait, 10)
            follower = asyncio.create_task(client.get(server.url))
            await asyncio.sleep(0)
            leader.cancel()
            answer.set()
            with pytest.raises(asyncio.CancelledError):
                await leader
            return (await follower).status_code

    assert asyncio.run(main()) == 200


# Errors of IAM

NESTED = b'{"error":{"message":"The username or password is wrong.","code":401,"title":"Unauthorized"}}'


@both
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (CannedResponse(401, NESTED), AuthenticationError, "The username or password is wrong."),
        (CannedResponse(403, b'{"error_msg":"locked","error_code":"IAM.0001"}'), AuthenticationError, "locked"),
        (CannedResponse(400, b"<html>Bad"), AuthenticationError, "<html>Bad"),
        (CannedResponse(429, b""), RateLimitError, "HTTP 429"),
        (CannedResponse(503, b"unwell"), ServerError, "unwell"),
        (
            CannedResponse(302, headers={"Location": "http://127.0.0.1:9/"}),
            MetaStudioError,
            "redirects to http://127.0.0.1:9",
        ),
        (CannedResponse(200, b"<html>Login</html>"), ResponseFormatError, "without a token"),
        (CannedResponse(201, b"{}", {"X-Subject-Token": "T"}), ResponseFormatError, "without a token"),
        (CannedResponse(201, b'{"token": {}}'), ResponseFormatError, "without a token"),
    ],
)
def test_login_errors(
    send: Send,
    server: LoopbackServer,
    cloud: FakeCloud,
    answer: CannedResponse,
    error: type[MetaStudioError],
    words: str,
) -> None:
    cloud.login_answer = answer
    with pytest.raises(error) as caught:
        send(login(server), server.url)
    assert words in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.received) == 1


@both
def test_login_error_masks_the_password(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    cloud.login_answer = CannedResponse(
        401, json.dumps({"error": {"message": f"{PASSWORD} is wrong", "code": 401}}).encode()
    )
    with pytest.raises(AuthenticationError) as caught:
        send(login(server), server.url)
    error = caught.value
    assert error.error_msg == "*** is wrong"
    assert PASSWORD not in f"{error} {error!r} {error.body} {vars(error)}"
    assert "user 'me' of account 'acme' and project 'cn-north-4'" in str(error)


@both
def test_many_requests_with_a_wrong_password_log_in_once(
    send: Send, server: LoopbackServer, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated wrong passwords lock the account."""
    waiting = threading.Semaphore(0)

    wait_for = refresh.wait_for

    def counted_wait_for(pending: Future[Any], seconds: float) -> Action:
        waiting.release()
        return wait_for(pending, seconds)

    monkeypatch.setattr(refresh, "wait_for", counted_wait_for)
    cloud.login_answer = CannedResponse(401, NESTED)
    cloud.before_login = lambda: [waiting.acquire(timeout=10) for _ in range(7)]
    with pytest.raises(AuthenticationError):
        send(login(server), server.url, count=8)
    assert cloud.logins == 1


@both
def test_does_not_redirect_the_password_to_another_origin(send: Send, server: LoopbackServer, cloud: FakeCloud) -> None:
    with serve(lambda _: CannedResponse()) as other:
        cloud.login_answer = CannedResponse(307, headers={"Location": other.url + "/v3/auth/tokens"})
        with pytest.raises(ConfigurationError, match="another origin"):
            send(login(server), server.url, follow=True)
        assert not other.received


# Arguments


@pytest.mark.parametrize(
    ("options", "endpoint", "project"),
    [
        ({"region": "ap-southeast-3"}, "https://iam.ap-southeast-3.myhuaweicloud.com", "ap-southeast-3"),
        ({"project": "cn-north-4_films"}, "https://iam.cn-north-4.myhuaweicloud.com", "cn-north-4_films"),
        ({"project": "MOS"}, "https://iam.myhuaweicloud.com", "MOS"),
        ({"project": "p", "region": "cn-east-3"}, "https://iam.cn-east-3.myhuaweicloud.com", "p"),
        ({"region": "x", "iam_endpoint": "https://iam.test/"}, "https://iam.test", "x"),
        ({"region": "x", "iam_endpoint": "http://iam.test", "allow_http": True}, "http://iam.test", "x"),
        ({"region": "x", "iam_endpoint": "http://[::1]:80"}, "http://[::1]", "x"),
    ],
)
def test_iam_endpoint_and_project(options: dict[str, Any], endpoint: str, project: str) -> None:
    auth = IamTokenAuth("me", PASSWORD, "acme", **options)
    assert (auth.iam, auth.project) == (endpoint, project)


def test_environment_sets_the_iam_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.env.test")
    assert IamTokenAuth("me", PASSWORD, "acme", region="x").iam == "https://iam.env.test"
    assert iam.endpoint("x", "https://iam.given.test") == "https://iam.given.test"
    monkeypatch.delenv("HUAWEICLOUD_SDK_IAM_ENDPOINT")
    assert iam.endpoint("x") == "https://iam.x.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("", "p", "a"), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "", "a"), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "p", ""), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "p", "a"), {}, ConfigurationError, "needs a project or a region"),
        (("u", "p", "a"), {"region": "evil.test/"}, ConfigurationError, "is not a region"),
        (("u", "p", "a"), {"region": "x", "iam_endpoint": "http://iam.test"}, ConfigurationError, "clear text"),
        (("u", "p", "a"), {"region": "x", "iam_endpoint": "iam.test"}, ConfigurationError, "write https://host"),
    ],
)
def test_rejects_arguments(
    arguments: tuple[str, str, str], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        IamTokenAuth(*arguments, **options)


def test_shows_no_password() -> None:
    auth = IamTokenAuth("me", PASSWORD, "acme", region="cn-north-4")
    assert PASSWORD not in repr(auth) + str(auth)
    assert "user='me'" in repr(auth)
