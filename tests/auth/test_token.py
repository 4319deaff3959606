"""TokenAuth: a token or a function, refreshed once when refused, and never sent to another origin."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from concurrent_requests import BOTH, Send, by_tasks, by_threads
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.auth import TokenAuth
from metastudio.auth.origin_policy import OriginGuard
from metastudio.errors import ConfigurationError, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

both = pytest.mark.parametrize("send", BOTH)

REFUSALS = [
    (401, b""),
    (401, b'{"error_msg":"The token must be updated","error_code":"APIGW.0307","request_id":"r"}'),
    (401, b"<html>"),
    (403, b'{"error_msg":"The token must be updated","error_code":"APIG.0307"}'),
    (400, b'{"error_code":"MSS.00010008","error_msg":"Invalid token in the header."}'),
]


def accepts(*tokens: str, status: int = 401, body: bytes = b"") -> Callable[[ReceivedRequest], CannedResponse]:
    return lambda request: (
        CannedResponse(200) if request.header("x-auth-token") in tokens else CannedResponse(status, body)
    )


class CountingTokens:
    """A function that returns T1, T2, ..."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        return f"T{self.calls}"


def tokens_received(server: LoopbackServer) -> list[str | None]:
    return [request.header("x-auth-token") for request in server.received]


@both
def test_sends_the_token(send: Send) -> None:
    with serve(accepts("T")) as server:
        (response,) = send(TokenAuth("T"), server.url, headers={"X-Auth-Token": "stale"})
    assert response.status_code == 200


@both
def test_does_not_retry_a_given_token(send: Send) -> None:
    with serve(accepts("other")) as server:
        assert send(TokenAuth("T"), server.url)[0].status_code == 401
    assert len(server.received) == 1


@both
@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_retries_with_a_refreshed_token(send: Send, status: int, body: bytes) -> None:
    function = CountingTokens()
    auth = TokenAuth(function)
    with serve(accepts("T2", status=status, body=body)) as server:
        assert [send(auth, server.url)[0].status_code for _ in range(2)] == [200, 200]
    assert tokens_received(server) == ["T1", "T2", "T2"]
    assert function.calls == 2


@both
@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_retries_only_once(send: Send, status: int, body: bytes) -> None:
    with serve(accepts(status=status, body=body)) as server:
        assert send(TokenAuth(CountingTokens()), server.url)[0].status_code == status
    assert tokens_received(server) == ["T1", "T2"]


@both
def test_does_not_retry_with_the_same_token(send: Send) -> None:
    with serve(accepts()) as server:
        assert send(TokenAuth(lambda: "T"), server.url)[0].status_code == 401
    assert len(server.received) == 1


@both
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error_code":"MSS.00000003","error_msg":"Invalid parameter"}'),
        (403, b'{"error_code":"APIGW.0302","error_msg":"not allowed"}'),
        (404, b'{"error_code":"APIGW.0307","error_msg":"not a refusal by its status"}'),
        (500, b"401"),
    ],
)
def test_returns_other_errors_to_the_caller(send: Send, status: int, body: bytes) -> None:
    function = CountingTokens()
    with serve(accepts(status=status, body=body)) as server:
        (response,) = send(TokenAuth(function), server.url)
    assert (response.status_code, response.content) == (status, body)
    assert function.calls == 1


@both
def test_many_requests_share_one_refresh(send: Send) -> None:
    function = CountingTokens()
    auth = TokenAuth(function)
    with serve(accepts("T2")) as server:
        assert {response.status_code for response in send(auth, server.url, count=24)} == {200}
    assert function.calls == 2


def test_accepts_an_async_function_in_an_async_client() -> None:
    calls = CountingTokens()

    async def function() -> str:
        await asyncio.sleep(0)
        return calls()

    auth = TokenAuth(function)
    with serve(accepts("T2")) as server:
        assert by_tasks(auth, server.url)[0].status_code == 200
        assert {response.status_code for response in by_tasks(auth, server.url, count=8)} == {200}
    assert calls.calls == 2


def test_accepts_an_async_callable_object() -> None:
    class Vault:
        async def __call__(self) -> str:
            return "T"

    with serve(accepts("T")) as server:
        assert by_tasks(TokenAuth(Vault()), server.url)[0].status_code == 200


def test_rejects_an_async_function_in_a_sync_client() -> None:
    async def function() -> str:
        return "T"

    with serve(accepts("T")) as server:
        with pytest.raises(ConfigurationError, match="use an async client"):
            by_threads(TokenAuth(function), server.url)
        assert not server.received


@both
def test_raises_the_error_of_the_function(send: Send) -> None:
    def function() -> str:
        raise LookupError("vault is sealed")

    with serve(accepts()) as server:
        with pytest.raises(LookupError, match="vault is sealed"):
            send(TokenAuth(function), server.url)
        assert not server.received


@pytest.mark.parametrize("bad", ["", " ", "a b", "T\n", "T\r\nX-Evil: 1", "é", None, 5, b"T"])
def test_rejects_malformed_tokens(bad: Any) -> None:
    with pytest.raises(CredentialsError, match="token must be visible ASCII"):
        TokenAuth(bad)
    with serve(accepts()) as server:
        with pytest.raises(CredentialsError, match="token must be visible ASCII"):
            by_threads(TokenAuth(lambda: bad), server.url)
        assert not server.received


