"""Reads a response: its body under the deadline of the call, and its JSON as the contract declares it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx

from metastudio.contract.structure import Mismatch

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation


class DeadlineStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response. Reading it times out at the deadline of the call, however slowly the server drips.

    Args:
        response: The response, not yet read.
        clock: Returns monotonic seconds.
        deadline: When the call ends on that clock, or None.

    Attributes:
        received: The bytes of an error response as they were on the wire, because a broken content encoding must not
            hide the error message.
    """

    def __init__(self, response: httpx.Response, clock: Callable[[], float], deadline: float | None) -> None:
        self._stream: Any = response.stream
        self._clock = clock
        self._deadline = deadline
        self._keep = not response.is_success
        self.received = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._check(chunk)
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._check(chunk)
            yield chunk

    def _check(self, chunk: bytes) -> None:
        if self._keep:
            self.received += chunk
        if self._deadline is not None and self._clock() > self._deadline:
            raise httpx.ReadTimeout("the time allowed for the call is used up")

    def close(self) -> None:
        """Release the connection."""
        self._stream.close()

    async def aclose(self) -> None:
        """Release the connection."""
        await self._stream.aclose()


def parse_success(response: httpx.Response, operation: Operation, *, decodable: bool) -> tuple[Any, Mismatch | None]:
    """Parse a successful response and check it against the contract.

    Args:
        response: A successful response that has been read.
        operation: The operation that was called.
        decodable: Whether its content encoding could be decoded.

    Returns:
        The parsed body (None if the contract declares no JSON for this status), and where it does not match.
    """
    status = response.status_code
    if status not in operation.success:
        return None, Mismatch("", f"the contract declares only status {', '.join(map(str, operation.success))}")
    structure = operation.success[status]
    if structure is None:
        return None, None
    if not decodable:
        return None, Mismatch("", "the body's content encoding is broken")
    try:
        value = json.loads(response.content)
    except (ValueError, RecursionError):
        return None, Mismatch("", f"expected JSON, got {_kind(response.content)}")
    return value, structure.mismatch(value)


def _kind(body: bytes) -> str:
    if not body:
        return "an empty body"
    if body.lstrip()[:1] == b"<":
        return "an HTML or XML page (a proxy, a login page, a wrong base URL?)"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "bytes that are not UTF-8 text"
    return "text that is not JSON, or cut short"
