"""The body of an answer: as it comes in, under a deadline, and as JSON that is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


class ParsedResponse(httpx.Response):
    """An answer whose JSON was read for the check; the generated parser gets that, not a second reading of it."""

    parsed: Any

    @classmethod
    def of(cls, response: httpx.Response, parsed: Any) -> None:
        """Make `response` one of this class; httpx's transports leave no other way to it."""
        response.__class__ = cls
        cast(ParsedResponse, response).parsed = parsed

    def json(self, **kwargs: Any) -> Any:
        """Hand out what was read, once: a later caller must not see what this one made of it."""
        self.__class__ = httpx.Response  # type: ignore[assignment]
        parsed = self.__dict__.pop("parsed")
        return httpx.Response.json(self, **kwargs) if kwargs else parsed


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer as it comes in, until the deadline.

    Of an answer that is not success it keeps the bytes, for a broken content encoding must not hide what was said.
    `undecodable` has them once `drain` was called.
    """

    def __init__(self, response: httpx.Response, clock: Callable[[], float], deadline: float | None) -> None:
        self._stream: Any = response.stream
        self._parts: Any = None
        self._clock = clock
        self._deadline = deadline
        self._kept: list[bytes] | None = None if response.is_success else []
        self.undecodable: bytes | None = None

    # Its own iterator, not a generator, for that would end when httpx gives up decoding.
    def __iter__(self) -> Iterator[bytes]:
        self._parts = iter(self._stream)
        return self

    def __next__(self) -> bytes:
        return self._seen(next(self._parts))

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._parts = aiter(self._stream)
        return self

    async def __anext__(self) -> bytes:
        return self._seen(await anext(self._parts))

    def _seen(self, part: bytes) -> bytes:
        if self._kept is not None:
            self._kept.append(part)
        if self._deadline is not None and self._clock() > self._deadline:
            raise httpx.ReadTimeout("the time allowed for the call is used up")
        return part

    def drain(self) -> None:
        """Read what is left, undecoded."""
        for part in self._parts:
            self._seen(part)
        self.undecodable = b"".join(self._kept or ())

    async def adrain(self) -> None:
        """Read what is left, undecoded."""
        async for part in self._parts:
            self._seen(part)
        self.undecodable = b"".join(self._kept or ())

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._stream.aclose()
