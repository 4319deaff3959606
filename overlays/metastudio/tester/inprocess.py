"""An ASGI application in this process, reached like any server."""

from __future__ import annotations

from typing import Any

import httpx
from schemathesis.python import asgi

BASE_URL = f"http://{asgi.HOST}"


class InProcess(httpx.BaseTransport):
    """Hands requests to an application through schemathesis' client, so that both share one running application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Give the request to the application and wait for its whole answer."""
        with asgi.get_client(self._app) as client:
            answer = client.request(
                request.method,
                str(request.url),
                headers={name.decode(): value.decode("latin-1") for name, value in request.headers.raw},
                data=request.content,
                allow_redirects=False,
            )
            return httpx.Response(answer.status_code, headers=list(answer.headers.items()), content=answer.content)
