"""Transport to an ASGI application in this process."""

from __future__ import annotations

from typing import Any

import httpx
from schemathesis.python import asgi

BASE_URL = f"http://{asgi.HOST}"


class InProcessTransport(httpx.BaseTransport):
    """Sends requests through schemathesis' ASGI client, so that both suites share one running application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the application and read the complete response."""
        with asgi.get_client(self._app) as client:
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
