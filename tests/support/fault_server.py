"""A raw-socket server that injects one fault per request.

    with FaultServer([reset(), respond(200, b"{}")]) as server:
        ...
        server.heads      # the head of each request as bytes

A fault is a function that gets the connection after a request was read from it. It returns whether the connection
stays open for the next request. The last fault of the script repeats.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

SocketFault = Callable[[socket.socket], bool]

_GUARD = 10.0  # seconds until an idle connection ends, so that no test hangs


class FaultServer:
    def __init__(self, script: Sequence[SocketFault]) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._script = list(script)
        self._lock = threading.Lock()
        self._requested = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for_request(self) -> None:
        """Wait until a request was read."""
        assert self._requested.wait(_GUARD)

    def wait_until_closed(self) -> None:
        """Wait until the client has closed all its connections."""
        for thread in self._threads[1:]:
            thread.join(_GUARD)
            assert not thread.is_alive(), "the client keeps a connection open"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_GUARD)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_GUARD)
            thread = threading.Thread(target=self._serve, args=(connection,))
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                while (head := _read_head(connection)) and self._next(head)(connection):
                    pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _next(self, head: bytes) -> SocketFault:
        with self._lock:
            self.heads.append(head)
            self._requested.set()
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def _read_head(connection: socket.socket) -> bytes:
    """Read a request. Returns its head, without the body, which may hold a password."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (part := connection.recv(left)):
        left -= len(part)
    return head + end


def raw(data: bytes, *, keep: bool = False) -> SocketFault:
    """Send these bytes, then close the connection unless `keep`."""

    def fault(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return fault


def respond(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> SocketFault:
    """Send a valid HTTP response."""
    fields = {"Content-Length": str(len(body)), "Content-Type": "application/json", "X-Request-Id": "req-1"}
    fields |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return raw(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body, keep=True)


def reset(after: bytes = b"") -> SocketFault:
    """Send `after`, then reset the connection (RST, not FIN)."""

    def fault(connection: socket.socket) -> bool:
        if after:
            connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return fault


def stall(after: bytes = b"") -> SocketFault:
    """Send `after`, then nothing until the client closes the connection."""

    def fault(connection: socket.socket) -> bool:
        connection.sendall(after)
        while connection.recv(65536):
            pass
        return False

    return fault


def drip(start: bytes, again: bytes, pause: float = 0.02) -> SocketFault:
    """Send `start`, then `again` every `pause` seconds without end."""

    def fault(connection: socket.socket) -> bool:
        connection.sendall(start)
        while True:
            time.sleep(pause)
            connection.sendall(again)

    return fault


def broken_gzip(status: int, body: bytes) -> SocketFault:
    """Send a plain body with `Content-Encoding: gzip`."""
    return respond(status, body, {"Content-Encoding": "gzip"})


def gzipped(status: int, body: bytes, *, keep: int | None = None) -> SocketFault:
    """Send a body in gzip, cut after `keep` bytes."""
    return respond(status, gzip.compress(body)[:keep], {"Content-Encoding": "gzip"})


@contextlib.contextmanager
def unused_port() -> Generator[int, None, None]:
    """Yield a port that refuses connections: bound, not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


@contextlib.contextmanager
def full_backlog() -> Generator[int, None, None]:
    """Yield a port where no connection is established: its queue is full, so Linux drops the SYN."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
