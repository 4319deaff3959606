"""Injected faults: their kinds, how often they occur, and the middleware that delays and breaks responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metastudio.sandbox.http import SandboxResponse

FAULT_KINDS: Mapping[str, str] = {
    "500": "the service fails; error body from the contract",
    "502": "the gateway cannot reach the service; HTML body",
    "503": "the service is unavailable",
    "504": "the service does not respond to the gateway in time",
    "429": "too many requests, with Retry-After: 1",
    "redirect": "302 to another URL",
    "login": "200 with the HTML of a login page",
    "empty": "200 without a body",
    "cut": "200 with incomplete JSON",
    "truncated": "the connection is closed in the middle of the body",
    "reset": "the connection is reset before the response",
    "slow": "the response is delayed by 30 seconds",
}
FAULT_REASONS: Mapping[str, str] = {
    "500": "failure",
    "503": "unavailable",
    "504": "backend_timeout",
    "429": "too_many_requests",
}
"""Faults that are error responses of the gateway or service: their key in `Overrides.refusals`."""
SLOW_SECONDS = 30.0
"""Seconds that the fault `slow` delays a response."""


@dataclass(frozen=True)
class Fault:
    """A fault to inject.

    Args:
        kind: A key of `FAULT_KINDS`.
        rate: Share of the requests that fail, above 0 and at most 1.

    Raises:
        ValueError: The kind is unknown or the rate out of range.
    """

    kind: str
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; use one of {', '.join(FAULT_KINDS)}")
        if not 0 < self.rate <= 1:
            raise ValueError(f"the rate of a fault must be above 0 and at most 1, not {self.rate}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Parse `KIND` or `KIND:RATE`, for example `503:0.2`. Raises ValueError if it is neither."""
        kind, _, rate = text.partition(":")
        try:
            return cls(kind, float(rate) if rate else 1.0)
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"the rate of a fault must be a number such as 0.2, not {rate!r}") from None
            raise


class FaultInjector:
    """Decides which requests fail. The same seed gives the same sequence."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = faults
        self._random = Random(seed)  # noqa: S311 - not used for secrets

    def draw(self) -> str | None:
        """Return the fault of the next request, or None."""
        for fault in self._faults:
            if self._random.random() < fault.rate:
                return fault.kind
        return None


def faulty_response(kind: str) -> SandboxResponse | None:
    """Return the response that replaces the regular one, or None if the fault only alters the regular one."""
    html = {"Content-Type": "text/html; charset=utf-8"}
    match kind:
        case "502":
            return SandboxResponse(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", html)
        case "redirect":
            return SandboxResponse(302, b"", {"Location": "https://login.example.com/"})
        case "login":
            return SandboxResponse(200, b"<!DOCTYPE html><html><title>Sign in</title><form></form></html>", html)
        case "empty":
            return SandboxResponse(200, b"")
        case _:
            return None


class FaultMiddleware:
    """Delays responses and breaks connections. A fault that is a response is left to the endpoint: `state.fault`.

    Args:
        app: The application below.
        injector: Decides which requests fail.
        latency: Seconds added to each response.
        sleep: Waits a number of seconds.
    """

    def __init__(
        self, app: ASGIApp, injector: FaultInjector, latency: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._app = app
        self._injector = injector
        self._latency = latency
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        fault = scope["state"]["fault"] = self._injector.draw()
        delay = self._latency + (SLOW_SECONDS if fault == "slow" else 0.0)
        if delay and not await self._wait(delay, receive):
            return
        if fault == "reset":
            await _reset_connection(scope, receive)
        else:
            await self._app(scope, receive, _truncated(send) if fault == "truncated" else send)

    async def _wait(self, seconds: float, receive: Receive) -> bool:
        """Sleep, and return whether the client is still connected."""
        asleep, gone = asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(receive())
        _, pending = await asyncio.wait({asleep, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return asleep not in pending


def _truncated(send: Send) -> Send:
    """Send half of the body. The server then closes the connection because the response is incomplete."""

    async def send_half(message: Message) -> None:
        body = message.get("body", b"")
        half = {"body": body[: len(body) // 2], "more_body": True}
        await send({**message, **half} if message["type"] == "http.response.body" else message)

    return send_half


async def _reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the TCP connection if the app runs in our server."""
    reset = scope["state"].get("reset")
    if reset is None:
        raise ConnectionResetError("injected fault: reset")
    reset()
    while (await receive())["type"] != "http.disconnect":
        pass
