"""A connection pool for many requests at once: an `httpx.BaseTransport` given to httpx by its public `transport=`.

httpx's own pool searches all its connections, with a system call for each, and all waiting requests, whenever a request
comes or goes. docs/decisions/0005-connection-pool.md says what was measured. Here a request takes the
connection used last, or waits in line. Each connection is a transport of httpx's with room for one, so TLS, HTTP and
expiry remain httpx's business.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from queue import Empty, SimpleQueue
from sys import maxsize
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class _Connections(Generic[T]):
    """The connections of a pool: idle ones with the time of their last use, and those in use.

    The lock covers bookkeeping only: connections are made and closed outside it.
    """

    def __init__(self, make: Callable[..., T], limits: httpx.Limits) -> None:
        kept = limits.max_keepalive_connections
        self._limits = httpx.Limits(
            max_connections=1,
            max_keepalive_connections=None if kept is None else min(1, kept),
            keepalive_expiry=limits.keepalive_expiry,
        )
        self._make = make
        self._max_idle = maxsize if kept is None else kept
        self._expiry = limits.keepalive_expiry
        self._idle = deque[tuple[T, float]]()
        self._used = set[T]()
        self._lock = threading.RLock()  # a finaliser may release a connection while this thread holds it
        self.max_connections = maxsize if limits.max_connections is None else limits.max_connections

    def take(self) -> T:
        """Return the connection that was used last, or a new one."""
        with self._lock:
            if self._idle:
                connection, _ = self._idle.pop()
                self._used.add(connection)
                return connection
        connection = self._make(limits=self._limits)
        with self._lock:
            self._used.add(connection)
        return connection

    def release(self, connection: T, *, reusable: bool) -> list[T]:
        """End the use of a connection. Return the connections to close: this one, or idle ones that have expired."""
        now = time.monotonic()
        with self._lock:
            in_pool = connection in self._used  # not after the pool was closed
            self._used.discard(connection)
            if not (reusable and in_pool and len(self._idle) < self._max_idle):
                return [connection]
            self._idle.append((connection, now))
            expired: list[T] = []
            while self._expiry is not None and self._idle and self._idle[0][1] + self._expiry < now:
                expired.append(self._idle.popleft()[0])
            return expired

    def clear(self) -> list[T]:
        """Return all connections, to be closed."""
        with self._lock:
            all_connections = [*self._used, *(connection for connection, _ in self._idle)]
            self._used.clear()
            self._idle.clear()
            return all_connections


class ConnectionPool(httpx.BaseTransport):
    """A connection pool for `httpx.Client`. Thread-safe.

    Args:
        make: Makes an httpx transport with the given `limits`.
        limits: The limits of the whole pool.
    """

    def __init__(self, make: Callable[..., httpx.BaseTransport], limits: httpx.Limits) -> None:
        self._connections = _Connections(make, limits)
        # A queue of free slots and not a semaphore, because a finaliser may put into it at any point.
        self._slots: SimpleQueue[None] | None = None
        if self._connections.max_connections < maxsize:
            self._slots = SimpleQueue()
            for _ in range(self._connections.max_connections):
                self._slots.put(None)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request. Its connection is in use until the response is closed.

        Raises:
            httpx.PoolTimeout: no connection became free in the time that the request allows.
        """
        if self._slots is not None:
            try:
                self._slots.get(timeout=_pool_timeout(request))
            except Empty:
                raise httpx.PoolTimeout(_POOL_TIMEOUT) from None
        connection = self._connections.take()
        try:
            response = connection.handle_request(request)
        except BaseException:  # an interrupt too leaves a connection that may hold half a response
            self._release(connection, reusable=False)
            raise
        response.stream = _PooledBody(response.stream, lambda whole: self._release(connection, reusable=whole))
        return response

    def _release(self, connection: httpx.BaseTransport, *, reusable: bool) -> None:
        try:
            for each in self._connections.release(connection, reusable=reusable):
                each.close()
        finally:
            if self._slots is not None:
                self._slots.put(None)

    def close(self) -> None:
        """Close all connections, also those in use."""
        for connection in self._connections.clear():
            connection.close()


class AsyncConnectionPool(httpx.AsyncBaseTransport):
    """A connection pool for `httpx.AsyncClient`; see `ConnectionPool`."""

    def __init__(self, make: Callable[..., httpx.AsyncBaseTransport], limits: httpx.Limits) -> None:
        self._connections = _Connections(make, limits)
        self._slots = self._connections.max_connections
        self._waiting = deque["asyncio.Future[None]"]()  # not a semaphore, which belongs to one event loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `ConnectionPool.handle_request`."""
        await self._acquire(_pool_timeout(request))
        connection = self._connections.take()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:  # a cancelled request too leaves a connection that may hold half a response
            await self._release(connection, reusable=False)
            raise
        response.stream = _AsyncPooledBody(response.stream, lambda whole: self._release(connection, reusable=whole))
        return response

    async def _acquire(self, seconds: float | None) -> None:
        if self._slots:
            self._slots -= 1
            return
        import asyncio

        slot = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        try:
            async with asyncio.timeout(seconds):
                await slot
        except BaseException as error:
            if slot.done() and not slot.cancelled():
                self._free_slot()
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout(_POOL_TIMEOUT) from None
            raise

    def _free_slot(self) -> None:
        while self._waiting:
            slot = self._waiting.popleft()
            if not slot.done():
                slot.set_result(None)
                return
        self._slots += 1

    async def _release(self, connection: httpx.AsyncBaseTransport, *, reusable: bool) -> None:
        try:
            for each in self._connections.release(connection, reusable=reusable):
                await each.aclose()
        finally:
            self._free_slot()

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        for connection in self._connections.clear():
            await connection.aclose()


class _PooledBody(httpx.SyncByteStream):
    """The body of a response. Closing it releases the connection, for reuse only when closing went through."""

    def __init__(self, stream: Any, release: Callable[[bool], None]) -> None:
        self._stream = stream
        self._release: Callable[[bool], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        release, self._release = self._release, None
        whole = False
        try:
            self._stream.close()
            whole = True
        finally:
            if release is not None:
                release(whole)


class _AsyncPooledBody(httpx.AsyncByteStream):
    """As `_PooledBody`. A cancelled task can cut closing short, which leaves a connection that never becomes idle."""

    def __init__(self, stream: Any, release: Callable[[bool], Awaitable[None]]) -> None:
        self._stream = stream
        self._release: Callable[[bool], Awaitable[None]] | None = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        release, self._release = self._release, None
        whole = False
        try:
            await self._stream.aclose()
            whole = True
        finally:
            if release is not None:
                await release(whole)


_POOL_TIMEOUT = "all connections are in use"


def _pool_timeout(request: httpx.Request) -> float | None:
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("pool")
