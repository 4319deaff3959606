"""A server that responds with the example named in the path, and records the queries."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class EchoServer:
    """A running server.

    Attributes:
        url: Its base URL.
        queries: The raw query strings of all requests so far.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.queries: list[str] = []


@contextmanager
def echo(responses: Mapping[str, Any]) -> Generator[EchoServer]:
    """Serve `responses` until the block ends: GET /v1/NAME/... returns the response of that name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path)[2:4]
            running.queries.append(query)
            name = path.split("/")[2] if path.count("/") > 1 else ""
            body = json.dumps(responses.get(name, {"error_code": "X", "error_msg": "no such response"})).encode()
            self.send_response(200 if name in responses else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", "echo-1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = EchoServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
