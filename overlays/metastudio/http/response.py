"""Reads a response: its body under the call's deadline, and the JSON that the contract promises."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx

from metastudio.contract.structure import Mismatch

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation


class TimedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response, which times out at the call's deadline, however slowly the server drips.

    Attributes:
        received: the bytes of an error response as they were on the wire, because a broken content encoding must
            not hide what the server said.
    """

    def __init__(self, response: httpx.Response, overdue: Callable[[], bool]) -> None:
        self._stream: Any = response.stream
        self._chunks: Any = None
        self._overdue = overdue
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
        if self._overdue():
            raise httpx.ReadTimeout("the time allowed for the call is used up")

    def close(self) -> None:
        """Release the connection."""
        self._stream.close()

    async def aclose(self) -> None:
        """Release the connection."""
        await self._stream.aclose()


def read_promised(response: httpx.Response, operation: Operation, *, decodable: bool) -> tuple[Any, Mismatch | None]:
    """Read the JSON of a successful response and check the structure that the contract promises.

    Args:
        response: a successful response that has been read.
        operation: the operation that it answers.
        decodable: whether its content encoding could be decoded.

    Returns:
        The parsed body (None where the contract promises no JSON for this status), and what is wrong with it.
    """
    status = response.status_code
    if status not in operation.success:
        return None, Mismatch("", f"the contract promises status {', '.join(map(str, operation.success))}")
    structure = operation.success[status]
    if structure is None:
        return None, None
    if not decodable:
        return None, Mismatch("", "the body's content encoding is broken")
    try:
        value = json.loads(response.content)
    except (ValueError, RecursionError):
        return None, Mismatch("", f"the body is {_kind(response.content)} where JSON is promised")
    return value, structure.mismatch(value)


def _kind(body: bytes) -> str:
    if not body:
        return "empty"
    if body.lstrip()[:1] == b"<":
        return "an HTML or XML page (a proxy, a login page, a wrong base URL?)"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not UTF-8 text"
    return "text that is not JSON, or cut short"
