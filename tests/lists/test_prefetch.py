"""Requests ahead of the reader, in threads and in tasks: bounded, in order, errors at their place."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import aclosing, closing

import pytest
from metastudio import errors
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.paginator import async_items, items, iterate_pages
from simulated_lists import (
    OPERATION,
    Arguments,
    AsyncHeldServer,
    HeldServer,
    Job,
    SimulatedServer,
    ids,
    jobs,
    options,
    request_tasks,
)

# In threads


def test_requests_ahead_are_bounded_and_pages_come_in_order() -> None:
    held, executor = HeldServer(100), Executor()
    with closing(held.pages(executor)) as found:
        assert next(found).offset == 0
        held.wait_for(10, 20, 30, 40)
        assert held.started.count(50) == 0  # four are in flight
        held.release(40, 30, 20)
        held.wait_for(40, 30, 20, ended=True)
        assert held.started.count(50) == 0  # pages that wait for the reader count too
        held.release(10)
        assert [next(found).offset for _ in range(2)] == [10, 20]
        held.wait_for(50, 60)
        assert held.started.count(70) == 0
        held.release(50, 60, 70, 80, 90)
        assert [page.offset for page in found] == [30, 40, 50, 60, 70, 80, 90]
    assert len(held.started) == len(set(held.started)) == 10


def test_nothing_is_sent_before_the_first_item_is_read() -> None:
    held = HeldServer(100)
    held.pages(Executor())
    assert held.started == []


def test_an_error_is_raised_at_its_place() -> None:
    held, executor = HeldServer(100, failing=30), Executor()
    found = items(held.pages(executor))
    delivered = [next(found).job_id]
    held.wait_for(30)
    held.release(30)
    held.wait_for(30, ended=True)
    held.release(10, 20, 40, 50, 60)
    with pytest.raises(errors.ServerError):
        delivered += (each.job_id for each in found)
    assert delivered[:1] == ["0000"]
    held.wait_for(10, 20, 40, ended=True)


def test_everything_before_an_error_is_delivered() -> None:
    for concurrency in (1, 3, 8):
        held = HeldServer(100, failing=30)
        held.release(*range(0, 100, 10))
        found = items(held.pages(Executor(), concurrency=concurrency))
        assert [next(found).job_id for _ in range(30)] == ids(jobs(30))
        with pytest.raises(errors.ServerError):
            next(found)


def test_a_concurrency_of_one_sends_nothing_ahead_and_starts_no_thread() -> None:
    server, before = SimulatedServer(jobs(100)), threading.enumerate()
    with closing(iterate_pages(OPERATION, server.fetch, {}, Executor(), options(concurrency=1))) as found:
        next(found)
        next(found)
        assert len(server.requests) == 2
        assert threading.enumerate() == before


def test_unread_pages_are_not_kept() -> None:
    held, executor = HeldServer(100), Executor()
    kept = list[weakref.ref[Job]]()

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        held.fetch(arguments)
        found = jobs(100)[arguments["offset"] :][:10]
        kept.extend(map(weakref.ref, found))
        return FetchedPage(found, 100, None)

    found = iterate_pages(OPERATION, fetch, {}, executor, options(concurrency=4))
    next(found)
    held.wait_for(10, 20, 30, 40)
    found.close()
    held.release(10, 20, 30, 40)
    executor.close()
    gc.collect()
    assert len(kept) == 50
    assert [each for each in kept if each() is not None] == []


# In tasks


@pytest.mark.anyio
async def test_tasks_are_bounded_and_pages_come_in_order() -> None:
    held = AsyncHeldServer(100)
    found = held.pages(AsyncExecutor())
    assert (await anext(found)).offset == 0
    await asyncio.sleep(0)
    assert held.started == [0, 10, 20, 30, 40]
    held.released.set()
    assert [page.offset async for page in found] == list(range(10, 100, 10))
    assert held.most_in_flight == 4
    assert request_tasks() == []


@pytest.mark.anyio
async def test_an_error_is_raised_at_its_place_async() -> None:
    held = AsyncHeldServer(100, failing=30)
    held.released.set()
    found = async_items(held.pages(AsyncExecutor()))
    assert [(await anext(found)).job_id for _ in range(30)] == ids(jobs(30))
    with pytest.raises(errors.ServerError):
        await anext(found)
    assert request_tasks() == []


@pytest.mark.anyio
async def test_errors_of_unread_pages_are_not_reported() -> None:
    held = AsyncHeldServer(100, failing=20)
    held.released.set()
    async with aclosing(held.pages(AsyncExecutor())) as found:
        await anext(found)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gc.collect()  # asyncio would report a task whose error was not retrieved
