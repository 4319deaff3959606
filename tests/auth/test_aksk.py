"""AkSkAuth over real connections: signed headers, clock correction, refreshed credentials, secrets."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from concurrent_requests import BOTH, Send
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.auth import AkSkAuth, Clock, Credentials
from metastudio.errors import ConfigurationError, CredentialsError

NOW = datetime(2024, 7, 4, 8, 9, 10, tzinfo=UTC)
SERVER_WINDOW = timedelta(minutes=15)

both = pytest.mark.parametrize("send", BOTH)


class FakeGateway:
    """Refuses unknown access keys and a date that is more than 15 minutes off, like the real gateway."""

    def __init__(self, *, now: datetime = NOW, keys: set[str] | None = None, date: str | None = None) -> None:
        self.now = now
        self.keys = keys
        self.date = date

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        signed = datetime.strptime(request.header("x-sdk-date") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        access_key = (request.header("authorization") or "").partition("Access=")[2].partition(",")[0]
        accepted = abs(signed - self.now) <= SERVER_WINDOW and (self.keys is None or access_key in self.keys)
        headers = {"Date": format_datetime(self.now, usegmt=True) if self.date is None else self.date}
        return CannedResponse(200 if accepted else 401, headers=headers)


def clock_at(moment: datetime) -> Clock:
    return Clock(lambda: moment)


class RotatingProvider:
    """Returns one access key after the other, and the last one from then on."""

    def __init__(self, *access_keys: str, expires_at: datetime | None = None) -> None:
        self.left = [Credentials(key, "SECRET" + key, "TOKEN" + key, expires_at=expires_at) for key in access_keys]
        self.calls = 0

    def __call__(self) -> Credentials:
        self.calls += 1
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


# Signed headers


@both
def test_signs_all_headers(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", project_id="pid", security_token="ST", clock=clock_at(NOW))
    with serve(lambda _: CannedResponse()) as server:
        send(auth, server.url + "/v1/x?b=2&a=1", headers={"X-App-UserId": "me"})
    (request,) = server.received
    assert request.target == "/v1/x?a=1&b=2"
    assert request.header("x-sdk-date") == "20240704T080910Z"
    assert request.header("x-project-id") == "pid"
    assert request.header("x-security-token") == "ST"
    assert (request.header("authorization") or "").startswith(
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-app-userid;x-project-id;x-sdk-date;x-security-token, Sig"
    )


@both
def test_sends_no_project_and_no_security_token_by_default(send: Send) -> None:
    with serve(lambda _: CannedResponse()) as server:
        send(AkSkAuth("AK", "SK"), server.url)
    (request,) = server.received
    assert "SignedHeaders=host;x-sdk-date," in (request.header("authorization") or "")
    assert request.header("x-project-id") is None
    assert request.header("x-security-token") is None


@both
def test_signs_the_project_header_of_a_request(send: Send) -> None:
    with serve(lambda _: CannedResponse()) as server:
        send(AkSkAuth("AK", "SK"), server.url, headers={"X-Project-Id": "mine"})
    assert "host;x-project-id;x-sdk-date," in (server.received[0].header("authorization") or "")


@both
def test_signs_the_project_of_the_request_extension(send: Send) -> None:
    extensions = {"project_id": "extension"}
    with serve(lambda _: CannedResponse()) as server:
        send(AkSkAuth("AK", "SK"), server.url, extensions=extensions)
        send(AkSkAuth("AK", "SK"), server.url, extensions=extensions, headers={"X-Project-Id": "header"})
        send(AkSkAuth("AK", "SK", project_id="own"), server.url, extensions=extensions)
    assert [request.header("x-project-id") for request in server.received] == ["extension", "header", "own"]
    for request in server.received:
        assert "host;x-project-id;x-sdk-date," in (request.header("authorization") or "")


@both
@pytest.mark.parametrize("bad", ["数", "a\r\nX-Evil: 1"])
def test_rejects_a_malformed_project_in_the_extension(send: Send, bad: str) -> None:
    with serve(lambda _: CannedResponse()) as server:
        with pytest.raises(ConfigurationError, match="x-project-id has"):
            send(AkSkAuth("AK", "SK"), server.url, extensions={"project_id": bad})
        assert not server.received


def test_signs_each_attempt_afresh() -> None:
    moments = iter([NOW, NOW + timedelta(seconds=61)])
    auth = AkSkAuth("AK", "SK", project_id="pid", clock=Clock(lambda: next(moments)))
    with serve(lambda _: CannedResponse()) as server, httpx.Client(auth=auth) as client:
        request = client.build_request("GET", server.url, headers={"Authorization": "stale", "X-Sdk-Date": "stale"})
        client.send(request)
        client.send(request)
    first, second = server.received
    assert [first.header("x-sdk-date"), second.header("x-sdk-date")] == ["20240704T080910Z", "20240704T081011Z"]
    assert first.header("authorization") != second.header("authorization")


def test_removes_the_security_token_of_other_credentials() -> None:
    with serve(lambda _: CannedResponse()) as server, httpx.Client() as client:
        request = client.build_request("GET", server.url)
        client.send(request, auth=AkSkAuth("AK", "SK", security_token="ST"))
        client.send(request, auth=AkSkAuth("AK", "SK"))
    assert server.received[1].header("x-security-token") is None


@both
def test_removes_a_declared_payload_hash_without_a_body(send: Send) -> None:
    """Without a body, signers of other languages sign the declared text, the vendor's Python one the empty hash."""
    declared = {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}
    with serve(lambda _: CannedResponse()) as server:
        send(AkSkAuth("AK", "SK"), server.url, headers=declared)
        send(AkSkAuth("AK", "SK"), server.url, headers=declared, method="POST", content=b"x")
    assert [request.header("x-sdk-content-sha256") for request in server.received] == [None, "UNSIGNED-PAYLOAD"]
    assert "host;x-sdk-content-sha256;x-sdk-date," in (server.received[1].header("authorization") or "")