# Origins


@both
def test_sends_the_token_to_the_first_origin_only(send: Send) -> None:
    auth = TokenAuth("T")
    with serve(accepts("T")) as server, serve(accepts("T")) as other:
        send(auth, server.url)
        with pytest.raises(ConfigurationError, match=r"is not sent to .*trust\(\)"):
            send(auth, other.url + "/v1?secret=1")
        assert not other.received
        auth.trust(other.url)
        assert send(auth, other.url)[0].status_code == 200
        assert send(auth, server.url)[0].status_code == 200


@both
def test_trusts_no_first_origin_beside_a_named_one(send: Send) -> None:
    auth = TokenAuth("T")
    auth.trust("https://metastudio.test/base")
    with serve(accepts("T")) as server:
        with pytest.raises(ConfigurationError, match=r"https://metastudio\.test:443"):
            send(auth, server.url)
        assert not server.received


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_does_not_redirect_a_token_to_another_origin(send: Send, status: int) -> None:
    with serve(accepts("T")) as other:
        redirect = CannedResponse(status, headers={"Location": other.url + "/x"})
        with serve(lambda _: redirect) as server:
            with pytest.raises(ConfigurationError, match="redirects to"):
                send(TokenAuth("T"), server.url, follow=True)
            assert len(server.received) == 1
    assert not other.received


@both
def test_guard_accepts_an_ipv6_host(send: Send) -> None:
    with serve(accepts("T"), host="::1") as server:
        assert send(TokenAuth("T"), server.url)[0].status_code == 200


@both
def test_follows_a_redirect_to_the_same_origin(send: Send) -> None:
    def answer(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(307, headers={"Location": "/new"}) if request.target == "/old" else accepts("T")(request)

    with serve(answer) as server:
        assert send(TokenAuth("T"), server.url + "/old", follow=True)[0].status_code == 200


def test_guard_keeps_the_callers_trace_and_is_installed_once() -> None:
    events: list[str] = []

    def trace(event: str, _: Any) -> None:
        events.append(event)

    auth = TokenAuth("T")
    with serve(accepts("T")) as server, httpx.Client(auth=auth) as client:
        request = client.build_request("GET", server.url, extensions={"trace": trace})
        client.send(request)
        once = len(events)
        guard = request.extensions["trace"]
        client.send(request)
        assert request.extensions["trace"] is guard
    assert once > 5
    assert "http11.send_request_headers.started" in events


@pytest.mark.anyio
async def test_guard_keeps_an_async_trace() -> None:
    events: list[str] = []

    async def trace(event: str, _: Any) -> None:
        await asyncio.sleep(0)
        events.append(event)

    with serve(accepts("T")) as server:
        async with httpx.AsyncClient(auth=TokenAuth("T")) as client:
            await client.get(server.url, extensions={"trace": trace})
    assert "http11.send_request_headers.started" in events


def test_guard_allows_a_proxy_tunnel() -> None:
    with (
        serve(lambda _: CannedResponse(502)) as proxy,
        httpx.Client(auth=TokenAuth("T"), proxy=proxy.url) as client,
        pytest.raises(httpx.ProxyError, match="502"),
    ):
        client.get("https://a.test/")
    (request,) = proxy.received
    assert (request.method, request.header("x-auth-token")) == ("CONNECT", None)


def test_guard_checks_requests_through_a_proxy() -> None:
    """A proxy for plain http gets the whole URL; this one serves both origins."""

    def proxy(request: ReceivedRequest) -> CannedResponse:
        home = request.target.startswith("http://a.test/")
        return CannedResponse(307, headers={"Location": "http://b.test/"}) if home else CannedResponse(200)

    with serve(proxy) as server:
        with httpx.Client(auth=TokenAuth("T"), proxy=server.url, follow_redirects=True) as client:
            with pytest.raises(ConfigurationError, match=r"redirects to http://b\.test"):
                client.get("http://a.test/")
            with pytest.raises(ConfigurationError, match="is not sent"):
                client.get("http://b.test/")
        assert len(server.received) == 1


@pytest.mark.parametrize("renamed", [("http11", "h11"), ("send_request_headers", "write_head"), ("request", "message")])
@both
def test_guard_works_or_fails_closed_if_httpcore_renames_its_events(
    send: Send, renamed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = renamed
    check = OriginGuard._check  # pyright: ignore[reportPrivateUsage]

    def renaming(guard: OriginGuard, event: str, info: Any) -> None:
        check(guard, event.replace(old, new), {name.replace(old, new): value for name, value in info.items()})

    monkeypatch.setattr(OriginGuard, "_check", renaming)
    with serve(accepts("T")) as other, serve(lambda _: CannedResponse(307, headers={"Location": other.url})) as server:
        with pytest.raises(ConfigurationError, match=r"another origin|this version of httpcore"):
            send(TokenAuth("T"), server.url, follow=True)
        assert not other.received


# Secrets


@pytest.mark.parametrize("auth", [TokenAuth("MADEUPTOKEN"), TokenAuth(lambda: "MADEUPTOKEN")])
def test_shows_no_token_and_cannot_be_pickled_or_copied(auth: TokenAuth) -> None:
    assert "MADEUP" not in repr(auth) + str(auth)
    for leak in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(auth)
