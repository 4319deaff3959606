"""Sends requests with a rate limit, retries and timeouts, and explains transport errors.

Redirects are never followed. A 429 is retried after its Retry-After. The size of a decoded body is limited, because a
few compressed bytes may expand to more than the memory of this machine.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from metastudio.http.retry import retry_after
from metastudio.http.throttle import Throttle
from metastudio.http.url import canonical_query
from metastudio.tester import curl
from metastudio.tester.caller import UNTAMPERED, Caller, Tampering, canonical_url
from metastudio.tester.verdicts import Stopwatch
from metastudio.tester.watchdog import Watchdog

NOT_JSON = object()
"""Stands for the JSON of a body that is not JSON."""
TIME_LIMIT_REACHED = "the time limit was reached"
RESPONSE_TIMEOUT_FACTOR = 3
"""Total timeout of a response, as a multiple of the timeout for its next byte."""
HeaderList = Sequence[tuple[str, str]]
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Maximum size of a decoded body."""
CONTENT_ENCODINGS = ("gzip", "deflate")
"""Content encodings that requests ask for. A response may use one of them."""
_MAX_429_RETRIES, _MAX_WAIT = 5, 30.0


class CannotRunError(Exception):
    """The run cannot start or continue. The message names the reason and the remedy."""


class NoResponseError(Exception):
    """A request got no complete response.

    Args:
        message: the reason.
        command: the request as a shell command.
        slow: whether it timed out; otherwise the connection failed.
    """

    def __init__(self, message: str, command: str, *, slow: bool) -> None:
        super().__init__(message)
        self.command = command
        self.slow = slow


class UnreadableBodyError(Exception):
    """A body is too large, or has a content encoding that was not asked for."""


class TimeLimitError(Exception):
    """The time limit of the run is reached."""


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response, with the request as a shell command."""

    method: str
    url: str
    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float
    command: str = ""

    @cached_property
    def json(self) -> Any:
        """The body as JSON, `NOT_JSON` if it is not JSON or is nested too deeply to be parsed."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NOT_JSON

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.json is not NOT_JSON


