"""Sockets and nothing else: what the network and the server of the benchmark need by themselves.

Sends what a signed request of the others looks like, and reads answers by their Content-Length, undecoded.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from peers import PROJECT_ID

TARGET = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"
SIGNED = (
    f"User-Agent: bare\r\nAccept: */*\r\nX-Project-Id: {PROJECT_ID}\r\nX-Sdk-Date: 20251101T000000Z\r\n"
    f"Authorization: SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-project-id;x-sdk-date, Signature={'0' * 64}\r\n"
)


class _Connection:
    def __init__(self, url: str, ca: str | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._host = f"{parts.hostname}:{parts.port}"
        self.socket: socket.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self._parts: list[bytes] = []
        self._missing: int | None = None

    def send(self, offset: int, limit: int) -> None:
        target = f"{TARGET}?limit={limit}&offset={offset}"
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n{SIGNED}\r\n".encode())
        self._parts, self._missing = [], None

    def receive(self) -> bytes | None:
        """Read what is there; the body once it is whole."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server of the benchmark has closed the connection")
        if self._missing is None:
            head, _, part = part.partition(b"\r\n\r\n")
            self._missing = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        self._parts.append(part)
        self._missing -= len(part)
        return None if self._missing else b"".join(self._parts)


class Peer:
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._url, self._ca = url, ca
        self._connections: list[_Connection] = []

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[bytes]:
        if not self._connections:
            self._connections.append(_Connection(self._url, self._ca))
        kept: list[bytes] = []
        for offset in offsets:
            self._connections[0].send(offset, limit)
            while (body := self._connections[0].receive()) is None:
                pass
            if keep:
                kept.append(body)
        return kept

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        """Get 10,000 jobs, a number that it knows, over so many connections at once."""
        for _ in self.pages(page_size, 10_000 // page_size, concurrency or 16):
            for _ in range(page_size):
                seen(None)

    def pages(self, limit: int, count: int, connections: int) -> list[bytes]:
        offsets = iter(range(0, count * limit, limit))
        bodies: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            for _ in range(connections):
                connection = _Connection(self._url)
                self._connections.append(connection)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(next(offsets), limit)
            while len(bodies) < count:
                for key, _ in selector.select():
                    body = key.data.receive()
                    if body is not None:
                        bodies.append(body)
                        offset = next(offsets, None)
                        if offset is not None:
                            key.data.send(offset, limit)
        return bodies

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()
