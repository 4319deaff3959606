"""A server that answers with what the path's project says, and remembers how it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Echo:
    """`url` is where it listens, `queries` the raw query strings that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.queries: list[str] = []


@contextmanager
def echo(answers: Mapping[str, Any]) -> Generator[Echo]:
    """Serve `answers`: GET /v1/NAME/... gives the answer of that name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path)[2:4]
            seen.queries.append(query)
            name = path.split("/")[2] if path.count("/") > 1 else ""
            body = json.dumps(answers.get(name, {"error_code": "X", "error_msg": "no such answer"})).encode()
            self.send_response(200 if name in answers else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", "echo-1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen = Echo(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
