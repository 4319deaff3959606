"""The connection pool: how many connections there are, which is taken, when they are closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import httpx
import pytest
from fault_server import FaultServer, raw, reset, respond, stall
from metastudio import errors
from metastudio.http.connection_pool import AsyncConnectionPool, ConnectionPool
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session

OK = respond(200, b"{}")
ONCE = RetryPolicy(max_retries=0)


def limits(most: int | None = 32, kept: int | None = 32, expiry: float | None = 30.0) -> httpx.Limits:
    return httpx.Limits(max_connections=most, max_keepalive_connections=kept, keepalive_expiry=expiry)


class FakeConnection(httpcore.HTTPConnection):
    """Responds once `go` is set, and counts its requests."""

    def __init__(self, go: threading.Event | None = None) -> None:
        self.requests = 0
        self.closed = False
        self._go = go

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return True

    def has_expired(self) -> bool:
        return False

    def is_idle(self) -> bool:
        return True

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        self.requests += 1
        if self._go is not None:
            assert self._go.wait(10)
        return httpcore.Response(200, content=httpx.ByteStream(b"{}"))

    def close(self) -> None:
        self.closed = True


def pool_of(made: list[FakeConnection], given: httpx.Limits, go: threading.Event | None = None) -> ConnectionPool:
    def make(_: httpcore.Origin, **options: Any) -> FakeConnection:
        made.append(FakeConnection(go))
        return made[-1]

    return ConnectionPool(None, given, make)


REQUEST = httpx.Request("GET", "http://127.0.0.1/")


def test_sequential_requests_share_one_connection() -> None:
    with FaultServer([OK]) as server, Session(base_url=server.url) as session:
        for _ in range(5):
            session.get("/")
        assert server.connections == 1


def test_a_connection_is_in_use_until_the_response_is_closed() -> None:
    made: list[FakeConnection] = []
    transport = pool_of(made, limits())
    first = transport.handle_request(REQUEST)
    second = transport.handle_request(REQUEST)
    second.close()
    first.close()
    first.close()  # closing twice is harmless
    transport.handle_request(REQUEST)
    assert [each.requests for each in made] == [2, 1]


def test_no_more_than_the_limit() -> None:
    made: list[FakeConnection] = []
    go = threading.Event()
    transport = pool_of(made, limits(3), go)
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(lambda: transport.handle_request(REQUEST).close()) for _ in range(50)]
        go.set()
        for future in futures:
            future.result()
    assert len(made) <= 3
    assert sum(each.requests for each in made) == 50


def test_no_limit() -> None:
    made: list[FakeConnection] = []
    transport = pool_of(made, limits(None, None, None))
    answers = [transport.handle_request(REQUEST) for _ in range(200)]
    for each in answers:
        each.close()
    assert len(made) == 200
    assert not any(each.closed for each in made)


def test_max_keepalive_connections() -> None:
    made: list[FakeConnection] = []
    transport = pool_of(made, limits(kept=2))
    for each in [transport.handle_request(REQUEST) for _ in range(5)]:
        each.close()
    assert [each.closed for each in made] == [False, False, True, True, True]


def test_an_expired_idle_connection_is_closed() -> None:
    made: list[FakeConnection] = []
    transport = pool_of(made, limits(expiry=0.0))
    idle, used = transport.handle_request(REQUEST), transport.handle_request(REQUEST)
    idle.close()
    before = time.monotonic()
    while time.monotonic() == before:
        pass
    used.close()
    assert [each.closed for each in made] == [True, False]


def test_closing_the_pool_closes_connections_in_use() -> None:
    made: list[FakeConnection] = []
    transport = pool_of(made, limits())
    used, free = transport.handle_request(REQUEST), transport.handle_request(REQUEST)
    free.close()
    transport.close()
    assert all(each.closed for each in made)
    used.close()
    transport.handle_request(REQUEST)
    assert len(made) == 3


@pytest.mark.parametrize("fault", [reset(), raw(b"nonsense"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
def test_a_failed_request_frees_its_slot(fault: Callable[..., bool]) -> None:
    with (
        FaultServer([fault, fault, OK]) as server,
        Session(base_url=server.url, limits=limits(1), retry=ONCE, timeout=httpx.Timeout(5, pool=0.1)) as session,
    ):
        for _ in range(2):
            with pytest.raises(errors.ApiConnectionError):
                session.get("/")
        assert session.get("/").status_code == 200


@pytest.mark.anyio
async def test_a_cancelled_request_frees_its_slot() -> None:
    with FaultServer([stall(), OK]) as server:
        async with AsyncSession(base_url=server.url, limits=limits(1), timeout=httpx.Timeout(5, pool=0.1)) as session:
            task = asyncio.create_task(session.get("/"))
            await asyncio.to_thread(server.wait_for_request)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await session.get("/")).status_code == 200


class FakeAsyncConnection(httpcore.AsyncHTTPConnection):
    """Responds at once. Its responses end as `stream` does."""

    def __init__(self, stream: Any = None) -> None:
        self.closed = False
        self._stream = stream

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return True

    def has_expired(self) -> bool:
        return False

    def is_idle(self) -> bool:
        return self._stream is None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        await asyncio.sleep(0)
        return httpcore.Response(200, content=self._stream or httpx.ByteStream(b"{}"))

    async def aclose(self) -> None:
        self.closed = True


def async_pool_of(given: httpx.Limits) -> AsyncConnectionPool:
    return AsyncConnectionPool(None, given, lambda *_, **__: FakeAsyncConnection())


@pytest.mark.anyio
async def test_a_task_cancelled_while_waiting_takes_no_slot() -> None:
    transport = async_pool_of(limits(1))
    used = await transport.handle_async_request(REQUEST)
    given_up, next_in_line = (asyncio.create_task(transport.handle_async_request(REQUEST)) for _ in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await used.aclose()
    await (await next_in_line).aclose()
    with pytest.raises(asyncio.CancelledError):
        await given_up


@pytest.mark.anyio
async def test_a_task_cancelled_with_a_slot_passes_it_on() -> None:
    transport = async_pool_of(limits(1))
    used = await transport.handle_async_request(REQUEST)
    given_up, next_in_line = (asyncio.create_task(transport.handle_async_request(REQUEST)) for _ in range(2))
    await asyncio.sleep(0)
    await used.aclose()
    given_up.cancel()
    await (await next_in_line).aclose()
    with pytest.raises(asyncio.CancelledError):
        await given_up


@pytest.mark.anyio
async def test_waiting_tasks_are_served_in_order() -> None:
    transport = async_pool_of(limits(2))
    order: list[int] = []

    async def call(number: int) -> None:
        response = await transport.handle_async_request(REQUEST)
        order.append(number)
        await response.aclose()

    await asyncio.gather(*(call(number) for number in range(20)))
    assert order == list(range(20))


@pytest.mark.anyio
async def test_a_connection_whose_closing_was_cut_short_is_not_reused() -> None:
    made: list[FakeAsyncConnection] = []

    class CutShort(httpx.AsyncByteStream):
        async def aclose(self) -> None:
            raise asyncio.CancelledError

    def make(_: httpcore.Origin, **options: Any) -> FakeAsyncConnection:
        made.append(FakeAsyncConnection(CutShort()))
        return made[-1]

    pool = AsyncConnectionPool(None, limits(1), make)
    response = await pool.handle_async_request(REQUEST)
    with pytest.raises(asyncio.CancelledError):
        await response.aclose()
    assert made[0].closed
    await pool.handle_async_request(REQUEST)
    assert len(made) == 2
