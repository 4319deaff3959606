"""Server faults, sync and async: number of attempts, outcome and waits.

First over raw sockets, then every status with every kind of body through an httpx.MockTransport.
"""

from __future__ import annotations

import gzip
import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from fault_server import (
    FaultServer,
    SocketFault,
    broken_gzip,
    full_backlog,
    gzipped,
    raw,
    reset,
    respond,
    stall,
    unused_port,
)
from metastudio import errors
from metastudio.errors import (
    ApiConnectionError,
    ApiError,
    ApiTimeoutError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)
from metastudio.http.retry import RetryPolicy
from session_calls import KINDS, FakeTime, Kind, call, calls

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD = json.dumps({"count": 1, "jobs": [{"job_id": "a"}]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ERROR = b'{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached"}'
OK = respond(200, GOOD)
HUGE = json.dumps({"count": 1, "jobs": [{"job_id": "x" * 1000}] * 10_000}).encode()
PAUSES = 0.25 + 0.5  # waits of two retries with the random number 0.5
THROTTLED = 2.25 + 2.5


@dataclass(frozen=True)
class FaultCase:
    """A script of faults, the expected number of attempts, exception (None for success) and seconds slept."""

    name: str
    script: Sequence[SocketFault]
    attempts: int = 1
    outcome: type[Exception] | None = None
    slept: float = 0.0


def throttled(retry_after: str | None, **headers: str) -> SocketFault:
    return respond(429, ERROR, headers | ({"Retry-After": retry_after} if retry_after is not None else {}))


DATE = "Thu, 04 Jul 2024 08:00:00 GMT"
MATRIX = [
    FaultCase("good", [OK]),
    FaultCase("10 MB", [respond(200, HUGE)]),
    FaultCase("10 MB in chunks", [raw(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HUGE), HUGE))]),
    FaultCase("100 Continue first", [raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % len(GOOD) + GOOD)]),
    FaultCase("gzip", [gzipped(200, GOOD)]),
    # Broken connections are retried, because the request is a GET.
    FaultCase("reset before headers", [reset()], 3, ApiConnectionError, PAUSES),
    FaultCase("reset once", [reset(), OK], 2, None, 0.25),
    FaultCase("reset during headers", [reset(b"HTTP/1.1 200 OK\r\nContent-Le"), OK], 2, None, 0.25),
    FaultCase("reset after headers", [reset(HEAD % 100), OK], 2, None, 0.25),
    FaultCase("reset in the body", [reset(HEAD % 100 + GOOD), OK], 2, None, 0.25),
    FaultCase("closed without a response", [raw(b""), OK], 2, None, 0.25),
    FaultCase("closed in the headers", [raw(b"HTTP/1.1 200 OK\r\nContent-Le"), OK], 2, None, 0.25),
    FaultCase("half a body", [raw(HEAD % len(GOOD) + GOOD[:20])], 3, ApiConnectionError, PAUSES),
    FaultCase("half a body once", [raw(HEAD % len(GOOD) + GOOD[:20]), OK], 2, None, 0.25),
    FaultCase("half an error body", [raw(b"HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\n{"), OK], 2, None, 0.25),
    FaultCase("idle connection closed", [raw(HEAD % len(GOOD) + GOOD), OK]),
    # Invalid HTTP counts as a broken connection.
    FaultCase("no status line", [raw(b"\x16\x03\x01 what?\r\n\r\n"), OK], 2, None, 0.25),
    FaultCase("endless header", [raw(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000), OK], 2, None, 0.25),
    FaultCase("length not a number", [raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"), OK], 2, None, 0.25),
    FaultCase("two lengths", [raw((HEAD % 2)[:-2] + b"Content-Length: 3\r\n\r\n{} "), OK], 2, None, 0.25),
    FaultCase("chunked nonsense", [raw(CHUNKED + b"zz\r\n{}"), OK], 2, None, 0.25),
    FaultCase("chunks cut short", [raw(CHUNKED + b"9\r\n{}"), OK], 2, None, 0.25),
    # Transient statuses.
    *(FaultCase(f"{status} on every attempt", [respond(status, ERROR)], 3, cls, PAUSES) for status, cls in [
        (408, ApiError), (500, ServerError), (502, ServerError), (503, ServerError), (504, ServerError)]),
    FaultCase("flapping 503", [respond(503, b"<html>"), respond(503, b""), OK], 3, None, PAUSES),
    FaultCase("503, then 429, then success", [respond(503, b""), throttled("3"), OK], 3, None, 0.25 + 3.25),
    FaultCase("503 with Retry-After", [respond(503, b"", {"Retry-After": "7"}), OK], 2, None, 7.25),
    FaultCase("503, then refused", [respond(503, b""), respond(403, ERROR)], 2, errors.PermissionDeniedError, 0.25),
    FaultCase("429 without Retry-After", [throttled(None)], 3, RateLimitError, THROTTLED),
    FaultCase("429 for 2 s", [throttled("2"), OK], 2, None, 2.25),
    FaultCase("429 for 0 s", [throttled("0"), OK], 2, None, 0.25),
    FaultCase("429 until a date", [throttled("Thu, 04 Jul 2024 08:00:05 GMT", Date=DATE), OK], 2, None, 5.25),
    FaultCase("429 until a past date", [throttled("Thu, 04 Jul 2024 07:00:00 GMT", Date=DATE), OK], 2, None, 0.25),
    FaultCase("429 for the cap", [throttled("30"), OK], 2, None, 30.0),
    FaultCase("429 beyond the cap", [throttled("31"), OK], 1, RateLimitError),
    FaultCase("429 until a late date", [throttled("Thu, 04 Jul 2024 09:00:00 GMT", Date=DATE)], 1, RateLimitError),
    *(FaultCase(f"429 with Retry-After {text!r}", [throttled(text), OK], 2, None, 2.25)
      for text in ("", "soon", "-1", "1e9", "nan", "inf", "0x10", "Thu, 99 Jul 2024 08:00:05 GMT")),
    # Final statuses.
    *(FaultCase(f"{status}", [respond(status, ERROR)], 1, cls) for status, cls in [
        (302, ApiError), (400, errors.BadRequestError), (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError), (404, errors.NotFoundError), (405, ApiError), (499, ApiError),
        (501, ServerError), (520, ServerError), (599, ServerError)]),
    FaultCase("redirect to nowhere", [respond(302, b"", {"Location": "http://host:port/"})], 1, ApiError),
    FaultCase("broken gzip of an error", [broken_gzip(403, ERROR)], 1, errors.PermissionDeniedError),
    # Invalid successes.
    FaultCase("HTML", [respond(200, b"<html>log in</html>", {"Content-Type": "text/html"})], 1, ResponseFormatError),
    FaultCase("empty", [respond(200, b"")], 1, ResponseFormatError),
    FaultCase("binary", [respond(200, bytes(range(256)))], 1, ResponseFormatError),
    FaultCase("wrong charset", [respond(200, '{"count":0,"jobs":[],"名":1}'.encode("gbk"))], 1, ResponseFormatError),
    FaultCase("length too short", [raw(HEAD % 10 + GOOD)], 1, ResponseFormatError),
    FaultCase("broken gzip", [broken_gzip(200, GOOD)], 1, ResponseFormatError),
    FaultCase("gzip cut short", [gzipped(200, GOOD, keep=-20)], 1, ResponseFormatError),
    FaultCase("undeclared success", [respond(202, GOOD)], 1, ResponseFormatError),
    FaultCase("no content", [raw(b"HTTP/1.1 204 No Content\r\n\r\n")], 1, ResponseFormatError),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.name)
def test_matrix(row: FaultCase, kind: Kind) -> None:
    with FaultServer(row.script) as server:
        result = call(kind, server.url)
        assert len(server.heads) == row.attempts
        if row.outcome is None:
            assert result.response is not None, repr(result.error)
            assert result.response.json()["count"] == 1
        else:
            error = result.raised(row.outcome)
            assert getattr(error, "retries") == row.attempts - 1  # noqa: B009 - the class is a variable
            assert len(str(error)) < 1000
        assert result.time.now == pytest.approx(row.slept)
        server.wait_until_closed()
    signatures = [line for head in server.heads for line in head.split(b"\r\n") if line.startswith(b"Authorization")]
    assert len(signatures) == row.attempts
    if min(result.time.slept, default=1) >= 1:  # dates are in whole seconds
        assert len(set(signatures)) == row.attempts, "an attempt was sent with the signature of another"


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_response_is_not_quoted(kind: Kind) -> None:
    """It may have any content, such as a body taken for a header."""
    for broken in (b"Planted was here\r\n\r\n", CHUNKED + b"Planted\r\n", HEAD[:-2] % 9 + b"Plant ed\r\n\r\n"):
        with FaultServer([raw(broken)]) as server:
            error = call(kind, server.url).raised(ApiConnectionError)
        assert "Plant" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("kind", KINDS)
class TestWaiting:
    """Stalls end by real timeouts of 0.1 s; waits use the fake clock."""

    TIMEOUT = httpx.Timeout(5.0, read=0.1)

    @pytest.mark.parametrize("after", [b"", b"HTTP/1.1 2", HEAD % 100, HEAD % 100 + b'{"count":'])
    def test_stall(self, kind: Kind, after: bytes) -> None:
        with FaultServer([stall(after)]) as server:
            error = call(kind, server.url, timeout=self.TIMEOUT).raised(ApiTimeoutError)
            assert len(server.heads) == 3
            assert error.retries == 2
            assert "127.0.0.1" in str(error)
            server.wait_until_closed()

    def test_stall_once(self, kind: Kind) -> None:
        with FaultServer([stall(), OK]) as server:
            assert call(kind, server.url, timeout=self.TIMEOUT).response

    def test_no_connection_is_established(self, kind: Kind) -> None:
        with full_backlog() as port:
            result = call(kind, f"http://127.0.0.1:{port}", timeout=httpx.Timeout(5.0, connect=0.05))
        assert result.raised(ApiTimeoutError).retries == 2

    def test_refused(self, kind: Kind) -> None:
        with unused_port() as port:
            result = call(kind, f"http://127.0.0.1:{port}")
        error = result.raised(ApiConnectionError)
        assert (error.retries, result.time.slept) == (2, [0.25, 0.5])
        assert f"127.0.0.1:{port}" in str(error)

    def test_refused_until_the_server_listens(self, kind: Kind) -> None:
        with unused_port() as port, FaultServer([OK]) as server:
            time = FakeTime()
            elsewhere = UrlSwitch(f"http://127.0.0.1:{port}", server.url)
            time.when_asleep = elsewhere.switch
            result = call(kind, "http://127.0.0.1", time=time, event_hooks=elsewhere.hooks(kind))
        assert result.response is not None
        assert time.slept == [0.25]

    def test_no_attempt_starts_after_the_deadline(self, kind: Kind) -> None:
        with FaultServer([throttled("8")]) as server:
            result = call(kind, server.url, retry=RetryPolicy(max_retries=9, deadline=20.0))
        assert result.raised(RateLimitError).retries == 2
        assert result.time.now < 20

    def test_an_attempt_gets_the_remaining_time(self, kind: Kind) -> None:
        with FaultServer([throttled("19.7"), stall()]) as server:
            result = call(kind, server.url, retry=RetryPolicy(max_retries=1, deadline=20.0, base=0.2), timeout=60.0)
        assert result.raised(ApiTimeoutError).retries == 1  # after 0.2 s, not 60 s
        assert result.time.slept == [pytest.approx(19.8)]

    def test_unsafe_methods_are_not_retried_if_they_may_have_been_processed(self, kind: Kind) -> None:
        for script in ([reset(), OK], [respond(503, b""), OK]):
            with FaultServer(script) as server:
                assert call(kind, server.url, method="POST").error is not None
                assert len(server.heads) == 1

    def test_unsafe_methods_are_retried_after_a_429(self, kind: Kind) -> None:
        with FaultServer([throttled("0"), OK]) as server:
            assert call(kind, server.url, method="POST").error is None
            assert len(server.heads) == 2

    def test_max_retries_0(self, kind: Kind) -> None:
        with FaultServer([respond(503, b""), OK]) as server:
            error = call(kind, server.url, retry=RetryPolicy(max_retries=0)).raised(ServerError)
        assert error.retries == 0
        assert not hasattr(error, "__notes__")


class UrlSwitch:
    """Sends requests to the first URL, and after `switch` to the second."""

    def __init__(self, first: str, second: str) -> None:
        self.url, self.next = first, second

    def switch(self) -> None:
        self.url = self.next

    def hooks(self, kind: Kind) -> dict[str, list[object]]:
        def divert(request: httpx.Request) -> None:
            request.url = httpx.URL(self.url).join(request.url.raw_path.decode())

        async def divert_async(request: httpx.Request) -> None:
            divert(request)

        return {"request": [divert if kind == "sync" else divert_async]}


CLASSES = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
}
MESSAGE = "The token must be updated é"
PLAIN = json.dumps({"error_code": "APIGW.0307", "error_msg": MESSAGE}, ensure_ascii=False)
BODIES: dict[str, tuple[bytes, dict[str, str], str]] = {  # content, headers and a text that `error.body` must contain
    "json": (PLAIN.encode(), {}, MESSAGE),
    "json of another shape": (b'[{"detail": ["no such thing"]}]', {}, "no such thing"),
    "a JSON number": (b"17", {}, "17"),
    "html": (b"<html><h1>502 Bad Gateway</h1></html>", {"Content-Type": "text/html"}, "<h1>502 Bad Gateway</h1>"),
    "empty": (b"", {}, ""),
    "truncated": (PLAIN.encode()[:-5], {}, "The token must be upda"),
    "binary": (b"\x80\xff\x01 binary", {"Content-Type": "application/octet-stream"}, "\\x80\\xff\x01 binary"),
    "utf-8 called utf-16": (PLAIN.encode(), {"Content-Type": "application/json; charset=utf-16"}, MESSAGE),
    "utf-8 called latin-1": (PLAIN.encode(), {"Content-Type": "application/json; charset=latin-1"}, MESSAGE),
    "utf-8 called nonsense": (PLAIN.encode(), {"Content-Type": "application/json; charset=klingon"}, MESSAGE),
    "latin-1 called latin-1": (PLAIN.encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"}, MESSAGE),
    "utf-16": (PLAIN.encode("utf-16"), {}, MESSAGE),
    "gzip": (gzip.compress(PLAIN.encode()), {"Content-Encoding": "gzip"}, MESSAGE),
    "gzip broken": (PLAIN.encode(), {"Content-Encoding": "gzip"}, MESSAGE),
    "nested too deep": (b"[" * 60_000, {}, "[" * 60_000),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", BODIES)
def test_every_status_with_every_body(body: str, kind: Kind) -> None:
    content, headers, text = BODIES[body]
    headers = {"X-Request-Id": "req-7", **headers}

    def handler(request: httpx.Request) -> httpx.Response:
        status = int(request.url.path.removeprefix("/"))
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))

    statuses = range(300, 600) if len(content) < 10_000 else (302, 400, 502, 520)
    transport = httpx.MockTransport(handler)
    results = calls(kind, "http://127.0.0.1", [f"/{status}" for status in statuses], transport=transport, retry=_ONCE)
    for status, result in zip(statuses, results, strict=True):
        error = result.raised(CLASSES.get(status, ServerError if status >= 500 else ApiError))
        assert (error.status_code, error.request_id, error.retries) == (status, "req-7", 0)
        assert text in error.body
        if text == MESSAGE:
            assert (error.error_code, error.error_msg) == ("APIGW.0307", MESSAGE)
        assert str(status) in str(error)


_ONCE = RetryPolicy(max_retries=0)
