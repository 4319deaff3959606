"""Bare sockets: the time that the network and the server of the benchmark need without any client library.

The requests look like the signed requests of the other clients. Responses are read by Content-Length, not decoded.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from peers import PATH, PROJECT_ID

SIGNED = (
    f"User-Agent: bare\r\nAccept: */*\r\nX-Project-Id: {PROJECT_ID}\r\nX-Sdk-Date: 20251101T000000Z\r\n"
    f"Authorization: SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-project-id;x-sdk-date, Signature={'0' * 64}\r\n"
)


class BareConnection:
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
        target = f"{PATH}?limit={limit}&offset={offset}"
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n{SIGNED}\r\n".encode())
        self._parts, self._missing = [], None

    def receive(self) -> bytes | None:
        """Read the bytes that have arrived. Returns the body when it is complete, else None."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server of the benchmark closed the connection")
        if self._missing is None:
            head, _, part = part.partition(b"\r\n\r\n")
            self._missing = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        self._parts.append(part)
        self._missing -= len(part)
        return None if self._missing else b"".join(self._parts)


class SocketPeer:
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._url, self._ca = url, ca
        self._connections: list[BareConnection] = []

    def calls(self, offsets: Iterable[int], limit: int) -> None:
        if not self._connections:
            self._connections.append(BareConnection(self._url, self._ca))
        for offset in offsets:
            self._connections[0].send(offset, limit)
            while self._connections[0].receive() is None:
                pass

    def everything(self, page_size: int, concurrency: int, seen: Callable[[object], None]) -> None:
        """Request 10,000 jobs, a number known beforehand, over `concurrency` connections."""
        self.pages(page_size, 10_000 // page_size, concurrency)
        for _ in range(10_000):
            seen(None)

    def pages(self, limit: int, count: int, connections: int) -> None:
        """Request `count` pages of `limit` jobs over so many new connections."""
        offsets = iter(range(0, count * limit, limit))
        with selectors.DefaultSelector() as selector:
            for _ in range(connections):
                connection = BareConnection(self._url)
                self._connections.append(connection)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(next(offsets), limit)
            while count:
                for key, _ in selector.select():
                    if key.data.receive() is None:
                        continue
                    count -= 1
                    offset = next(offsets, None)
                    if offset is not None:
                        key.data.send(offset, limit)

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()


connect = SocketPeer
