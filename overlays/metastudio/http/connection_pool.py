"""Connections for many requests at once: a transport of httpx's for each, with room for one connection.

httpx's own pool looks through all its connections, asking the system about each, and through all that wait, whenever
a request comes or goes, and promises one free connection to several requests, which then try again. With 16 requests in
flight that was a third of the CPU time, with a thousand tasks nearly all (docs/benchmarks.md). Here a request takes the
connection that was used last, or waits in line. What a connection is remains httpx's business: proxies, TLS, expiry.
HTTP/2, where one connection carries many requests, keeps httpx's pool.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from sys import maxsize
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterator

T = TypeVar("T")


def in_lanes(make: Callable[..., httpx.BaseTransport], *proxy: Any, **settings: Any) -> httpx.BaseTransport:
    """Return `Lanes` for what `make`, httpx's maker of transports, would give for these settings."""
    make = partial(make, *proxy)
    return Lanes(make, settings) if _apply(settings) else make(**settings)


def in_async_lanes(
    make: Callable[..., httpx.AsyncBaseTransport], *proxy: Any, **settings: Any
) -> httpx.AsyncBaseTransport:
    """Do as `in_lanes` does."""
    make = partial(make, *proxy)
    return AsyncLanes(make, settings) if _apply(settings) else make(**settings)


def _apply(settings: dict[str, Any]) -> bool:
    return not settings["http2"] and settings.get("transport") is None


class _Lanes(Generic[T]):
    """The lanes, without the I/O: which are free, and since when."""

    def __init__(self, make: Callable[..., T], settings: dict[str, Any]) -> None:
        limits: httpx.Limits = settings["limits"]
        most = limits.max_keepalive_connections
        one = httpx.Limits(
            max_connections=1,
            max_keepalive_connections=None if most is None else min(1, most),
            keepalive_expiry=limits.keepalive_expiry,
        )
        self._make: Callable[[], T] = lambda: make(**{**settings, "limits": one})
        self._most_free = maxsize if most is None else most
        self._patience = limits.keepalive_expiry
        # The first is made at once, so that settings that cannot work are found out.
        self._free = deque[tuple[T, float]]([(self._make(), time.monotonic())])
        self._busy = set[T]()
        self._lock = threading.Lock()
        self.turns = maxsize if limits.max_connections is None else limits.max_connections

    def take(self) -> T:
        with self._lock:
            lane = self._free.pop()[0] if self._free else self._make()
            self._busy.add(lane)
            return lane

    def give_back(self, lane: T, *, usable: bool = True) -> list[T]:
        """End the use of a lane. Returns those to be closed: this one, others that nobody used for long."""
        now = time.monotonic()
        with self._lock:
            kept = usable and lane in self._busy and len(self._free) < self._most_free
            ended = [] if kept else [lane]
            self._busy.discard(lane)
            if kept:
                self._free.append((lane, now))
            while self._patience is not None and self._free and self._free[0][1] + self._patience < now:
                ended.append(self._free.popleft()[0])
            return ended

    def give_up(self) -> list[T]:
        """Return all lanes, to be closed."""
        with self._lock:
            ended = [*self._busy, *(lane for lane, _ in self._free)]
            self._busy.clear()
            self._free.clear()
            return ended


class Lanes(httpx.BaseTransport):
    """For threads."""

    def __init__(self, make: Callable[..., httpx.BaseTransport], settings: dict[str, Any]) -> None:
        self._lanes = _Lanes(make, settings)
        self._turns = threading.Semaphore(self._lanes.turns)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; its turn lasts until the answer is closed.

        Raises httpx.PoolTimeout when no turn came in the time that the request allows.
        """
        if not self._turns.acquire(timeout=_patience(request)):
            raise httpx.PoolTimeout(_TOO_LONG)
        lane = self._lanes.take()
        try:
            response = lane.handle_request(request)
        except BaseException:  # a cancelled request too leaves a connection that may hold half an answer
            self._end(lane, usable=False)
            raise
        response.stream = _Stream(response.stream, lambda: self._end(lane))
        return response

    def _end(self, lane: httpx.BaseTransport, *, usable: bool = True) -> None:
        try:
            for each in self._lanes.give_back(lane, usable=usable):
                each.close()
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close all connections, also those in use."""
        for lane in self._lanes.give_up():
            lane.close()


class AsyncLanes(httpx.AsyncBaseTransport):
    """For tasks of asyncio."""

    def __init__(self, make: Callable[..., httpx.AsyncBaseTransport], settings: dict[str, Any]) -> None:
        self._lanes = _Lanes(make, settings)
        self._turns = self._lanes.turns
        self._waiting = deque["asyncio.Future[None]"]()  # no semaphore, for that belongs to one event loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `Lanes.handle_request`."""
        await self._wait(_patience(request))
        lane = self._lanes.take()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:  # a cancelled request too leaves a connection that may hold half an answer
            await self._end(lane, usable=False)
            raise
        response.stream = _AsyncStream(response.stream, lambda: self._end(lane))
        return response

    async def _wait(self, patience: float | None) -> None:
        if self._turns:
            self._turns -= 1
            return
        import asyncio

        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._next()
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout(_TOO_LONG) from None
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._turns += 1

    async def _end(self, lane: httpx.AsyncBaseTransport, *, usable: bool = True) -> None:
        try:
            for each in self._lanes.give_back(lane, usable=usable):
                await each.aclose()
        finally:
            self._next()

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        for lane in self._lanes.give_up():
            await lane.aclose()


class _Stream(httpx.SyncByteStream):
    """The body of an answer, which ends a turn when it is closed."""

    def __init__(self, stream: Any, end: Callable[[], None]) -> None:
        self._stream = stream
        self._end: Callable[[], None] | None = end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        end, self._end = self._end, None
        try:
            self._stream.close()
        finally:
            if end is not None:
                end()


class _AsyncStream(httpx.AsyncByteStream):
    """As `_Stream`."""

    def __init__(self, stream: Any, end: Callable[[], Any]) -> None:
        self._stream = stream
        self._end: Callable[[], Any] | None = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        end, self._end = self._end, None
        try:
            await self._stream.aclose()
        finally:
            if end is not None:
                await end()


_TOO_LONG = "no connection became free in the time allowed"


def _patience(request: httpx.Request) -> float | None:
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("pool")
