"""AkSkAuth over real connections: what it puts into a request, and the one repeat after a refusal."""

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
from loopback import Answer, Received, serve
from metastudio.auth.aksk import AkSkAuth, Clock
from metastudio.auth.credentials import Credentials
from metastudio.errors import ConfigurationError, CredentialsError

NOW = datetime(2024, 7, 4, 8, 9, 10, tzinfo=UTC)
SERVER_WINDOW = timedelta(minutes=15)

both = pytest.mark.parametrize("send", BOTH)


class Gateway:
    """Refuses a date out of its window and keys it does not know, as the real one does."""

    def __init__(self, *, now: datetime = NOW, keys: set[str] | None = None, date: str | None = None) -> None:
        self.now = now
        self.keys = keys
        self.date = date

    def __call__(self, request: Received) -> Answer:
        signed = datetime.strptime(request.header("x-sdk-date") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        access_key = (request.header("authorization") or "").partition("Access=")[2].partition(",")[0]
        accepted = abs(signed - self.now) <= SERVER_WINDOW and (self.keys is None or access_key in self.keys)
        headers = {"Date": format_datetime(self.now, usegmt=True) if self.date is None else self.date}
        return Answer(200 if accepted else 401, headers=headers)


def clock_at(moment: datetime) -> Clock:
    return Clock(lambda: moment)


class Rotating:
    """A provider with a queue of keys; the last one stays."""

    def __init__(self, *access_keys: str, expires_at: datetime | None = None) -> None:
        self.left = [Credentials(key, "SECRET" + key, "TOKEN" + key, expires_at=expires_at) for key in access_keys]
        self.calls = 0

    def __call__(self) -> Credentials:
        self.calls += 1
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


# What is put into a request


@both
def test_all_headers_of_a_signature(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", project_id="pid", security_token="ST", clock=clock_at(NOW))
    with serve(lambda _: Answer()) as server:
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
def test_without_project_and_token_they_are_neither_sent_nor_signed(send: Send) -> None:
    with serve(lambda _: Answer()) as server:
        send(AkSkAuth("AK", "SK"), server.url)
    (request,) = server.received
    assert "SignedHeaders=host;x-sdk-date," in (request.header("authorization") or "")
    assert request.header("x-project-id") is None
    assert request.header("x-security-token") is None


@both
def test_a_project_header_of_the_caller_is_signed(send: Send) -> None:
    with serve(lambda _: Answer()) as server:
        send(AkSkAuth("AK", "SK"), server.url, headers={"X-Project-Id": "mine"})
    assert "host;x-project-id;x-sdk-date," in (server.received[0].header("authorization") or "")


def test_a_request_sent_again_is_signed_afresh() -> None:
    moments = iter([NOW, NOW + timedelta(seconds=61)])
    auth = AkSkAuth("AK", "SK", project_id="pid", clock=Clock(lambda: next(moments)))
    with serve(lambda _: Answer()) as server, httpx.Client(auth=auth) as client:
        request = client.build_request("GET", server.url, headers={"Authorization": "stale", "X-Sdk-Date": "stale"})
        client.send(request)
        client.send(request)
    first, second = server.received
    assert [first.header("x-sdk-date"), second.header("x-sdk-date")] == ["20240704T080910Z", "20240704T081011Z"]
    assert first.header("authorization") != second.header("authorization")


def test_other_keys_leave_no_token_behind() -> None:
    with serve(lambda _: Answer()) as server, httpx.Client() as client:
        request = client.build_request("GET", server.url)
        client.send(request, auth=AkSkAuth("AK", "SK", security_token="ST"))
        client.send(request, auth=AkSkAuth("AK", "SK"))
    assert server.received[1].header("x-security-token") is None


@both
def test_a_declared_payload_hash_stays_with_a_body_only(send: Send) -> None:
    """Without a body, signers of other languages sign the declared text, the vendor's Python one the empty hash."""
    declared = {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}
    with serve(lambda _: Answer()) as server:
        send(AkSkAuth("AK", "SK"), server.url, headers=declared)
        send(AkSkAuth("AK", "SK"), server.url, headers=declared, method="POST", content=b"x")
    assert [request.header("x-sdk-content-sha256") for request in server.received] == [None, "UNSIGNED-PAYLOAD"]
    assert "host;x-sdk-content-sha256;x-sdk-date," in (server.received[1].header("authorization") or "")


@pytest.mark.parametrize(("url", "host"), [("https://h.test:443/", "h.test"), ("https://h.test:444/", "h.test:444")])
def test_the_host_is_signed_as_sent(url: str, host: str) -> None:
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
def test_a_streamed_body_is_read_hashed_and_sent(send: Send) -> None:
    bodies = {"by_threads": _chunks(), "by_tasks": _async_chunks()}
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW - timedelta(hours=1)))
    with serve(Gateway()) as server:
        (response,) = send(auth, server.url, method="POST", content=bodies[getattr(send, "__name__", "")])
    assert response.status_code == 200
    assert [request.body for request in server.received] == [b"onetwo", b"onetwo"]


