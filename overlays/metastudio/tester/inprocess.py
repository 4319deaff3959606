"""Runs an ASGI application in this process, as a server would."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from typing import Any

import httpx
from schemathesis.python import asgi

_FAILURE = (
    {"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"text/plain")]},
    {"type": "http.response.body", "body": b"Internal Server Error"},
)
_SERVED: dict[int, ServedApplication] = {}
"""Served applications by the ID of the application, which they keep alive."""


class ServedApplication:
    """Answers 500 if the application raises an exception or does not finish its response in time.

    A response is sent when it is complete, so that an exception can still replace it.

    Args:
        app: the ASGI application.

    Attributes:
        exceptions: the exceptions of the application, each with the line that raised it, and how often.
        seconds: total timeout of a response.
    """

    seconds = 30.0

    def __init__(self, app: Any) -> None:
        self._app = app
        self.exceptions: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: list[Any] = []

        async def hold(message: Any) -> None:
            messages.append(message)

        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                await self._app(scope, receive, hold)
        except Exception as error:  # noqa: BLE001 - a framework may raise it again after its own error response
            at = traceback.extract_tb(error.__traceback__)[-1]
            what = f"no response within {self.seconds:.1f} s" if limit.expired() else error
            self.exceptions[f"{type(error).__name__}: {what} ({at.filename}:{at.lineno})"] += 1
        is_complete = len(messages) > 1 and not messages[-1].get("more_body")
        for message in messages if is_complete else _FAILURE:
            await send(message)


class InProcessTransport(httpx.BaseTransport):
    """Sends requests to an application in this process.

    Args:
        app: the ASGI application. Its lifespan starts once in this process.
        seconds: total timeout of a response.
    """

    def __init__(self, app: Any, seconds: float) -> None:
        self.app = _SERVED.setdefault(id(app), ServedApplication(app))
        self.app.exceptions.clear()
        self.app.seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the application and read the complete response."""
        with asgi.get_client(self.app) as client:
            response = client.request(
                request.method,
                str(request.url),
                headers={name.decode(): value.decode("latin-1") for name, value in request.headers.raw},
                data=request.content,
                allow_redirects=False,
            )
            return httpx.Response(
                response.status_code, headers=list(response.headers.items()), content=response.content
            )
