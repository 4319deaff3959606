"""A connection pool for many requests at once: an `httpx.BaseTransport` given to httpx by its public `transport=`.

httpx's own pool searches all its connections, with a system call for each, and all waiting requests, whenever a request
comes or goes. docs/decisions/0005-connection-pool.md says what was measured. Here a request takes the
connection used last, or waits in line. Each connection is an `httpcore.HTTPConnection`, the one that httpx's pool
uses, so TLS, HTTP and expiry remain httpcore's business.
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

from metastudio.http.deadline import limit_connections

if TYPE_CHECKING:
    import asyncio
    import ssl

    import httpcore

C = TypeVar("C", bound="httpcore.HTTPConnection | httpcore.AsyncHTTPConnection")


class _Connections(Generic[C]):
    """The connections of a pool: idle ones with the time of their last use, and those in use.

    The lock covers bookkeeping only: connections are made and closed outside it.
    """

    def __init__(self, make: Callable[..., C], ssl_context: ssl.SSLContext | None, limits: httpx.Limits) -> None:
        kept = limits.max_keepalive_connections
        self._make = make
        self._ssl_context = ssl_context
        self._max_idle = maxsize if kept is None else kept
        self._expiry = limits.keepalive_expiry
        self._idle = deque[tuple[C, float]]()
        self._used = set[C]()
        self._lock = threading.RLock()  # a finaliser may release a connection while this thread holds it
        self.max_connections = maxsize if limits.max_connections is None else limits.max_connections

    def take(self, origin: httpcore.Origin) -> tuple[C, C | None, bool]:
        """Return the connection that was used last, or a new one; then one to close, and whether the first is new."""
        idle: C | None = None
        with self._lock:
            if self._idle:
                idle, _ = self._idle.pop()
                self._used.add(idle)
        if idle is not None:
            if idle.can_handle_request(origin) and not idle.has_expired():
                return idle, None, False
            with self._lock:
                self._used.discard(idle)
        made = self._make(origin, ssl_context=self._ssl_context, keepalive_expiry=self._expiry)
        with self._lock:
            self._used.add(made)
        return made, idle, True

    def release(self, connection: C) -> list[C]:
        """End the use of a connection. Return the connections to close: this one, or idle ones that have expired."""
        now = time.monotonic()
        reusable = connection.is_idle()  # its response was received whole and closed
        with self._lock:
            in_pool = connection in self._used  # not after the pool was closed
            self._used.discard(connection)
            if not (reusable and in_pool and len(self._idle) < self._max_idle):
                return [connection]
            self._idle.append((connection, now))
            expired: list[C] = []
            while self._expiry is not None and self._idle and self._idle[0][1] + self._expiry < now:
                expired.append(self._idle.popleft()[0])
            return expired

    def clear(self) -> list[C]:
        """Return all connections, to be closed."""
        with self._lock:
            all_connections = [*self._used, *(connection for connection, _ in self._idle)]
            self._used.clear()
            self._idle.clear()
            return all_connections


class ConnectionPool(httpx.BaseTransport):
    """A connection pool for `httpx.Client`. Thread-safe.

    Args:
        ssl_context: The TLS context.
        limits: The limits of the whole pool.
        make: `httpcore.HTTPConnection`; replaced by tests.
    """

    def __init__(
        self,
        ssl_context: ssl.SSLContext | None,
        limits: httpx.Limits,
        make: Callable[..., httpcore.HTTPConnection] | None = None,
    ) -> None:
        import httpcore  # slow to import, as httpx knows too

        self._connections = _Connections(make or httpcore.HTTPConnection, ssl_context, limits)
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
        sent = _for_httpcore(request)
        if self._slots is not None:
            try:
                self._slots.get(timeout=_pool_timeout(request))
            except Empty:
                raise httpx.PoolTimeout(_POOL_TIMEOUT) from None
        connection, unusable, is_new = self._connections.take(sent.url.origin)
        try:
            if unusable is not None:
                unusable.close()
            if is_new:
                limit_connections(sent)
            received = connection.handle_request(sent)
        except BaseException as error:  # noqa: BLE001 - an interrupt too may leave half a response
            self._release(connection)
            raise _for_httpx(error)  # noqa: B904 - it has its cause
        return _response(received, _PooledBody(received.stream, lambda: self._release(connection)))

    def _release(self, connection: httpcore.HTTPConnection) -> None:
        try:
            for each in self._connections.release(connection):
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

    def __init__(
        self,
        ssl_context: ssl.SSLContext | None,
        limits: httpx.Limits,
        make: Callable[..., httpcore.AsyncHTTPConnection] | None = None,
    ) -> None:
        import httpcore

        self._connections = _Connections(make or httpcore.AsyncHTTPConnection, ssl_context, limits)
        self._slots = self._connections.max_connections
        self._waiting = deque["asyncio.Future[None]"]()  # not a semaphore, which belongs to one event loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `ConnectionPool.handle_request`."""
        sent = _for_httpcore(request)
        await self._acquire(_pool_timeout(request))
        connection, unusable, _ = self._connections.take(sent.url.origin)
        try:
            if unusable is not None:
                await unusable.aclose()
            received = await connection.handle_async_request(sent)
        except BaseException as error:  # noqa: BLE001 - a cancelled one too may leave half a response
            await self._release(connection)
            raise _for_httpx(error)  # noqa: B904 - it has its cause
        return _response(received, _AsyncPooledBody(received.stream, lambda: self._release(connection)))

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

    async def _release(self, connection: httpcore.AsyncHTTPConnection) -> None:
        try:
            for each in self._connections.release(connection):
                await each.aclose()
        finally:
            self._free_slot()

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        for connection in self._connections.clear():
            await connection.aclose()


class _PooledBody(httpx.SyncByteStream):
    """The body of a response. Closing it releases the connection."""

    def __init__(self, stream: Any, release: Callable[[], None]) -> None:
        self._stream = stream
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except Exception as error:  # noqa: BLE001 - raised again
            raise _for_httpx(error)  # noqa: B904 - it has its cause

    def close(self) -> None:
        release, self._release = self._release, None
        try:
            self._stream.close()
        finally:
            if release is not None:
                release()


class _AsyncPooledBody(httpx.AsyncByteStream):
    """As `_PooledBody`. A cancelled task can cut closing short, which leaves a connection that never becomes idle."""

    def __init__(self, stream: Any, release: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except Exception as error:  # noqa: BLE001 - raised again
            raise _for_httpx(error)  # noqa: B904 - it has its cause

    async def aclose(self) -> None:
        release, self._release = self._release, None
        try:
            await self._stream.aclose()
        finally:
            if release is not None:
                await release()


_POOL_TIMEOUT = "all connections are in use"


def _pool_timeout(request: httpx.Request) -> float | None:
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("pool")


def _for_httpcore(request: httpx.Request) -> httpcore.Request:
    import httpcore

    url = request.url
    if url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"the URL has the scheme {url.scheme!r}")
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore.Request(
        request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
    )


def _response(received: httpcore.Response, body: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    return httpx.Response(received.status, headers=received.headers, stream=body, extensions=received.extensions)


def _for_httpx(error: BaseException) -> BaseException:
    """Return the exception of httpx that has the name of one of httpcore's; others unchanged."""
    import httpcore

    if isinstance(error, httpcore.ConnectionNotAvailable):  # another thread has closed the pool meanwhile
        return httpx.ConnectError("the connection was closed before the request was sent")
    errors = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)
    if not isinstance(error, errors):
        return error
    found: BaseException = getattr(httpx, type(error).__name__)(str(error))
    found.__cause__ = error
    return found
