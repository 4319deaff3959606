"""IamTokenAuth against a stand-in of IAM on the loopback interface."""

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
from loopback import Answer, Received, Server, serve
from metastudio.auth import iam, refresh
from metastudio.auth.clock import Clock
from metastudio.auth.iam import IamTokenAuth
from metastudio.auth.token import EARLY
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

both = pytest.mark.parametrize("send", BOTH)

NOW = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=24)
PASSWORD = "MADEUPPASSWORD"


class Cloud:
    """IAM and a service in one server: ``/v3/auth/tokens`` gives T1, T2, ...; the rest wants one of the good ones."""

    def __init__(self) -> None:
        self.logins = 0
        self.good: set[str] | None = None
        self.login_answer: Answer | None = None
        self.skew = timedelta(0)
        self.before_login: Callable[[], object] = lambda: None
        self.refusal = Answer(401, b"{}")

    def __call__(self, request: Received) -> Answer:
        if request.target.partition("?")[0] != "/v3/auth/tokens":
            accepted = self.good is None or request.header("x-auth-token") in self.good
            return Answer(200) if accepted else self.refusal
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
        return Answer(201, json.dumps(body).encode(), {"X-Subject-Token": f"T{self.logins}"})


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def server(cloud: Cloud) -> Iterator[Server]:
    with serve(cloud) as running:
        yield running


def login(server: Server, *, clock: Clock | None = None, **options: Any) -> IamTokenAuth:
    options = {"region": "cn-north-4", **options}
    return IamTokenAuth("me", PASSWORD, "acme", iam_endpoint=server.url, clock=clock, **options)


def tokens_received(server: Server) -> list[str | None]:
    return [request.header("x-auth-token") for request in server.received if request.method == "GET"]


# Logging in


@both
def test_the_login_is_what_iam_documents(send: Send, server: Server) -> None:
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
def test_one_login_for_many_calls(send: Send, server: Server, cloud: Cloud) -> None:
    auth = login(server)
    for _ in range(2):
        assert {answer.status_code for answer in send(auth, server.url, count=24)} == {200}
    assert cloud.logins == 1
    assert set(tokens_received(server)) == {"T1"}


def test_threads_and_loops_share_one_login(server: Server, cloud: Cloud) -> None:
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
def test_the_token_is_renewed_before_it_ends(send: Send, server: Server, cloud: Cloud) -> None:
    moments = [NOW]
    auth = login(server, clock=Clock(lambda: moments[0]))
    for moment in (NOW, NOW + LIFE - EARLY - timedelta(seconds=1), NOW + LIFE - EARLY, NOW + LIFE):
        moments[0] = moment
        send(auth, server.url)
    assert tokens_received(server) == ["T1", "T1", "T2", "T2"]
    assert cloud.logins == 2


@both
@pytest.mark.parametrize("skew", [timedelta(days=-30), timedelta(days=30)])
def test_a_wrong_clock_does_not_shorten_or_lengthen_the_tokens_life(
    send: Send, server: Server, cloud: Cloud, skew: timedelta
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
        Answer(401, b'{"error_code":"APIGW.0307","error_msg":"The token must be updated"}'),
        Answer(400, b'{"error_code":"MSS.00010008","error_msg":"Invalid token in the header."}'),
    ],
)
def test_a_token_that_dies_early_is_renewed_once(send: Send, server: Server, cloud: Cloud, refusal: Answer) -> None:
    auth = login(server)
    cloud.refusal = refusal
    cloud.good = {"T2"}
    assert [send(auth, server.url)[0].status_code for _ in range(2)] == [200, 200]
    assert tokens_received(server) == ["T1", "T2", "T2"]


@both
def test_many_calls_renew_a_dead_token_once(send: Send, server: Server, cloud: Cloud) -> None:
    auth = login(server)
    send(auth, server.url)
    cloud.good = {"T2"}
    assert {answer.status_code for answer in send(auth, server.url, count=24)} == {200}
    assert cloud.logins == 2


@both
def test_a_new_token_that_is_refused_too_is_the_end(send: Send, server: Server, cloud: Cloud) -> None:
    cloud.good = set()
    assert send(login(server), server.url)[0].status_code == 401
    assert tokens_received(server) == ["T1", "T2"]


def test_the_login_has_the_calls_timeout() -> None:
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
def test_iam_out_of_reach_is_a_connection_error(send: Send) -> None:
    with serve(lambda _: Answer()) as gone:
        auth = login(gone)
    with serve(lambda _: Answer()) as server:
        with pytest.raises(httpx.ConnectError):
            send(auth, server.url)
        assert not server.received


def test_a_cancelled_login_is_taken_over(server: Server, cloud: Cloud) -> None:
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


# Logging in before the first call


def test_logging_in_by_itself(server: Server, cloud: Cloud) -> None:
    auth = login(server)
    with httpx.Client() as client:
        auth.log_in(client)
    assert auth.project_id == "pid"
    by_threads(auth, server.url)
    assert cloud.logins == 1