# Bad input


@pytest.mark.parametrize("bad", ["", " ", "A B", "AK\n", "AK\r\nX-Evil: 1", "clé", "a\tb", None])
def test_keys_that_cannot_be(bad: Any) -> None:
    for arguments in ((bad, "SK"), ("AK", bad)):
        with pytest.raises(CredentialsError, match=r"(access|secret)_key is missing, or holds"):
            AkSkAuth(*arguments)
    if bad is not None:
        with pytest.raises(CredentialsError, match="security_token"):
            AkSkAuth("AK", "SK", security_token=bad)


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "a/b", "é", ".."])
def test_project_ids_that_cannot_be(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="project id"):
        AkSkAuth("AK", "SK", project_id=bad)


@both
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([(b"X-App-UserId", "数".encode())], "x-app-userid holds"),
        ([(b"X-App-UserId", b"a\r\nX-Evil: 1")], "x-app-userid holds"),
        ([(b"X-App-UserId", b"a"), (b"x-app-userid", b"b")], "x-app-userid is there twice"),
        ([(b"X-Project-Id", b"\xff")], "x-project-id holds"),
    ],
)
def test_headers_that_cannot_be_signed(send: Send, headers: Any, message: str) -> None:
    with serve(lambda _: Answer()) as server:
        with pytest.raises(ConfigurationError, match=message):
            send(AkSkAuth("AK", "SK"), server.url, headers=headers)
        assert not server.received


# The clock


@both
@pytest.mark.parametrize("error", [timedelta(hours=-3), timedelta(minutes=16), timedelta(days=300)])
def test_a_wrong_clock_is_corrected_once_and_for_all(send: Send, error: timedelta) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW + error))
    with serve(Gateway()) as server:
        assert [send(auth, server.url)[0].status_code for _ in range(3)] == [200, 200, 200]
    assert len(server.received) == 4
    assert auth.clock.offset == -error


@both
def test_a_clock_is_shared(send: Send) -> None:
    clock = clock_at(NOW - timedelta(hours=1))
    with serve(Gateway()) as server:
        send(AkSkAuth("AK", "SK", clock=clock), server.url)
        send(AkSkAuth("AK2", "SK2", clock=clock), server.url)
    assert len(server.received) == 3


@both
def test_many_calls_with_a_wrong_clock_are_repeated_at_most_once_each(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW - timedelta(hours=1)))
    with serve(Gateway()) as server:
        answers = send(auth, server.url, count=16)
    assert {answer.status_code for answer in answers} == {200}
    assert len(server.received) <= 32
    assert auth.clock.offset == timedelta(hours=1)


@both
@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 04 Jul 2024 08:13:00 GMT"])
def test_a_refusal_is_not_repeated_when_the_clock_is_not_to_blame(send: Send, date: str) -> None:
    auth = AkSkAuth("AK", "SK", clock=clock_at(NOW))
    with serve(Gateway(keys=set(), date=date)) as server:
        assert send(auth, server.url)[0].status_code == 401
    assert len(server.received) == 1
    assert auth.clock.offset == timedelta(0)


