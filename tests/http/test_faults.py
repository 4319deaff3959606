"""What comes of each fault of a server, sync and async: attempts, outcome, and a bound on the time.

Raw sockets first. Then every status with every kind of body, in process, through httpx's own transport seam.
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
    Fault,
    FaultServer,
    answer,
    broken_gzip,
    drip,
    full_backlog,
    gzipped,
    raw,
    reset,
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
OK = answer(200, GOOD)
HUGE = json.dumps({"count": 1, "jobs": [{"job_id": "x" * 1000}] * 10_000}).encode()
PAUSES = 0.25 + 0.5  # what two repeats wait when the random number is one half
THROTTLED = 2.25 + 2.5


@dataclass(frozen=True)
class Row:
    """`attempts` requests arrive; the call ends as `outcome` says; it has slept `slept` seconds."""

    name: str
    script: Sequence[Fault]
    attempts: int = 1
    outcome: type[Exception] | None = None
    slept: float = 0.0


def throttled(retry_after: str | None, **headers: str) -> Fault:
    return answer(429, ERROR, headers | ({"Retry-After": retry_after} if retry_after is not None else {}))


DATE = "Thu, 04 Jul 2024 08:00:00 GMT"
MATRIX = [
    Row("good", [OK]),
    Row("10 MB", [answer(200, HUGE)]),
    Row("10 MB in chunks", [raw(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HUGE), HUGE))]),
    Row("100 Continue first", [raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % len(GOOD) + GOOD)]),
    Row("gzip", [gzipped(200, GOOD)]),
    # The connection breaks: repeated, for it is a GET.
    Row("reset before headers", [reset()], 3, ApiConnectionError, PAUSES),
    Row("reset once", [reset(), OK], 2, None, 0.25),
    Row("reset during headers", [reset(b"HTTP/1.1 200 OK\r\nContent-Le"), OK], 2, None, 0.25),
    Row("reset after headers", [reset(HEAD % 100), OK], 2, None, 0.25),
    Row("reset in the body", [reset(HEAD % 100 + GOOD), OK], 2, None, 0.25),
    Row("closed without a word", [raw(b""), OK], 2, None, 0.25),
    Row("closed in the headers", [raw(b"HTTP/1.1 200 OK\r\nContent-Le"), OK], 2, None, 0.25),
    Row("half a body", [raw(HEAD % len(GOOD) + GOOD[:20])], 3, ApiConnectionError, PAUSES),
    Row("half a body once", [raw(HEAD % len(GOOD) + GOOD[:20]), OK], 2, None, 0.25),
    Row("half an error body", [raw(b"HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\n{"), OK], 2, None, 0.25),
    Row("idle connection closed", [raw(HEAD % len(GOOD) + GOOD), OK]),
    # Not HTTP: the same, as something in between is broken.
    Row("no status line", [raw(b"\x16\x03\x01 what?\r\n\r\n"), OK], 2, None, 0.25),
    Row("endless header", [raw(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000), OK], 2, None, 0.25),
    Row("length not a number", [raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"), OK], 2, None, 0.25),
    Row("two lengths", [raw((HEAD % 2)[:-2] + b"Content-Length: 3\r\n\r\n{} "), OK], 2, None, 0.25),
    Row("chunked nonsense", [raw(CHUNKED + b"zz\r\n{}"), OK], 2, None, 0.25),
    Row("chunks cut short", [raw(CHUNKED + b"9\r\n{}"), OK], 2, None, 0.25),
    # Answers that say "later".
    *(Row(f"{status} for ever", [answer(status, ERROR)], 3, cls, PAUSES) for status, cls in [
        (408, ApiError), (500, ServerError), (502, ServerError), (503, ServerError), (504, ServerError)]),
    Row("flapping 503", [answer(503, b"<html>"), answer(503, b""), OK], 3, None, PAUSES),
    Row("503, then 429, then good", [answer(503, b""), throttled("3"), OK], 3, None, 0.25 + 3.25),
    Row("503 with Retry-After", [answer(503, b"", {"Retry-After": "7"}), OK], 2, None, 7.25),
    Row("503, then refused", [answer(503, b""), answer(403, ERROR)], 2, errors.PermissionDeniedError, 0.25),
    Row("429 without Retry-After", [throttled(None)], 3, RateLimitError, THROTTLED),
    Row("429 for 2 s", [throttled("2"), OK], 2, None, 2.25),
    Row("429 for 0 s", [throttled("0"), OK], 2, None, 0.25),
    Row("429 until a date", [throttled("Thu, 04 Jul 2024 08:00:05 GMT", Date=DATE), OK], 2, None, 5.25),
    Row("429 until a date gone by", [throttled("Thu, 04 Jul 2024 07:00:00 GMT", Date=DATE), OK], 2, None, 0.25),
    Row("429 for the cap", [throttled("30"), OK], 2, None, 30.0),
    Row("429 beyond the cap", [throttled("31"), OK], 1, RateLimitError),
    Row("429 until a date beyond the cap", [throttled("Thu, 04 Jul 2024 09:00:00 GMT", Date=DATE)], 1, RateLimitError),
    *(Row(f"429 with Retry-After {text!r}", [throttled(text), OK], 2, None, 2.25)
      for text in ("", "soon", "-1", "1e9", "nan", "inf", "0x10", "Thu, 99 Jul 2024 08:00:05 GMT")),
    # Answers that are final.
    *(Row(f"{status}", [answer(status, ERROR)], 1, cls) for status, cls in [
        (302, ApiError), (400, errors.BadRequestError), (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError), (404, errors.NotFoundError), (405, ApiError), (499, ApiError),
        (501, ServerError), (520, ServerError), (599, ServerError)]),
    Row("redirect to nowhere", [answer(302, b"", {"Location": "http://host:port/"})], 1, ApiError),
    Row("broken gzip of an error", [broken_gzip(403, ERROR)], 1, errors.PermissionDeniedError),
    # Successes that are none.
    Row("HTML", [answer(200, b"<html>please log in</html>", {"Content-Type": "text/html"})], 1, ResponseFormatError),
    Row("empty", [answer(200, b"")], 1, ResponseFormatError),
    Row("binary", [answer(200, bytes(range(256)))], 1, ResponseFormatError),
    Row("wrong charset", [answer(200, '{"count":0,"jobs":[],"名":1}'.encode("gbk"))], 1, ResponseFormatError),
    Row("length too short", [raw(HEAD % 10 + GOOD)], 1, ResponseFormatError),
    Row("broken gzip", [broken_gzip(200, GOOD)], 1, ResponseFormatError),
    Row("gzip cut short", [gzipped(200, GOOD, keep=-20)], 1, ResponseFormatError),
    Row("undeclared success", [answer(202, GOOD)], 1, ResponseFormatError),
    Row("no content", [raw(b"HTTP/1.1 204 No Content\r\n\r\n")], 1, ResponseFormatError),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", MATRIX, ids=lambda row: row.name)
def test_matrix(row: Row, kind: Kind) -> None:
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
def test_nothing_of_a_broken_answer_is_quoted(kind: Kind) -> None:
    """It may be anything, such as a body taken for a header."""
    for broken in (b"Somebody was here\r\n\r\n", CHUNKED + b"Somebody\r\n", HEAD[:-2] % 9 + b"Some body\r\n\r\n"):
        with FaultServer([raw(broken)]) as server:
            error = call(kind, server.url).raised(ApiConnectionError)
        assert "Some" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("kind", KINDS)
class TestWaiting:
    """Stalls end by real timeouts of a tenth of a second, waits are not real."""

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

    def test_connection_never_established(self, kind: Kind) -> None:
        with full_backlog() as port:
            result = call(kind, f"http://127.0.0.1:{port}", timeout=httpx.Timeout(5.0, connect=0.05))
        assert result.raised(ApiTimeoutError).retries == 2

    def test_refused(self, kind: Kind) -> None:
        with unused_port() as port:
            result = call(kind, f"http://127.0.0.1:{port}")
        error = result.raised(ApiConnectionError)
        assert (error.retries, result.time.slept) == (2, [0.25, 0.5])
        assert f"127.0.0.1:{port}" in str(error)

    def test_refused_until_the_server_is_there(self, kind: Kind) -> None:
        with unused_port() as port, FaultServer([OK]) as server:
            time = FakeTime()
            elsewhere = _Switch(f"http://127.0.0.1:{port}", server.url)
            time.when_asleep = elsewhere.switch
            result = call(kind, "http://127.0.0.1", time=time, event_hooks=elsewhere.hooks(kind))
        assert result.response is not None
        assert time.slept == [0.25]

    def test_dripping_body_ends_at_the_deadline(self, kind: Kind) -> None:
        time = FakeTime()

        def tick() -> None:
            time.now += 1.0

        with FaultServer([drip(HEAD % 1_000_000, tick)]) as server:
            error = call(kind, server.url, time=time, retry=RetryPolicy(deadline=20.0)).raised(ApiTimeoutError)
            server.wait_until_closed()
        assert error.retries == 0
        assert error.__notes__ == ["Not tried again: the deadline of 20 s would pass before another attempt."]

    def test_an_answer_given_up_leaves_no_connection(self, kind: Kind) -> None:
        time = FakeTime()

        def tick() -> None:
            time.now += 1.0

        with FaultServer([drip(HEAD % 1_000_000, tick)]) as server:
            call(kind, server.url, time=time, retry=RetryPolicy(deadline=20.0), before_closing=server.wait_until_closed)

    def test_no_attempt_begins_after_the_deadline(self, kind: Kind) -> None:
        with FaultServer([throttled("8")]) as server:
            result = call(kind, server.url, retry=RetryPolicy(max_retries=9, deadline=20.0))
        assert result.raised(RateLimitError).retries == 2
        assert result.time.now < 20

    def test_an_attempt_gets_the_time_that_is_left(self, kind: Kind) -> None:
        with FaultServer([throttled("19.7"), stall()]) as server:
            result = call(kind, server.url, retry=RetryPolicy(max_retries=1, deadline=20.0, base=0.2), timeout=60.0)
        assert result.raised(ApiTimeoutError).retries == 1  # after 0.2 s, not 60 s
        assert result.time.slept == [pytest.approx(19.8)]

    def test_no_repeat_of_what_writes(self, kind: Kind) -> None:
        for script in ([reset(), OK], [answer(503, b""), OK], [throttled("0"), OK]):
            with FaultServer(script) as server:
                assert call(kind, server.url, method="POST").error is not None
                assert len(server.heads) == 1

    def test_max_retries_0(self, kind: Kind) -> None:
        with FaultServer([answer(503, b""), OK]) as server:
            error = call(kind, server.url, retry=RetryPolicy(max_retries=0)).raised(ServerError)
        assert error.retries == 0
        assert not hasattr(error, "__notes__")


class _Switch:
    """Sends requests to the first URL, from `switch` on to the second."""

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
BODIES: dict[str, tuple[bytes, dict[str, str], str]] = {  # what is sent, and a text that must be in `body`
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
def test_every_status(body: str, kind: Kind) -> None:
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