@pytest.mark.anyio
async def test_logging_in_by_itself_async(server: Server, cloud: Cloud) -> None:
    auth = login(server)
    async with httpx.AsyncClient() as client:
        await auth.alog_in(client)
        assert auth.project_id == "pid"
        await client.get(server.url, auth=auth)
    assert cloud.logins == 1


# When IAM refuses

NESTED = b'{"error":{"message":"The username or password is wrong.","code":401,"title":"Unauthorized"}}'


@both
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(401, NESTED), AuthenticationError, "The username or password is wrong."),
        (Answer(403, b'{"error_msg":"locked","error_code":"IAM.0001"}'), AuthenticationError, "locked"),
        (Answer(400, b"<html>Bad"), AuthenticationError, "<html>Bad"),
        (Answer(429, b""), RateLimitError, "HTTP 429"),
        (Answer(503, b"unwell"), ServerError, "unwell"),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), MetaStudioError, "redirects to http://127.0.0.1:9"),
        (Answer(200, b"<html>Login</html>"), ResponseFormatError, "no token"),
        (Answer(201, b"{}", {"X-Subject-Token": "T"}), ResponseFormatError, "no token"),
        (Answer(201, b'{"token": {}}'), ResponseFormatError, "no token"),
    ],
)
def test_a_refused_login(
    send: Send, server: Server, cloud: Cloud, answer: Answer, error: type[MetaStudioError], words: str
) -> None:
    cloud.login_answer = answer
    with pytest.raises(error) as caught:
        send(login(server), server.url)
    assert words in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.received) == 1


@both
def test_iams_words_never_show_the_password(send: Send, server: Server, cloud: Cloud) -> None:
    cloud.login_answer = Answer(401, json.dumps({"error": {"message": f"{PASSWORD} is wrong", "code": 401}}).encode())
    with pytest.raises(AuthenticationError) as caught:
        send(login(server), server.url)
    error = caught.value
    assert error.error_msg == "*** is wrong"
    assert PASSWORD not in f"{error} {error!r} {error.body} {vars(error)}"
    assert "user 'me' of account 'acme' and project 'cn-north-4'" in str(error)


@both
def test_many_calls_with_a_wrong_password_ask_once(
    send: Send, server: Server, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More would lock the account."""
    waiting = threading.Semaphore(0)

    class CountedWait(refresh._Wait):  # pyright: ignore[reportPrivateUsage]
        def __init__(self, flight: Any) -> None:
            super().__init__(flight)
            waiting.release()

    monkeypatch.setattr(refresh, "_Wait", CountedWait)
    cloud.login_answer = Answer(401, NESTED)
    cloud.before_login = lambda: [waiting.acquire(timeout=10) for _ in range(7)]
    with pytest.raises(AuthenticationError):
        send(login(server), server.url, count=8)
    assert cloud.logins == 1


@both
def test_the_password_does_not_follow_a_redirect(send: Send, server: Server, cloud: Cloud) -> None:
    with serve(lambda _: Answer()) as other:
        cloud.login_answer = Answer(307, headers={"Location": other.url + "/v3/auth/tokens"})
        with pytest.raises(ConfigurationError, match="another origin"):
            send(login(server), server.url, follow=True)
        assert not other.received


# Settings


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
def test_which_iam_and_which_project(options: dict[str, Any], endpoint: str, project: str) -> None:
    auth = IamTokenAuth("me", PASSWORD, "acme", **options)
    assert (auth.iam, auth.project) == (endpoint, project)


def test_the_environment_names_iam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.env.test")
    assert IamTokenAuth("me", PASSWORD, "acme", region="x").iam == "https://iam.env.test"
    assert iam.endpoint("x", "https://iam.given.test") == "https://iam.given.test"
    assert iam.endpoint("x", environ={}) == "https://iam.x.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("", "p", "a"), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "", "a"), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "p", ""), {"region": "x"}, CredentialsError, "user, password and account"),
        (("u", "p", "a"), {}, ConfigurationError, "needs a project or a region"),
        (("u", "p", "a"), {"region": "evil.test/"}, ConfigurationError, "is no region"),
        (("u", "p", "a"), {"region": "x", "iam_endpoint": "http://iam.test"}, ConfigurationError, "clear text"),
        (("u", "p", "a"), {"region": "x", "iam_endpoint": "iam.test"}, ConfigurationError, "write https://host"),
    ],
)
def test_settings_that_cannot_work(
    arguments: tuple[str, str, str], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        IamTokenAuth(*arguments, **options)


def test_no_password_in_texts() -> None:
    auth = IamTokenAuth("me", PASSWORD, "acme", region="cn-north-4")
    assert PASSWORD not in repr(auth) + str(auth)
    assert "user='me'" in repr(auth)
