"""A real HTTP server on the loopback interface that records the requests.

    with serve(lambda request: Answer(200)) as server:
        httpx.get(server.url + "/path?a=b")
        server.received[0].target          # "/path?a=b", as on the wire

The handler runs in the server's threads. Header names are in lower case, values as sent (latin-1).
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header that may occur at most once."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} arrived {len(values)} times"
        return values[0] if values else None


@dataclass(frozen=True)
class CannedResponse:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class LoopbackServer:
    url: str
    received: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _IPv6Server(_HTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serve(
    handler: Callable[[ReceivedRequest], CannedResponse], *, host: str = "127.0.0.1"
) -> Generator[LoopbackServer]:
    """Serve responses of `handler` on a free port of `host`: 127.0.0.1, 127.0.0.2, ... or ::1."""
    server: LoopbackServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = [(name.lower(), value) for name, value in self.headers.items()]
            received = ReceivedRequest(self.command, self.path, headers, body)
            server.received.append(received)
            response = handler(received)
            self.send_response_only(response.status)
            for name, value in {"Content-Length": str(len(response.body)), **response.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_CONNECT = _respond

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    httpd = (_IPv6Server if ":" in host else _HTTPServer)((host, 0), Handler)
    server = LoopbackServer(f"http://{f'[{host}]' if ':' in host else host}:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
