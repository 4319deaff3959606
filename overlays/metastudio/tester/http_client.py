"""Sends requests with a rate limit, retries and timeouts, and explains transport errors.

Redirects are never followed. A 429 is retried after its Retry-After. The size of a decoded body is limited, because a
few compressed bytes may expand to more than the memory of this machine.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from metastudio.http.proxies import plain_client
from metastudio.http.retry import retry_after
from metastudio.http.throttle import Throttle
from metastudio.http.transport_errors import proxy_refusal
from metastudio.http.url import canonical_query
from metastudio.tester import curl
from metastudio.tester.caller import Caller, canonical_url
from metastudio.tester.options import RunOptions
from metastudio.tester.verdicts import Stopwatch

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


class Watchdog:
    """Closes the connection of a request that takes too long. The timeouts of httpx apply to each read, so a slow
    trickle of bytes never ends. Handles one request at a time.

    Args:
        seconds: total timeout of a request.

    Attributes:
        has_fired: whether the last request took too long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_fired = False
        self._has_connected = False
        self._socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Store the socket of the connection in use. This is the extension `trace` of the request."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._has_connected = True
            self._socket = info["return_value"].get_extra_info("socket")

    @property
    def is_reused(self) -> bool:
        """Whether the last request went over a connection that an earlier one had made."""
        return self._socket is not None and not self._has_connected

    @contextmanager
    def watch(self) -> Generator[None]:
        """Close the connection if the block does not finish in time."""
        self.has_fired = self._has_connected = False
        timer = threading.Timer(self.seconds, self.fire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def fire(self) -> None:
        """Close the connection now."""
        self.has_fired = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed already
                self._socket.shutdown(socket.SHUT_RDWR)


class HttpClient:
    """Sends requests to one server and counts them for the current suite.

    Args:
        options: settings of the run.

    Attributes:
        sent: counts of requests by suite. A copy of the client shares all counts.
        transient_errors: server errors that did not recur when the request was retried.
        missing_responses: reason and command of requests that got a response only when retried.
        app_exceptions: what an application in this process raised, and how often.
    """

    def __init__(self, options: RunOptions) -> None:
        self.watchdog = Watchdog(RESPONSE_TIMEOUT_FACTOR * options.timeout)
        transport, self.app_exceptions = None, Counter[str]()
        if options.app is not None:
            from metastudio.tester.inprocess import InProcessTransport  # imports schemathesis

            transport = InProcessTransport(options.app, self.watchdog.seconds)
            self.app_exceptions = transport.app.exceptions
        self.base_url = (options.url or curl.IN_PROCESS_URL).rstrip("/")
        headers = {"User-Agent": "metastudio-contract", "Accept": "application/json"}
        headers["Accept-Encoding"] = ", ".join(CONTENT_ENCODINGS)
        self.client = plain_client(
            transport=transport, timeout=options.timeout, verify=options.verify, headers=headers, follow_redirects=False
        )
        self.caller = options.caller()
        self.stopwatch = Stopwatch(options.max_time)
        self.sent = Counter[str]()
        self.transient_errors: list[HttpResponse] = []
        self.missing_responses: list[tuple[str, str]] = []
        self.suite = "start"
        self.headers: HeaderList = ()
        self._throttle = Throttle(options.rate_limit, clock=time.monotonic, random=random.random)
        self._timeouts = 0

    def send(
        self,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        method: str = "GET",
        headers: HeaderList = (),
        body: bytes = b"",
        caller: Caller | None = None,
        forgery: str | None = None,
        retry: bool = True,
    ) -> HttpResponse:
        """Send a request and return the response, whatever its status.

        Args:
            path: path below the base URL.
            query: parameters by name.
            method: HTTP method.
            headers: further headers.
            body: the body, which is sent as JSON unless a header says otherwise.
            caller: sends with these credentials instead of the client's own.
            forgery: name of the way in which the signature is forged.
            retry: retry once after a server error or a missing response. Failures that do not recur are only counted.

        Raises:
            NoResponseError: there was no complete response.
            TimeLimitError: the time limit of the run is reached.
            CannotRunError: three requests in a row timed out.
            ValueError: a header is not valid in HTTP.
        """
        sender, headers = caller or self.caller, [*self.headers, *headers]
        url = canonical_url(f"{self.base_url}{path}?{canonical_query(query)}" if query else f"{self.base_url}{path}")
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        shown = curl.command(method, url, sender, headers=headers, body=body, forgery=forgery)

        def build() -> httpx.Request:
            """Sign the request. A signature is valid for some minutes only, so each attempt has its own."""
            request = self.client.build_request(
                method, "http://placeholder/", content=body or None, extensions={"trace": self.watchdog.trace},
                headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
            )  # fmt: skip
            request.url = httpx.URL(sender.authenticated_url(url))
            request.headers["Host"] = request.url.netloc.decode("ascii")
            for name, value in sender.headers(method, url, forgery, body=body).items():
                joined = name == "Cookie" and name in request.headers
                request.headers[name] = f"{request.headers[name]}; {value}" if joined else value
            return request

        def attempt() -> HttpResponse:
            response = self._send_once(build, url, shown)
            for number in range(_MAX_429_RETRIES):
                if response.status != httpx.codes.TOO_MANY_REQUESTS:
                    break
                time.sleep(self._retry_delay(response, number))
                response = self._send_once(build, url, shown)
            return response

        try:
            response = attempt()
        except NoResponseError as error:
            if not retry:
                raise
            response = attempt()
            self.missing_responses.append((str(error), shown))
        if response.status >= 500 and retry:
            failed, response = response, attempt()
            if response.status < 500:
                self.transient_errors.append(failed)
        return response

    def _send_once(self, build: Callable[[], httpx.Request], url: str, shown: str) -> HttpResponse:
        while seconds := self._throttle.start()[0]:
            time.sleep(seconds)
        if self.stopwatch.is_over:
            raise TimeLimitError
        self.sent[self.suite] += 1
        request = build()
        start, received = time.monotonic(), None
        try:
            with self.watchdog.watch():
                received = self.client.send(request, stream=True)
                try:
                    content = _read_body(received, shown)
                finally:
                    received.close()
        except httpx.LocalProtocolError as error:
            raise ValueError(str(error)) from None
        except httpx.DecodingError:
            raise NoResponseError("the body does not match its Content-Encoding", shown, slow=False) from None
        except httpx.TransportError as error:
            if not isinstance(error, httpx.TimeoutException) and not self.watchdog.has_fired:
                if received is None and self.watchdog.is_reused and request.method != "POST":
                    # A server may close an idle connection while a request is on its way.
                    return self._send_once(build, url, shown)
                raise NoResponseError(_explain(error), shown, slow=False) from None
            self._timeouts += 1
            if self._timeouts >= 3:
                raise CannotRunError("the server stopped responding: three requests in a row timed out") from None
            what = "no complete response" if self.watchdog.has_fired else "no response"
            waited = f"{time.monotonic() - start:.0f} s"
            raise NoResponseError(f"{what} within {waited}", shown, slow=True) from None
        self._timeouts = 0
        return HttpResponse(request.method, url, received.status_code, received.headers, content, shown)

    def _retry_delay(self, response: HttpResponse, attempt: int) -> float:
        backoff = 2.0**attempt * random.uniform(0.5, 1)  # noqa: S311 - spreads requests, no secret
        asked, left = retry_after(response.headers), self.stopwatch.left
        wait = min(backoff if asked is None else asked, _MAX_WAIT)
        if left is not None and wait > left:
            raise TimeLimitError
        return wait


def _read_body(response: httpx.Response, shown: str) -> bytes:
    """Return the decoded body. Raise NoResponseError if it is too large, or its encoding was not asked for."""
    encoding = response.headers.get("Content-Encoding", "")
    if encoding.strip().lower() not in ("", "identity", *CONTENT_ENCODINGS):
        what = f"a body with Content-Encoding {encoding[:100]}, which was not asked for"
        raise NoResponseError(what, shown, slow=False)
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise NoResponseError(f"a body larger than {MAX_BODY_BYTES >> 20} MB", shown, slow=False)
    return bytes(body)


def _explain(error: httpx.TransportError) -> str:
    """Explain a transport error, with its remedy."""
    if isinstance(error, httpx.ProxyError):
        return f"the proxy made no connection: {proxy_refusal(error)}; check HTTPS_PROXY and NO_PROXY"
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