@pytest.mark.parametrize(("url", "host"), [("https://h.test:443/", "h.test"), ("https://h.test:444/", "h.test:444")])
def test_signs_the_host_as_sent(url: str, host: str) -> None:
    request = httpx.Request("GET", url)
    flow = AkSkAuth("AK", "SK", clock=clock_at(NOW)).sync_auth_flow(request)
    next(flow)
    flow.close()
    expected = httpx.Request("GET", url, headers={"Host": host})
    other = AkSkAuth("AK", "SK", clock=clock_at(NOW)).sync_auth_flow(expected)
    next(other)
    other.close()
    assert request.headers["Host"] == host
    assert request.headers["Authorization"] == expected.headers["Authorization"]


def _chunks() -> Iterator[bytes]:
    yield from (b"one", b"two")


async def _async_chunks() -> AsyncIterator[bytes]:
    for chunk in (b"one", b"two"):
        yield chunk


@both
def test_reads_hashes_and_sends_a_streamed_body(send: Send) -> None:
    bodies = {"by_threads": _chunks(), "by_tasks": _async_chunks()}
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW - timedelta(hours=1)))
    with serve(FakeGateway()) as server:
        (response,) = send(auth, server.url, method="POST", content=bodies[getattr(send, "__name__", "")])
    assert response.status_code == 200
    assert [request.body for request in server.received] == [b"onetwo", b"onetwo"]


# Bad input


@pytest.mark.parametrize("bad", ["", " ", "A B", "AK\n", "AK\r\nX-Evil: 1", "clé", "a\tb", None])
def test_rejects_malformed_credentials(bad: Any) -> None:
    for arguments in ((bad, "SK"), ("AK", bad)):
        with pytest.raises(CredentialsError, match=r"(access|secret)_key must be visible ASCII"):
            AkSkAuth(*arguments)
    if bad is not None:
        with pytest.raises(CredentialsError, match="security_token"):
            AkSkAuth("AK", "SK", security_token=bad)


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "a/b", "é", ".."])
def test_rejects_malformed_project_ids(bad: str) -> None:
    with pytest.raises(ConfigurationError, match=r"project ID .* may contain only"):
        AkSkAuth("AK", "SK", project_id=bad)


@both
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([(b"X-App-UserId", "数".encode())], "x-app-userid has"),
        ([(b"X-App-UserId", b"a\r\nX-Evil: 1")], "x-app-userid has"),
        ([(b"X-App-UserId", b"a"), (b"x-app-userid", b"b")], "x-app-userid is there twice"),
        ([(b"X-Project-Id", b"\xff")], "x-project-id has"),
    ],
)
def test_rejects_malformed_headers(send: Send, headers: Any, message: str) -> None:
    with serve(lambda _: CannedResponse()) as server:
        with pytest.raises(ConfigurationError, match=message):
            send(AkSkAuth("AK", "SK"), server.url, headers=headers)
        assert not server.received


# Clock correction


@both
@pytest.mark.parametrize("error", [timedelta(hours=-3), timedelta(minutes=16), timedelta(days=300)])
def test_corrects_a_wrong_clock_once(send: Send, error: timedelta) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW + error))
    with serve(FakeGateway()) as server:
        assert [send(auth, server.url)[0].status_code for _ in range(3)] == [200, 200, 200]
    assert len(server.received) == 4
    assert auth.clock.offset == -error


@both
def test_shares_a_clock(send: Send) -> None:
    clock = clock_at(NOW - timedelta(hours=1))
    with serve(FakeGateway()) as server:
        send(AkSkAuth("AK", "SK", clock=clock), server.url)
        send(AkSkAuth("AK2", "SK2", clock=clock), server.url)
    assert len(server.received) == 3


@both
def test_retries_many_requests_with_a_wrong_clock_at_most_once_each(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW - timedelta(hours=1)))
    with serve(FakeGateway()) as server:
        responses = send(auth, server.url, count=16)
    assert {response.status_code for response in responses} == {200}
    assert len(server.received) <= 32
    assert auth.clock.offset == timedelta(hours=1)


