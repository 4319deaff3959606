"""Connections that requests take turns on: how many there are, which is taken, when they are closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fault_server import FaultServer, answer, raw, reset, stall
from metastudio import errors
from metastudio.http.connection_pool import AsyncLanes, Lanes, in_async_lanes, in_lanes
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session

OK = answer(200, b"{}")
ONCE = RetryPolicy(max_retries=0)


def limits(most: int | None = 32, kept: int | None = 32, expiry: float | None = 30.0) -> httpx.Limits:
    return httpx.Limits(max_connections=most, max_keepalive_connections=kept, keepalive_expiry=expiry)


class Lane(httpx.BaseTransport):
    """Answers when it may, and remembers what happened to it."""

    def __init__(self, go: threading.Event | None = None) -> None:
        self.requests = 0
        self.closed = False
        self._go = go

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self._go is not None:
            assert self._go.wait(10)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    def close(self) -> None:
        self.closed = True


def lanes(made: list[Lane], given: httpx.Limits, go: threading.Event | None = None) -> Lanes:
    def make(**settings: Any) -> Lane:
        assert settings["limits"].max_connections == 1
        made.append(Lane(go))
        return made[-1]

    return Lanes(make, {"limits": given, "http2": False})


REQUEST = httpx.Request("GET", "http://127.0.0.1/")


def test_one_after_another_take_the_same_connection() -> None:
    with FaultServer([OK]) as server, Session(base_url=server.url) as session:
        for _ in range(5):
            session.get("/")
        assert server.connections == 1


def test_a_turn_lasts_until_the_answer_is_closed() -> None:
    made: list[Lane] = []
    transport = lanes(made, limits())
    first = transport.handle_request(REQUEST)
    second = transport.handle_request(REQUEST)
    second.close()
    first.close()
    first.close()  # a second time does nothing
    transport.handle_request(REQUEST)
    assert [lane.requests for lane in made] == [2, 1]


def test_no_more_than_the_limit() -> None:
    made: list[Lane] = []
    go = threading.Event()
    transport = lanes(made, limits(3), go)
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(lambda: transport.handle_request(REQUEST).close()) for _ in range(50)]
        go.set()
        for future in futures:
            future.result()
    assert len(made) <= 3
    assert sum(lane.requests for lane in made) == 50


def test_no_limit() -> None:
    made: list[Lane] = []
    transport = lanes(made, limits(None, None, None))
    answers = [transport.handle_request(REQUEST) for _ in range(200)]
    for each in answers:
        each.close()
    assert len(made) == 200
    assert not any(lane.closed for lane in made)


def test_so_many_are_kept_free_and_no_more() -> None:
    made: list[Lane] = []
    transport = lanes(made, limits(kept=2))
    for each in [transport.handle_request(REQUEST) for _ in range(5)]:
        each.close()
    assert [lane.closed for lane in made] == [False, False, True, True, True]


def test_what_nobody_used_for_long_is_closed() -> None:
    made: list[Lane] = []
    transport = lanes(made, limits(expiry=0.0))
    idle, used = transport.handle_request(REQUEST), transport.handle_request(REQUEST)
    idle.close()
    before = time.monotonic()
    while time.monotonic() == before:
        pass
    used.close()
    assert [lane.closed for lane in made] == [True, False]


def test_closing_closes_those_in_use_too() -> None:
    made: list[Lane] = []
    transport = lanes(made, limits())
    used, free = transport.handle_request(REQUEST), transport.handle_request(REQUEST)
    free.close()
    transport.close()
    assert all(lane.closed for lane in made)
    used.close()
    transport.handle_request(REQUEST)
    assert len(made) == 3


@pytest.mark.parametrize("fault", [reset(), raw(b"nonsense"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
def test_a_failed_request_gives_its_place_back(fault: Callable[..., bool]) -> None:
    with (
        FaultServer([fault, fault, OK]) as server,
        Session(base_url=server.url, limits=limits(1), retry=ONCE, timeout=httpx.Timeout(5, pool=0.1)) as session,
    ):
        for _ in range(2):
            with pytest.raises(errors.ApiConnectionError):
                session.get("/")
        assert session.get("/").status_code == 200


@pytest.mark.anyio
async def test_a_cancelled_request_gives_its_place_back() -> None:
    with FaultServer([stall(), OK]) as server:
        async with AsyncSession(base_url=server.url, limits=limits(1), timeout=httpx.Timeout(5, pool=0.1)) as session:
            task = asyncio.create_task(session.get("/"))
            await asyncio.to_thread(server.wait_for_request)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await session.get("/")).status_code == 200


class AsyncLane(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))


def async_lanes(given: httpx.Limits) -> AsyncLanes:
    return AsyncLanes(lambda **_: AsyncLane(), {"limits": given, "http2": False})


@pytest.mark.anyio
async def test_who_is_cancelled_while_waiting_takes_no_turn() -> None:
    transport = async_lanes(limits(1))
    used = await transport.handle_async_request(REQUEST)
    given_up, next_in_line = (asyncio.create_task(transport.handle_async_request(REQUEST)) for _ in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await used.aclose()
    await (await next_in_line).aclose()
    with pytest.raises(asyncio.CancelledError):
        await given_up


@pytest.mark.anyio
async def test_who_is_cancelled_with_the_turn_in_hand_passes_it_on() -> None:
    transport = async_lanes(limits(1))
    used = await transport.handle_async_request(REQUEST)
    given_up, next_in_line = (asyncio.create_task(transport.handle_async_request(REQUEST)) for _ in range(2))
    await asyncio.sleep(0)
    await used.aclose()
    given_up.cancel()
    await (await next_in_line).aclose()
    with pytest.raises(asyncio.CancelledError):
        await given_up


@pytest.mark.anyio
async def test_tasks_take_turns_in_the_order_they_came() -> None:
    transport = async_lanes(limits(2))
    order: list[int] = []

    async def call(number: int) -> None:
        response = await transport.handle_async_request(REQUEST)
        order.append(number)
        await response.aclose()

    await asyncio.gather(*(call(number) for number in range(20)))
    assert order == list(range(20))


def test_http2_and_a_transport_of_the_caller_are_left_alone() -> None:
    given = httpx.MockTransport(lambda request: httpx.Response(200))
    settings: dict[str, Any] = {"limits": limits(), "http2": False}
    assert in_lanes(lambda transport, **_: transport, **settings, transport=given) is given
    assert in_async_lanes(lambda transport, **_: transport, **settings, transport=given) is given
    assert isinstance(in_lanes(httpx.HTTPTransport, **settings | {"http2": True}), httpx.HTTPTransport)
    assert isinstance(in_lanes(httpx.HTTPTransport, **settings), Lanes)