@dataclass
class Traffic:
    """Counts of requests and responses, and the failures that did not recur."""

    sent: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    transient_errors: list[HttpResponse] = field(default_factory=list[HttpResponse])
    """Server errors that did not recur when the request was retried."""
    missing_responses: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Reason and command of requests that got a response only when retried."""


class RateLimiter:
    """Spaces requests evenly.

    Args:
        per_second: maximum requests per second; None for no limit.
        sleep: sleeps for a number of seconds.
    """

    def __init__(self, per_second: float | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._throttle = Throttle(per_second, clock=time.monotonic, random=random.random)
        self._sleep = sleep

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        while seconds := self._throttle.start()[0]:
            self._sleep(seconds)


class HttpClient:
    """Sends requests to one server and counts them for the current suite."""

    def __init__(
        self,
        base_url: str,
        client: httpx.Client,
        caller: Caller,
        rate_limiter: RateLimiter,
        stopwatch: Stopwatch,
        traffic: Traffic,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.client = client
        self.caller = caller
        self.rate_limiter = rate_limiter
        self.stopwatch = stopwatch
        self.traffic = traffic
        self.suite = "start"
        self.headers: HeaderList = ()
        self._sleep = sleep
        self._timeouts = 0
        self._watchdog = Watchdog(RESPONSE_TIMEOUT_FACTOR * (client.timeout.read or _MAX_WAIT))

    def send(
        self,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        method: str = "GET",
        headers: HeaderList = (),
        body: bytes = b"",
        caller: Caller | None = None,
        tampering: Tampering = UNTAMPERED,
        case: str | None = None,
        retry: bool = True,
    ) -> HttpResponse:
        """Send a request and return the response, whatever its status.

        Args:
            path: path below the base URL.
            query: parameters by name.
            method: HTTP method.
            headers: further headers.
            body: the body, which is sent as JSON.
            caller: sends with these credentials instead of the client's own.
            tampering: forges the signature.
            case: name of the forgery, for the shell command.
            retry: retry once after a server error or a missing response. Failures that do not recur are only counted.

        Raises:
            NoResponseError: there was no complete response.
            TimeLimitError: the time limit of the run is reached.
            CannotRunError: three requests in a row timed out.
        """
        sender, headers = caller or self.caller, [*self.headers, *headers]
        url = canonical_url(f"{self.base_url}{path}?{canonical_query(query)}" if query else f"{self.base_url}{path}")
        headers = [*headers, ("Content-Type", "application/json")] if body else headers
        shown = curl.command(method, url, sender, headers=headers, body=body, case=case)

        def attempt() -> HttpResponse:
            return self._send(method, url, headers, body, sender, tampering, shown)

        try:
            response = attempt()
        except NoResponseError as error:
            if not retry:
                raise
            response = attempt()
            self.traffic.missing_responses.append((str(error), shown))
        if response.status >= 500 and retry:
            failed, response = response, attempt()
            if response.status < 500:
                self.traffic.transient_errors.append(failed)
        self.traffic.statuses[response.status] += 1
        return response

    def _send(
        self, method: str, url: str, headers: HeaderList, body: bytes, caller: Caller, tampering: Tampering, shown: str
    ) -> HttpResponse:
        response = self._send_once(method, url, headers, body, caller, tampering, shown)
        for attempt in range(_MAX_429_RETRIES):
            if response.status != httpx.codes.TOO_MANY_REQUESTS:
                break
            self._sleep(self._retry_delay(response, attempt))
            response = self._send_once(method, url, headers, body, caller, tampering, shown)
        return response

    def _send_once(
        self, method: str, url: str, headers: HeaderList, body: bytes, caller: Caller, tampering: Tampering, shown: str
    ) -> HttpResponse:
        self.rate_limiter.wait()
        if self.stopwatch.is_over:
            raise TimeLimitError
        self.traffic.sent[self.suite] += 1
        request = self.client.build_request(
            method,
            "http://placeholder/",
            headers=list(headers),
            content=body or None,
            extensions={"trace": self._watchdog.trace},
        )
        request.url = httpx.URL(caller.authenticated_url(url))
        request.headers["Host"] = request.url.netloc.decode("ascii")
        add_headers(request.headers, caller.headers(method, url, tampering, body=body))
        start, received = time.monotonic(), None
        try:
            with self._watchdog.watch():
                received = self.client.send(request, stream=True)
                try:
                    content = _read_body(received)
                finally:
                    received.close()
        except UnreadableBodyError as error:
            raise NoResponseError(str(error), shown, slow=False) from None
        except httpx.DecodingError:
            raise NoResponseError("the body does not match its Content-Encoding", shown, slow=False) from None
        except httpx.TransportError as error:
            if not isinstance(error, httpx.TimeoutException) and not self._watchdog.has_fired:
                if received is None and self._watchdog.is_reused and method != "POST":
                    # A server may close an idle connection while a request is on its way.
                    return self._send_once(method, url, headers, body, caller, tampering, shown)
                raise NoResponseError(describe_failure(error), shown, slow=False) from None
            self._timeouts += 1
            if self._timeouts >= 3:
                raise CannotRunError("the server stopped responding: three requests in a row timed out") from None
            what = "no complete response" if self._watchdog.has_fired else "no response"
            waited = f"{time.monotonic() - start:.0f} s"
            raise NoResponseError(f"{what} within {waited}", shown, slow=True) from None
        self._timeouts = 0
        seconds = time.monotonic() - start
        return HttpResponse(method, url, received.status_code, received.headers, content, seconds, shown)

    def _retry_delay(self, response: HttpResponse, attempt: int) -> float:
        wait = retry_after(response.headers)
        if wait is None:
            wait = 2.0**attempt * random.uniform(0.5, 1)  # noqa: S311 - spreads requests, no secret
        wait = min(wait, _MAX_WAIT)
        left = self.stopwatch.left
        if left is not None and wait > left:
            raise TimeLimitError
        return wait


def add_headers(headers: MutableMapping[str, str], added: Mapping[str, str]) -> None:
    """Add headers to those of a request. A cookie joins those that are there."""
    for name, value in added.items():
        joined = name == "Cookie" and name in headers
        headers[name] = f"{headers[name]}; {value}" if joined else value


def check_content_encoding(header: str) -> None:
    """Raise UnreadableBodyError unless a response has at most one content encoding, and one that was asked for."""
    if header.strip().lower() not in ("", "identity", *CONTENT_ENCODINGS):
        raise UnreadableBodyError(f"a body with Content-Encoding {header[:100]}, which was not asked for")


def read_limited(parts: Iterable[bytes]) -> bytes:
    """Join the parts of a decoded body. Raise UnreadableBodyError if it is larger than `MAX_BODY_BYTES`."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise UnreadableBodyError(f"a body larger than {MAX_BODY_BYTES >> 20} MB")
    return bytes(body)


def _read_body(response: httpx.Response) -> bytes:
    check_content_encoding(response.headers.get("Content-Encoding", ""))
    return read_limited(response.iter_bytes())


def describe_failure(error: Exception) -> str:
    """Explain a transport error, with its remedy."""
    text = str(error) or type(error).__name__
    low = text.lower()
    if "certificate" in low or "ssl" in low or "tls" in low:
        return f"the TLS connection failed: {text}; check the URL (http or https?) and the certificate (--ca-bundle)"
    if isinstance(error, httpx.ConnectError):
        return f"connection failed: {text}; check the address and that the server is running"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"the response is not HTTP or is incomplete: {text}"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return f"not a server URL: {text}; write http://host or https://host"
    return f"the connection was closed: {text}; check the URL (http or https?) and the log of the server"