@both
@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 04 Jul 2024 08:13:00 GMT"])
def test_does_not_retry_a_401_without_a_clock_offset(send: Send, date: str) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW))
    with serve(FakeGateway(keys=set(), date=date)) as server:
        assert send(auth, server.url)[0].status_code == 401
    assert len(server.received) == 1
    assert auth.clock.offset == timedelta(0)


@both
def test_retries_a_401_only_once(send: Send) -> None:
    auth = AkSkAuth.from_provider(RotatingProvider("A", "B", "C"), clock=clock_at(NOW - timedelta(hours=1)))
    with serve(FakeGateway(keys=set())) as server:
        assert send(auth, server.url)[0].status_code == 401
    assert len(server.received) == 2


@both
@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_returns_other_responses_to_the_caller(send: Send, status: int) -> None:
    auth = AkSkAuth.from_provider(RotatingProvider("A", "B"), clock=clock_at(NOW - timedelta(hours=1)))
    with serve(lambda _: CannedResponse(status, headers={"Date": format_datetime(NOW, usegmt=True)})) as server:
        assert send(auth, server.url)[0].status_code == status
    assert len(server.received) == 1


# Credentials from a provider


@both
def test_retries_with_refreshed_credentials(send: Send) -> None:
    provider = RotatingProvider("OLD", "NEW")
    auth = AkSkAuth.from_provider(provider, clock=clock_at(NOW))
    with serve(FakeGateway(keys={"NEW"})) as server:
        assert [send(auth, server.url)[0].status_code for _ in range(2)] == [200, 200]
    assert len(server.received) == 3
    assert provider.calls == 2
    for request in server.received:
        access_key = (request.header("authorization") or "").partition("Access=")[2].partition(",")[0]
        assert request.header("x-security-token") == "TOKEN" + access_key


@both
def test_does_not_retry_with_the_same_credentials(send: Send) -> None:
    provider = RotatingProvider("SAME")
    with serve(FakeGateway(keys=set())) as server:
        assert send(AkSkAuth.from_provider(provider, clock=clock_at(NOW)), server.url)[0].status_code == 401
    assert len(server.received) == 1
    assert provider.calls == 2


@both
def test_returns_the_401_if_the_refresh_fails(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    keys = [Credentials("AK", "SK")]

    def provider() -> Credentials:
        if keys:
            return keys.pop()
        raise CredentialsError("gone")

    with serve(FakeGateway(keys=set())) as server:
        assert send(AkSkAuth.from_provider(provider, clock=clock_at(NOW)), server.url)[0].status_code == 401
    assert "it could not be refreshed: gone" in caplog.text


@both
def test_sends_nothing_if_the_first_refresh_fails(send: Send) -> None:
    def provider() -> Credentials:
        raise CredentialsError("nothing found")

    with serve(FakeGateway()) as server:
        with pytest.raises(CredentialsError, match="nothing found"):
            send(AkSkAuth.from_provider(provider), server.url)
        assert not server.received


# Secrets


@both
def test_does_not_redirect_a_security_token_to_another_origin(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", security_token="ST")
    with serve(lambda _: CannedResponse()) as other:
        redirect = CannedResponse(307, headers={"Location": other.url + "/x"})
        with serve(lambda _: redirect) as server, pytest.raises(ConfigurationError, match="another origin"):
            send(auth, server.url, follow=True)
    assert not other.received


def test_debug_log_masks_secrets_in_the_canonical_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "metastudio")
    with serve(lambda _: CannedResponse()) as server, httpx.Client() as client:
        client.get(server.url + "/v1/x?b=2&a=1", auth=AkSkAuth("AKMADEUP12", "SKMADEUP12", security_token="STMADEUP12"))
    assert "GET\n/v1/x/\na=1&b=2\nhost:127.0.0.1" in caplog.text
    assert "x-security-token:***" in caplog.text
    assert "SDK-HMAC-SHA256\n20" in caplog.text
    assert "MADEUP" not in caplog.text


@pytest.mark.parametrize(
    "auth",
    [
        AkSkAuth("AKMADEUP12", "SKMADEUP12", project_id="pid", security_token="STMADEUP12"),
        AkSkAuth.from_provider(lambda: Credentials("AKMADEUP12", "SKMADEUP12")),
    ],
)
def test_shows_no_secret_and_cannot_be_pickled_or_copied(auth: AkSkAuth) -> None:
    assert "MADEUP" not in repr(auth) + str(auth)
    for leak in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(auth)


def test_leaves_a_streamed_response_unread() -> None:
    with (
        serve(lambda _: CannedResponse(401, body=b"x" * 100_000)) as server,
        httpx.Client(auth=AkSkAuth("AK", "SK")) as client,
        client.stream("GET", server.url) as response,
    ):
        assert not response.is_stream_consumed
        assert len(b"".join(response.iter_raw())) == 100_000
