"""The HTTP side: sends requests, waits where it must, keeps what came back, and says clearly why nothing did.

Redirects are never followed. A server that hangs ends in a timeout, one that asks for patience (429) gets it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from metastudio.http.url import canonical_query
from metastudio.tester import curl
from metastudio.tester.access import RIGHT, Access, Tamper, spelled
from metastudio.tester.verdicts import Stopwatch
from metastudio.tester.watchdog import Watchdog

NO_JSON = object()
"""The value of an answer's body that is not JSON."""
TIME_IS_UP = "the time was up"
WHOLE_ANSWER = 3
"""How many times longer than for its next byte a whole answer is waited for."""
_PATIENCE, _LONGEST_WAIT = 5, 30.0


class CannotRunError(Exception):
    """The run cannot begin, or go on. The message says why and what to do."""


class NoAnswerError(Exception):
    """One request got no whole answer: `slow` when it took too long, otherwise the connection broke.

    `command` is the request for a shell.
    """

    def __init__(self, message: str, command: str, *, slow: bool) -> None:
        super().__init__(message)
        self.command = command
        self.slow = slow


class TimeIsUpError(Exception):
    """The time that the run may take is over."""


@dataclass(frozen=True)
class Answer:
    """What came back. `command` is the request for a shell."""

    method: str
    url: str
    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float
    command: str = ""

    @cached_property
    def json(self) -> Any:
        """The body as JSON, `NO_JSON` where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return NO_JSON

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.json is not NO_JSON


@dataclass
class Traffic:
    """What was sent, and what deserves to be counted."""

    sent: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    stumbles: list[Answer] = field(default_factory=list[Answer])
    """Server errors that did not come back when the request was sent once more."""
    silences: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Why there was no answer, and the command, for requests that were answered when they were sent once more."""


class Pace:
    """Keeps requests apart: at most `per_second` of them, None for as fast as they go."""

    def __init__(self, per_second: float | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._sleep = sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request may go out."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        if at > now:
            self._sleep(at - now)


class Probe:
    """Sends requests to one server for one suite."""

    def __init__(
        self,
        base_url: str,
        client: httpx.Client,
        access: Access,
        pace: Pace,
        stopwatch: Stopwatch,
        traffic: Traffic,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.client = client
        self.access = access
        self.pace = pace
        self.stopwatch = stopwatch
        self.traffic = traffic
        self.suite = "start"
        self._sleep = sleep
        self._timeouts = 0
        self._watchdog = Watchdog(WHOLE_ANSWER * (client.timeout.read or _LONGEST_WAIT))

    def send(
        self,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        access: Access | None = None,
        tamper: Tamper = RIGHT,
        case: str | None = None,
        again: bool = True,
    ) -> Answer:
        """Send a request and return its answer, whatever its status.

        After a server error, or no answer, it is sent `again`: what does not come back is counted and forgotten. Raises
        NoAnswerError, TimeIsUpError, or CannotRunError once the server has stopped to answer.
        """
        who = access or self.access
        url = spelled(f"{self.base_url}{path}?{canonical_query(query)}" if query else f"{self.base_url}{path}")
        shown = curl.command(method, url, who, headers=headers, case=case)
        try:
            answer = self._send(method, url, headers, who, tamper, shown)
        except NoAnswerError as error:
            if not again:
                raise
            answer = self._send(method, url, headers, who, tamper, shown)
            self.traffic.silences.append((str(error), shown))
        if answer.status >= 500 and again:
            stumbled, answer = answer, self._send(method, url, headers, who, tamper, shown)
            if answer.status < 500:
                self.traffic.stumbles.append(stumbled)
        self.traffic.statuses[answer.status] += 1
        return answer

    def _send(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], access: Access, tamper: Tamper, shown: str
    ) -> Answer:
        answer = self._once(method, url, headers, access, tamper, shown)
        for attempt in range(_PATIENCE):
            if answer.status != httpx.codes.TOO_MANY_REQUESTS:
                break
            self._sleep(self._asked_for(answer, attempt))
            answer = self._once(method, url, headers, access, tamper, shown)
        return answer

    def _once(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], access: Access, tamper: Tamper, shown: str
    ) -> Answer:
        self.pace.wait()
        if self.stopwatch.is_over:
            raise TimeIsUpError
        self.traffic.sent[self.suite] += 1
        request = self.client.build_request(
            method, "http://placeholder/", headers=list(headers), extensions={"trace": self._watchdog.notice}
        )
        request.url = httpx.URL(url)
        request.headers["Host"] = request.url.netloc.decode("ascii")
        request.headers.update(access.headers(method, url, tamper))
        start = time.monotonic()
        try:
            with self._watchdog.watching():
                response = self.client.send(request)
        except httpx.DecodingError:
            raise NoAnswerError("the body is not encoded as its Content-Encoding says", shown, slow=False) from None
        except httpx.TransportError as error:
            if not isinstance(error, httpx.TimeoutException) and not self._watchdog.has_bitten:
                raise NoAnswerError(reason(error), shown, slow=False) from None
            self._timeouts += 1
            if self._timeouts >= 3:
                raise CannotRunError("the server does not answer in time any more: three requests in a row") from None
            whole = "whole " if self._watchdog.has_bitten else ""
            raise NoAnswerError(f"no {whole}answer within {time.monotonic() - start:.0f} s", shown, slow=True) from None
        self._timeouts = 0
        return Answer(
            method, url, response.status_code, response.headers, response.content, time.monotonic() - start, shown
        )

    def _asked_for(self, answer: Answer, attempt: int) -> float:
        try:
            wait = float(answer.headers.get("Retry-After", ""))
        except ValueError:
            wait = 2.0**attempt * random.uniform(0.5, 1)  # noqa: S311 - spreads requests, no secret
        wait = min(max(wait, 0.0), _LONGEST_WAIT)
        left = self.stopwatch.left
        if left is not None and wait > left:
            raise TimeIsUpError
        return wait


def reason(error: Exception) -> str:
    """Say why there was no answer, so that it helps."""
    text = str(error) or type(error).__name__
    low = text.lower()
    if "certificate" in low or "ssl" in low or "tls" in low:
        return f"the TLS connection failed: {text}; check the URL (http or https?) and the certificate (--ca-bundle)"
    if isinstance(error, httpx.ConnectError):
        return f"nobody answers there: {text}; check the address, and that the server runs"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"what answers does not speak HTTP, or stopped in the middle: {text}"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return f"that is no URL of a server: {text}; write http://host or https://host"
    return f"the connection broke: {text}; check the URL (http or https?), and what the server's log says of it"
