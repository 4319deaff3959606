"""Refuses a response that was received before its request was sent.

Bytes after a complete response stay in the buffer of httpcore, which would take them for the response to the next
request on that connection, maybe of another caller. Such a response is recognised because nothing was read for it.
"""

from __future__ import annotations

import weakref
from typing import Any

import httpx

_RECEIVED = "metastudio_received"  # attribute of a network stream: whether bytes came since the last response ended


def note_received(stream: Any) -> None:
    """Note that bytes were read from a network stream."""
    setattr(stream, _RECEIVED, True)


def refuse_trailing_data(response: httpx.Response) -> None:
    """Check a response whose headers have arrived.

    Raises:
        httpx.RemoteProtocolError: No byte of it was read since the last response of the connection ended.
    """
    if not getattr(_stream_of(response), _RECEIVED, True):
        raise httpx.RemoteProtocolError("the server sent more than one response to a request")


def watch(response: httpx.Response) -> None:
    """Note what is read from now on from the connection of an async response. `deadline` notes it for blocking ones."""
    stream = _stream_of(response)
    if stream is None or hasattr(stream, _RECEIVED):
        return
    note_received(stream)
    methods, this = type(stream), weakref.ref(stream)  # no cycle, so that an abandoned socket is closed at once

    async def read(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's parameter
        received: bytes = await methods.read(this(), max_bytes, timeout)
        note_received(this())
        return received

    stream.read = read


def ended(response: httpx.Response) -> None:
    """Note that a response was closed."""
    stream = _stream_of(response)
    if hasattr(stream, _RECEIVED):
        setattr(stream, _RECEIVED, False)


def _stream_of(response: httpx.Response) -> Any:
    """Return the network stream, if only one response at a time is received through it."""
    if response.extensions.get("http_version") == b"HTTP/2":
        return None
    return response.extensions.get("network_stream")
