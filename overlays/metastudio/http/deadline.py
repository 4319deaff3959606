"""Ends a blocking call at its deadline, even if the server sends byte by byte.

The timeouts of httpx are for one read each, so a server that sends a byte at a time could hold a call for ever. An
asynchronous call is cancelled at its deadline. A blocking one cannot be, so here each read and write of a connection
gets no more time than the call has left: docs/decisions/0007-deadline.md.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx

from metastudio.http.trailing_data import note_received

if TYPE_CHECKING:
    import httpcore

DEADLINE_PASSED = "the time allowed for the call is used up"

_MARK = "metastudio_deadline"


class _Thread(threading.local):
    """The deadline of the current thread's call: `end`, in monotonic seconds. httpx has no parameter for it."""

    end = inf


_thread = _Thread()


@contextmanager
def deadline(seconds: float | None) -> Generator[None, None, None]:
    """Limit all blocking I/O inside the block to so many seconds; None means no limit."""
    before = _thread.end
    _thread.end = inf if seconds is None else monotonic() + seconds
    try:
        yield
    finally:
        _thread.end = before


def time_left(wait: float | None = None) -> float | None:
    """Return the seconds to wait for I/O: `wait`, or what the call has left if that is less; None means no limit.

    Raises:
        httpx.ReadTimeout: The deadline has passed.
    """
    left = _thread.end - monotonic()
    if left <= 0:
        raise httpx.ReadTimeout(DEADLINE_PASSED)
    if wait is not None and wait <= left:
        return wait
    return None if left == inf else left


def limit_connections(request: httpx.Request | httpcore.Request) -> None:
    """Make the connections that are opened for a request never wait beyond the deadline of the call that uses them."""
    if _MARK not in request.extensions:
        request.extensions[_MARK] = True
        request.extensions["trace"] = _ConnectionTrace(request.extensions.get("trace"))


class _ConnectionTrace:
    """A `trace` extension that gets hold of each network stream that httpx opens.

    Args:
        trace: The `trace` extension that the request has already.
    """

    def __init__(self, trace: Callable[[str, Any], Any] | None) -> None:
        self._trace = trace

    def __call__(self, event: str, info: Any) -> Any:
        if event.endswith((".connect_tcp.complete", ".connect_unix_socket.complete", ".start_tls.complete")):
            _limit(info["return_value"])
        return None if self._trace is None else self._trace(event, info)


def _limit(stream: Any) -> None:
    """Limit what a network stream waits, by the public methods of `httpcore.NetworkStream`."""
    methods, this = type(stream), weakref.ref(stream)  # no cycle, so that an abandoned socket is closed at once

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        received: bytes = methods.read(this(), max_bytes, time_left(timeout))
        note_received(this())
        return received

    def write(buffer: bytes, timeout: float | None = None) -> None:
        methods.write(this(), buffer, time_left(timeout))

    def start_tls(ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        return methods.start_tls(this(), ssl_context, server_hostname, time_left(timeout))

    stream.read, stream.write, stream.start_tls = read, write, start_tls
