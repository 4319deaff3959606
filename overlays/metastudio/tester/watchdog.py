"""A total timeout for a request. The timeouts of httpx apply to each read, so a slow trickle of bytes never ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Watchdog:
    """Closes the connection of a request that takes too long. Handles one request at a time.

    Pass `trace` to httpx as the extension `trace` of each request; it reports the connection in use.

    Args:
        seconds: total timeout of a request.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_fired = False
        """Whether the last request took too long."""
        self.has_connected = False
        """Whether the last request made a new connection."""
        self._socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Store the socket of the connection in use."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.has_connected = True
            self._socket = info["return_value"].get_extra_info("socket")

    @property
    def is_reused(self) -> bool:
        """Whether the last request went over a connection that an earlier one had made."""
        return self._socket is not None and not self.has_connected

    @contextmanager
    def watch(self) -> Generator[None]:
        """Close the connection if the block does not finish in time."""
        self.has_fired = self.has_connected = False
        timer = threading.Timer(self.seconds, self._fire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _fire(self) -> None:
        self.has_fired = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed already
                self._socket.shutdown(socket.SHUT_RDWR)