@both
def test_a_refused_repeat_is_the_end(send: Send) -> None:
    auth = AkSkAuth.from_provider(Rotating("A", "B", "C"), clock=clock_at(NOW - timedelta(hours=1)))
    with serve(Gateway(keys=set())) as server:
        assert send(auth, server.url)[0].status_code == 401
    assert len(server.received) == 2


@both
@pytest.mark.parametrize("status", [400, 403, 429, 500, 503])
def test_other_answers_are_left_to_the_caller(send: Send, status: int) -> None:
    auth = AkSkAuth.from_provider(Rotating("A", "B"), clock=clock_at(NOW - timedelta(hours=1)))
    with serve(lambda _: Answer(status, headers={"Date": format_datetime(NOW, usegmt=True)})) as server:
        assert send(auth, server.url)[0].status_code == status
    assert len(server.received) == 1


# Keys from a provider


@both
def test_refused_keys_are_asked_for_again_and_used_when_they_are_others(send: Send) -> None:
    provider = Rotating("OLD", "NEW")
    auth = AkSkAuth.from_provider(provider, clock=clock_at(NOW))
    with serve(Gateway(keys={"NEW"})) as server:
        assert [send(auth, server.url)[0].status_code for _ in range(2)] == [200, 200]
    assert len(server.received) == 3
    assert provider.calls == 2
    for request in server.received:
        access_key = (request.header("authorization") or "").partition("Access=")[2].partition(",")[0]
        assert request.header("x-security-token") == "TOKEN" + access_key


@both
def test_a_refusal_is_not_repeated_with_the_same_keys(send: Send) -> None:
    provider = Rotating("SAME")
    with serve(Gateway(keys=set())) as server:
        assert send(AkSkAuth.from_provider(provider, clock=clock_at(NOW)), server.url)[0].status_code == 401
    assert len(server.received) == 1
    assert provider.calls == 2


@both
def test_a_provider_that_fails_after_a_refusal_leaves_the_refusal(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    keys = [Credentials("AK", "SK")]

    def provider() -> Credentials:
        if keys:
            return keys.pop()
        raise CredentialsError("gone")

    with serve(Gateway(keys=set())) as server:
        assert send(AkSkAuth.from_provider(provider, clock=clock_at(NOW)), server.url)[0].status_code == 401
    assert "could not be renewed: gone" in caplog.text


@both
def test_a_provider_that_fails_first_is_an_error_before_anything_is_sent(send: Send) -> None:
    def provider() -> Credentials:
        raise CredentialsError("nothing found")

    with serve(Gateway()) as server:
        with pytest.raises(CredentialsError, match="nothing found"):
            send(AkSkAuth.from_provider(provider), server.url)
        assert not server.received


# Secrets


@both
def test_a_security_token_does_not_follow_a_redirect_to_another_origin(send: Send) -> None:
    auth = AkSkAuth("AK", "SK", security_token="ST")
    with serve(lambda _: Answer()) as other:
        redirect = Answer(307, headers={"Location": other.url + "/x"})
        with serve(lambda _: redirect) as server, pytest.raises(ConfigurationError, match="another origin"):
            send(auth, server.url, follow=True)
    assert not other.received


def test_the_debug_log_shows_what_was_signed_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "metastudio")
    with serve(lambda _: Answer()) as server, httpx.Client() as client:
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
def test_no_secret_in_texts_and_pickles(auth: AkSkAuth) -> None:
    assert "MADEUP" not in repr(auth) + str(auth)
    for leak in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            leak(auth)


def test_an_open_answer_is_left_unread() -> None:
    """A caller who streams gets the body from the wire, whatever the status."""
    with (
        serve(lambda _: Answer(401, body=b"x" * 100_000)) as server,
        httpx.Client(auth=AkSkAuth("AK", "SK")) as client,
        client.stream("GET", server.url) as response,
    ):
        assert not response.is_stream_consumed
        assert len(b"".join(response.iter_raw())) == 100_000
