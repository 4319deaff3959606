"""The end of an iteration: its loop is left, it is dropped, its client is closed."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from contextlib import aclosing, closing
from typing import Any

import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import Credentials, MetaStudio, errors
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.paginator import async_items, choose_paginator, items, iterate_pages
from metastudio.lists.prefetch import pages
from simulated_lists import (
    OPERATION,
    TIMEOUT,
    Arguments,
    AsyncHeldServer,
    HeldServer,
    Job,
    SimulatedServer,
    jobs,
    options,
    request_tasks,
)
from subprocesses import run_script


def test_leaving_the_loop_returns_at_once_and_sends_nothing_more() -> None:
    held, executor = HeldServer(100), Executor()
    for each in items(held.pages(executor)):
        if each.job_id == "0003":
            held.wait_for(10, 20, 30, 40)
            break
    assert held.ended == [0]
    held.release(*range(0, 100, 10))
    executor.close()
    assert sorted(held.started) == [0, 10, 20, 30, 40]


def test_closing_the_client_waits_for_requests_in_flight() -> None:
    held, executor = HeldServer(100), Executor()
    found = held.pages(executor)
    next(found)
    held.wait_for(10, 20, 30, 40)
    found.close()
    closed = threading.Event()

    def close() -> None:
        executor.close()
        closed.set()

    closer = threading.Thread(target=close)
    closer.start()
    held.release(10, 20, 30)
    held.wait_for(10, 20, 30, ended=True)
    assert not closed.is_set()
    held.release(40)
    closer.join(TIMEOUT)
    assert closed.is_set()
    assert [thread.name for thread in threading.enumerate() if "metastudio" in thread.name] == []


def test_closing_the_client_during_an_iteration_is_a_clear_error() -> None:
    held, executor = HeldServer(100), Executor()
    found = held.pages(executor)
    next(found)
    held.release(*range(0, 100, 10))
    executor.close()
    with pytest.raises(errors.ConfigurationError, match="the client was closed while a list was read"):
        for _ in found:
            pass
    with pytest.raises(errors.ConfigurationError, match="closed"):
        next(held.pages(executor))


def test_closing_the_client_while_the_reader_waits_in_its_own_thread() -> None:
    executor = Executor()
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if arguments["offset"]:
            executor.close()  # as another thread may do while this one waits for the response
            raise errors.ApiConnectionError("the connection is closed")
        return server.fetch(arguments)

    with closing(iterate_pages(OPERATION, fetch, {}, executor, options())) as found:
        next(found)
        with pytest.raises(errors.ConfigurationError, match="closed") as raised:
            next(found)
    assert isinstance(raised.value.__cause__, errors.ApiConnectionError)


def test_a_dropped_iteration_sends_nothing_more() -> None:
    held, executor = HeldServer(100), Executor()
    found = held.pages(executor)
    next(found)
    held.wait_for(10, 20, 30, 40)
    del found
    gc.collect()
    held.release(*range(0, 100, 10))
    executor.close()
    assert len(held.started) == 5


def test_a_closed_client_sends_nothing() -> None:
    server, executor = SimulatedServer(jobs(5)), Executor()
    executor.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        list(iterate_pages(OPERATION, server.fetch, {}, executor, options()))
    assert server.requests == []


def test_throttled_requests_are_not_sent_after_the_loop_is_left() -> None:
    server, executor, before = SimulatedServer(jobs(100)), Executor(), set(threading.enumerate())
    found = pages(
        choose_paginator(OPERATION, {}, options()),
        server.fetch,
        executor,
        options(concurrency=4, max_rate=0.001),
        sleep=lambda stop, _: stop.wait(2 * TIMEOUT),
    )
    next(found)
    waiting = set(threading.enumerate()) - before
    assert len(waiting) == 4
    found.close()
    executor.close()
    assert len(server.requests) == 1


def settings(url: str) -> Any:
    return {"base_url": url, "project_id": "p", "credentials": Credentials("AK", "SK")}


def test_closing_the_client_ends_its_threads_and_sockets() -> None:
    def answer(request: ReceivedRequest) -> CannedResponse:
        body = {"count": 5000, "jobs": [each.to_dict() for each in jobs(100)]}
        return CannedResponse(
            body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"}
        )

    with serve(answer) as http, MetaStudio(**settings(http.url)) as studio:
        for _ in studio.training_jobs.iterate():
            break
    gc.collect()  # reports sockets left open
    assert [thread.name for thread in threading.enumerate() if "metastudio" in thread.name] == []


def test_failed_requests_are_not_retried_after_the_loop_is_left() -> None:
    def answer(request: ReceivedRequest) -> CannedResponse:
        if "offset=0" not in request.target:
            failing.wait(TIMEOUT)
            return CannedResponse(503, b"{}", {"Retry-After": "0.2"})
        body = {"count": 35, "jobs": [each.to_dict() for each in jobs(10)]}
        return CannedResponse(
            body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"}
        )

    failing = threading.Barrier(3)
    with serve(answer) as http:
        with MetaStudio(**settings(http.url)) as studio:
            found = studio.training_jobs.iterate(page_size=10, concurrency=2)
            next(found)
            failing.wait(TIMEOUT)  # both requests ahead fail now, and would be retried
            found.close()
        assert len(http.received) == 3


ABANDONING = """
import gc, sys, threading
from metastudio.lists.executor import Executor
from metastudio.lists.paginator import items, iterate_pages
from simulated_lists import OPERATION, SimulatedServer, jobs, options

def abandon():
    for number in range(200):
        chosen = options(concurrency=4, max_rate=rates[number % 2])
        cycle = [items(iterate_pages(OPERATION, fetch, {}, executor, chosen))]
        next(cycle[0])
        cycle.append(cycle)

executor, fetch, rates = Executor(), SimulatedServer(jobs(100)).fetch, (None, 2000)
gc.set_threshold(1)
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=abandon) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
executor.close()
"""


def test_the_garbage_collector_ends_iterations_without_a_deadlock() -> None:
    run_script(ABANDONING)


@pytest.mark.anyio
async def test_aclose_cancels_and_awaits_requests_in_flight() -> None:
    held = AsyncHeldServer(100)
    async with aclosing(async_items(held.pages(AsyncExecutor()))) as found:
        await anext(found)
        await asyncio.sleep(0)
    assert held.cancelled == [10, 20, 30, 40]
    assert request_tasks() == []


@pytest.mark.anyio
async def test_cancelling_the_reader_cancels_and_awaits_requests_in_flight() -> None:
    held = AsyncHeldServer(100)

    async def read() -> None:
        async with aclosing(held.pages(AsyncExecutor())) as found:
            async for _ in found:
                pass

    reader = asyncio.create_task(read())
    await held.arrived(5)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert sorted(held.cancelled) == [10, 20, 30, 40]
    assert request_tasks() == []


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_closing_the_client_cancels_requests_and_is_a_clear_error(concurrency: int) -> None:
    held, executor = AsyncHeldServer(100), AsyncExecutor()

    async def read() -> None:
        async with aclosing(held.pages(executor, concurrency=concurrency)) as found:
            async for _ in found:
                pass

    reader = asyncio.create_task(read())
    await held.arrived(1 + concurrency)
    await executor.aclose()
    assert len(held.cancelled) == concurrency
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await reader
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await anext(held.pages(executor))
