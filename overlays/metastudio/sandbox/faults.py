"""Injected faults: the responses that they give, and the middleware that delays responses and breaks connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metastudio.sandbox.http import SandboxResponse
from metastudio.sandbox.settings import SandboxSettings

FAULT_REASONS: Mapping[str, str] = {
    "500": "failure",
    "503": "unavailable",
    "504": "backend_timeout",
    "429": "too_many_requests",
}
"""Faults that are error responses of the gateway or service: their key in `Overrides.refusals`."""
SLOW_SECONDS = 30.0
"""Seconds that the fault `slow` delays a response."""


_HTML = {"Content-Type": "text/html; charset=utf-8"}
FAULTY_RESPONSES: Mapping[str, SandboxResponse] = {
    "502": SandboxResponse(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", _HTML),
    "redirect": SandboxResponse(302, b"", {"Location": "https://login.example.com/"}),
    "login": SandboxResponse(200, b"<!DOCTYPE html><html><title>Sign in</title><form></form></html>", _HTML),
    "empty": SandboxResponse(200, b""),
}
"""Faults that are other responses."""


class FaultMiddleware:
    """Delays responses and breaks connections. A fault that is a response is left to the endpoint: `state.fault`.

    Args:
        app: The application below.
        settings: Settings of the sandbox.
        random: Decides which requests fail.
    """

    def __init__(self, app: ASGIApp, settings: SandboxSettings, random: Random) -> None:
        self._app = app
        self._settings = settings
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        faults = self._settings.faults
        fault = next((fault.kind for fault in faults if self._random.random() < fault.rate), "")
        scope["state"]["fault"] = fault
        delay = self._settings.latency + (SLOW_SECONDS if fault == "slow" else 0.0)
        if delay and not await self._wait(delay, receive):
            return
        if fault == "reset":
            await _reset_connection(scope, receive)
        else:
            await self._app(scope, receive, _truncated(send) if fault == "truncated" else send)

    async def _wait(self, seconds: float, receive: Receive) -> bool:
        """Sleep, and return whether the client is still connected."""
        asleep, gone = asyncio.ensure_future(self._settings.sleep(seconds)), asyncio.ensure_future(receive())
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
