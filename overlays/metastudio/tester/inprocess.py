"""Runs an ASGI application in this process, as a server would."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from typing import Any

import httpx
from schemathesis.python import asgi

from metastudio.tester.http_client import CannotRunError

_FAILURE = (
    {"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"text/plain")]},
    {"type": "http.response.body", "body": b"Internal Server Error"},
)
_SERVED: dict[int, ServedApplication] = {}
"""Served applications by the ID of the application, which they keep alive."""


class ServedApplication:
    """Responds with 500 if the application raises an exception or does not finish its response in time.

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
        has_body, is_done = False, asyncio.Event()

        async def hold(message: Any) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                is_done.set()

        async def request_or_disconnect() -> Any:
            """Return a part of the request. After all parts, wait for the response, as a connection does."""
            nonlocal has_body
            if has_body:
                await is_done.wait()
                return {"type": "http.disconnect"}
            message = await receive()
            has_body = not message.get("more_body")
            return message

        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                await self._app(scope, request_or_disconnect, hold)
        except BaseException as error:  # a framework may raise it again after its own error response
            task = asyncio.current_task()
            if isinstance(error, KeyboardInterrupt) or (task is not None and task.cancelling()):
                raise  # it is not the application's
            at = traceback.extract_tb(error.__traceback__)[-1]
            what = f"no response within {self.seconds:.1f} s" if limit.expired() else error
            self.exceptions[f"{type(error).__name__}: {what} ({at.filename}:{at.lineno})"] += 1
        for message in messages if is_done.is_set() else _FAILURE:
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
        """Send the request to the application and read the complete response, as it is encoded."""
        client = asgi.get_client(self.app)
        try:
            client.__enter__()
        except Exception as error:  # noqa: BLE001 - the lifespan of an application may raise anything
            raise CannotRunError(f"the application does not start: {error}") from None
        with client:
            response = client.request(
                request.method,
                str(request.url),
                headers={name.decode(): value.decode("latin-1") for name, value in request.headers.raw},
                data=request.content,
                allow_redirects=False,
                stream=True,
            )
            content = response.raw.read(decode_content=False)
            pairs = response.raw.headers.items()
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
            return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(content))
