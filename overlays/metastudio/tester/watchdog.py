"""Ends an exchange that takes too long, however steadily its bytes drip in: httpx bounds each wait, not their sum."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class Watchdog:
    """Watches the exchanges of one client, one after the other, each for so many seconds.

    Give `notice` to httpx as the extension `trace` of each request: it tells of connections being made.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_bitten = False
        """Whether the last exchange took too long."""
        self._socket: socket.socket | None = None

    def notice(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the connection that is being used."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    @contextmanager
    def watching(self) -> Generator[None]:
        """Break the connection unless the exchange within is over in time."""
        self.has_bitten = False
        timer = threading.Timer(self.seconds, self._bite)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _bite(self) -> None:
        self.has_bitten = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed by now
                self._socket.shutdown(socket.SHUT_RDWR)
