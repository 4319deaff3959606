"""Plain iteration: order, bounded look-ahead, errors at their place, early stops, bad input, untrusted servers."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from loopback import Answer, Received, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, errors
from metastudio.contract import operation
from metastudio.contract.json_pointer import pointer_getter
from metastudio.http.retry import Stop, Wait
from metastudio.http.session import Session
from metastudio.http.throttle import Pace, pace_of_iteration
from metastudio.lists.executor import AsyncIterations, Iterations
from metastudio.lists.offset import FetchedPage
from metastudio.lists.paginator import async_find, async_iterate_pages, find, iterate_pages, plan
from metastudio.lists.prefetch import async_items, async_pages, items, pages
from metastudio_client._engine import DEFAULT_CONCURRENCY
from metastudio_client.models.training_job_basic_info import TrainingJobBasicInfo
from metastudio_client.types import UNSET, Unset
from simulated_lists import OPERATION, SimulatedServer, ids, job, jobs, options, run
from subprocesses import run_script

Job = TrainingJobBasicInfo
Arguments = Mapping[str, Any]
TIMEOUT = 20  # seconds until a test that hangs fails


class Held:
    """A server that answers each request beyond the first page when the test lets it."""

    def __init__(self, count: int, *, failing: int | None = None) -> None:
        self.server = SimulatedServer(jobs(count))
        self.failing = failing
        self.started: list[int] = []
        self.ended: list[int] = []
        self._changed = threading.Condition()
        self._released = {0}

    def fetch(self, arguments: Arguments) -> FetchedPage[Job]:
        offset = arguments["offset"]
        with self._changed:
            self.started.append(offset)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: offset in self._released, TIMEOUT)
            self.ended.append(offset)
            self._changed.notify_all()
        if offset == self.failing:
            raise errors.ServerError(500, "E", "broken")
        return self.server.fetch(arguments)

    def release(self, *offsets: int) -> None:
        """Answer these requests."""
        with self._changed:
            self._released |= set(offsets)
            self._changed.notify_all()

    def wait_for(self, *offsets: int, ended: bool = False) -> None:
        """Wait until these requests have arrived, or ended."""
        seen = self.ended if ended else self.started
        with self._changed:
            assert self._changed.wait_for(lambda: set(offsets) <= set(seen), TIMEOUT), (offsets, seen)


def held_pages(held: Held, iterations: Iterations, **given: Any) -> Any:
    return iterate_pages(OPERATION, held.fetch, {}, iterations, **options(**{"concurrency": 4, **given}))


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Any:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), f"{thread} is left behind"


# What comes, and in which order


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8, 32])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 57, 100])
def test_every_item_once_in_order(count: int, concurrency: int) -> None:
    server = SimulatedServer(jobs(count))
    assert ids(run(server, {}, **options(concurrency=concurrency))) == ids(jobs(count))
    assert sorted(request["offset"] for request in server.requests) == list(range(0, max(count, 1), 10))


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 2, 8])
@pytest.mark.parametrize("count", [0, 1, 10, 57])
async def test_every_item_once_in_order_async(count: int, concurrency: int) -> None:
    server = SimulatedServer(jobs(count))

    async def fetch(arguments: Arguments) -> FetchedPage[Job]:
        for _ in range(arguments["offset"] % 7):
            await asyncio.sleep(0)
        return server.fetch(arguments)

    found = async_items(
        async_iterate_pages(OPERATION, fetch, {}, AsyncIterations(), **options(concurrency=concurrency))
    )
    assert [each.job_id async for each in found] == ids(jobs(count))


def test_filters_go_with_every_request_and_nothing_else() -> None:
    server = SimulatedServer([job(number, state="TRAINING") for number in range(25)])
    run(server, {"state": ["TRAINING"], "name": None, "tag": UNSET}, **options(concurrency=2))
    requests = sorted(server.requests, key=lambda each: each["offset"])
    assert requests == [{"state": ["TRAINING"], "offset": offset, "limit": 10} for offset in (0, 10, 20)]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("most", "requested"), [(0, []), (3, [3]), (10, [10]), (25, [10, 10, 5]), (99, [10] * 4)])
def test_max_items_asks_for_no_more(most: int, requested: list[int], concurrency: int) -> None:
    server = SimulatedServer(jobs(35))
    found = run(server, {}, **options(max_items=most, concurrency=concurrency))
    assert ids(found) == ids(jobs(min(most, 35)))
    limits = [each["limit"] for each in sorted(server.requests, key=lambda each: each["offset"])]
    assert limits == requested


def test_pages_say_where_they_are() -> None:
    server = SimulatedServer(jobs(25))
    found = list(iterate_pages(OPERATION, server.fetch, {}, Iterations(), **options()))
    assert [(page.offset, len(page.items), page.total) for page in found] == [(0, 10, 25), (10, 10, 25), (20, 5, 25)]
    assert [page.request_id for page in found] == ["request-1", "request-2", "request-3"]


def test_an_empty_list_is_one_empty_page() -> None:
    (page,) = iterate_pages(OPERATION, SimulatedServer([]).fetch, {}, Iterations(), **options())
    assert (page.items, page.offset, page.total, page.request_id) == ([], 0, 0, "request-1")


def test_jobs_created_at_the_end_while_reading_come_too() -> None:
    server = SimulatedServer(jobs(20))

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        if len(server.jobs) < 35:
            server.jobs.append(job(len(server.jobs)))
        return server.fetch(arguments)

    found = items(iterate_pages(OPERATION, fetch, {}, Iterations(), **options()))
    assert ids(found) == ids(jobs(23))


# Concurrency in threads


def test_pages_are_fetched_ahead_within_the_bound_and_delivered_in_order() -> None:
    held, iterations = Held(100), Iterations()
    with closing(held_pages(held, iterations)) as found:
        assert next(found).offset == 0
        held.wait_for(10, 20, 30, 40)
        assert held.started.count(50) == 0  # four are in flight
        held.release(40, 30, 20)
        held.wait_for(40, 30, 20, ended=True)
        held.wait_for(50)
        assert held.started.count(60) == 0  # answered pages that wait for the reader count too
        held.release(10)
        assert [next(found).offset for _ in range(2)] == [10, 20]
        held.wait_for(60, 70)
        held.release(50, 60, 70, 80, 90)
        assert [page.offset for page in found] == [30, 40, 50, 60, 70, 80, 90]
    assert len(held.started) == len(set(held.started)) == 10


def test_nothing_is_sent_before_the_first_item_is_asked_for() -> None:
    held = Held(100)
    held_pages(held, Iterations())
    assert held.started == []


def test_an_error_comes_at_its_place() -> None:
    held, iterations = Held(100, failing=30), Iterations()
    found = items(held_pages(held, iterations))
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
        held = Held(100, failing=30)
        held.release(*range(0, 100, 10))
        found = items(held_pages(held, Iterations(), concurrency=concurrency))
        assert [next(found).job_id for _ in range(30)] == ids(jobs(30))
        with pytest.raises(errors.ServerError):
            next(found)


def test_leaving_the_loop_returns_at_once_and_sends_nothing_new() -> None:
    held, iterations = Held(100), Iterations()
    for each in items(held_pages(held, iterations)):
        if each.job_id == "0003":
            held.wait_for(10, 20, 30, 40)
            break
    assert held.ended == [0]  # and yet we are here
    held.release(*range(0, 100, 10))
    iterations.close()
    assert sorted(held.started) == [0, 10, 20, 30, 40]


def test_closing_the_client_waits_for_requests_in_flight() -> None:
    held, iterations = Held(100), Iterations()
    found = held_pages(held, iterations)
    next(found)
    held.wait_for(10, 20, 30, 40)
    found.close()
    closed = threading.Event()

    def close() -> None:
        iterations.close()
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


def test_closing_the_client_under_a_reader_is_a_clear_error() -> None:
    held, iterations = Held(100), Iterations()
    found = held_pages(held, iterations)
    next(found)
    held.release(*range(0, 100, 10))
    iterations.close()
    with pytest.raises(errors.ConfigurationError, match="the client was closed while it was iterated"):
        for _ in found:
            pass
    with pytest.raises(errors.ConfigurationError, match="closed"):
        next(held_pages(held, iterations))


def test_closing_the_client_while_the_reader_waits_in_its_own_thread() -> None:
    iterations = Iterations()
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        if arguments["offset"]:
            iterations.close()  # as another thread does while this one waits for the answer
            raise errors.ApiConnectionError("the connection is closed")
        return server.fetch(arguments)

    with closing(iterate_pages(OPERATION, fetch, {}, iterations, **options())) as found:
        next(found)
        with pytest.raises(errors.ConfigurationError, match="closed") as raised:
            next(found)
    assert isinstance(raised.value.__cause__, errors.ApiConnectionError)


def test_an_iteration_that_is_dropped_leaves_nothing() -> None:
    held, iterations = Held(100), Iterations()
    found = held_pages(held, iterations)
    next(found)
    held.wait_for(10, 20, 30, 40)
    del found
    gc.collect()
    held.release(*range(0, 100, 10))
    iterations.close()
    assert len(held.started) == 5


FORKING = """
import os, sys
from metastudio.errors import ConfigurationError
from metastudio.lists.executor import Iterations
from metastudio.lists.paginator import iterate_pages
from simulated_lists import OPERATION, SimulatedServer, jobs, options
found = iterate_pages(OPERATION, SimulatedServer(jobs(100)).fetch, {}, Iterations(), **options(concurrency=4))
seen = next(found).items
if child := os.fork():
    seen += [job for page in found for job in page.items]
    assert len(seen) == 100
    assert os.waitpid(child, 0)[1] == 0
else:
    try:
        next(found)
    except ConfigurationError as error:
        assert "fork" in str(error)
        os._exit(0)
    os._exit(1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_an_iteration_does_not_hang_in_a_forked_child() -> None:
    run_script(FORKING)


def test_one_at_a_time_sends_nothing_ahead_and_starts_no_thread() -> None:
    server, before = SimulatedServer(jobs(100)), threading.enumerate()
    with closing(iterate_pages(OPERATION, server.fetch, {}, Iterations(), **options(concurrency=1))) as found:
        next(found)
        next(found)
        assert len(server.requests) == 2
        assert threading.enumerate() == before


def test_requests_that_wait_for_their_turn_are_not_sent_when_the_loop_is_left() -> None:
    server, before = SimulatedServer(jobs(100)), set(threading.enumerate())
    found = pages(
        plan(OPERATION, {}, **options()),
        server.fetch,
        Iterations(),
        concurrency=4,
        max_rate=0.001,
        sleep=lambda stop, _: stop.wait(2 * TIMEOUT),
    )
    next(found)
    waiting = set(threading.enumerate()) - before
    assert len(waiting) == 4
    found.close()
    for thread in waiting:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert len(server.requests) == 1


def test_a_closed_client_iterates_no_more() -> None:
    server, iterations = SimulatedServer(jobs(5)), Iterations()
    iterations.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        list(iterate_pages(OPERATION, server.fetch, {}, iterations, **options()))
    assert server.requests == []


def test_pages_that_nobody_read_are_not_kept() -> None:
    held, iterations = Held(100), Iterations()
    kept = list[weakref.ref[Job]]()

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        held.fetch(arguments)
        found = jobs(100)[arguments["offset"] :][:10]
        kept.extend(map(weakref.ref, found))
        return FetchedPage(found, 100, None)

    found = iterate_pages(OPERATION, fetch, {}, iterations, **options(concurrency=4))
    next(found)
    held.wait_for(10, 20, 30, 40)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("metastudio")]
    found.close()
    held.release(10, 20, 30, 40)
    while threads:
        threads.pop().join(TIMEOUT)
    gc.collect()
    assert len(kept) == 50
    assert [each for each in kept if each() is not None] == []


# Concurrency in tasks


def tasks_of_ours() -> list[str]:
    return [str(task) for task in asyncio.all_tasks() if "async_pages" in str(task)]


class HeldTasks:
    """As `Held`, for asyncio. Says which requests were cancelled, once their cleaning up is done."""

    def __init__(self, count: int, *, failing: int | None = None) -> None:
        self.server = SimulatedServer(jobs(count))
        self.failing = failing
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.most = 0
        self._in_flight = 0
        self._arrivals = asyncio.Queue[int]()
        self.released = asyncio.Event()

    async def arrived(self, count: int) -> None:
        """Wait for so many requests."""
        for _ in range(count):
            await self._arrivals.get()

    async def fetch(self, arguments: Arguments) -> FetchedPage[Job]:
        self.started.append(arguments["offset"])
        self._arrivals.put_nowait(arguments["offset"])
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        try:
            if arguments["offset"]:
                await self.released.wait()
            if arguments["offset"] == self.failing:
                raise errors.ServerError(500, "E", "broken")
            return self.server.fetch(arguments)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.cancelled.append(arguments["offset"])
            raise
        finally:
            self._in_flight -= 1


def task_pages(held: HeldTasks, iterations: AsyncIterations, **given: Any) -> Any:
    return async_iterate_pages(OPERATION, held.fetch, {}, iterations, **options(**{"concurrency": 4, **given}))


@pytest.mark.anyio
async def test_tasks_are_bounded_and_deliver_in_order() -> None:
    held = HeldTasks(100)
    found = task_pages(held, AsyncIterations())
    assert (await anext(found)).offset == 0
    await asyncio.sleep(0)
    assert held.started == [0, 10, 20, 30, 40]
    held.released.set()
    assert [page.offset async for page in found] == list(range(10, 100, 10))
    assert held.most == 4
    assert tasks_of_ours() == []


@pytest.mark.anyio
async def test_aclose_cancels_what_is_in_flight_and_waits_for_it() -> None:
    held = HeldTasks(100)
    async with aclosing(async_items(task_pages(held, AsyncIterations()))) as found:
        await anext(found)
        await asyncio.sleep(0)
    assert held.cancelled == [10, 20, 30, 40]
    assert tasks_of_ours() == []


@pytest.mark.anyio
async def test_an_error_comes_at_its_place_async() -> None:
    held = HeldTasks(100, failing=30)
    held.released.set()
    found = async_items(task_pages(held, AsyncIterations()))
    assert [(await anext(found)).job_id for _ in range(30)] == ids(jobs(30))
    with pytest.raises(errors.ServerError):
        await anext(found)
    assert tasks_of_ours() == []


@pytest.mark.anyio
async def test_errors_behind_the_place_where_the_reader_stopped_are_not_reported() -> None:
    held = HeldTasks(100, failing=20)
    held.released.set()
    async with aclosing(task_pages(held, AsyncIterations())) as found:
        await anext(found)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gc.collect()  # a task whose error nobody took would be reported here


@pytest.mark.anyio
async def test_a_cancelled_reader_leaves_nothing() -> None:
    held = HeldTasks(100)

    async def read() -> None:
        async with aclosing(task_pages(held, AsyncIterations())) as found:
            async for _ in found:
                pass

    reader = asyncio.create_task(read())
    await held.arrived(5)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert sorted(held.cancelled) == [10, 20, 30, 40]
    assert tasks_of_ours() == []


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_closing_the_client_cancels_and_tells_the_reader(concurrency: int) -> None:
    held, iterations = HeldTasks(100), AsyncIterations()

    async def read() -> None:
        async with aclosing(task_pages(held, iterations, concurrency=concurrency)) as found:
            async for _ in found:
                pass

    reader = asyncio.create_task(read())
    await held.arrived(1 + concurrency)
    await iterations.aclose()
    assert len(held.cancelled) == concurrency
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await reader
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await anext(task_pages(held, iterations))


# The rate, and 429


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, stop: threading.Event, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)
        self.slept.append(seconds)


class Limited:
    """A server that answers 429 to the requests whose numbers are given, counted from 0."""

    def __init__(self, time: Time, refused: Mapping[int, float | None] | None = None, count: int = 100) -> None:
        self.server = SimulatedServer(jobs(count))
        self.time = time
        self.refused = refused
        self.starts: list[float] = []

    def fetch(self, arguments: Arguments) -> FetchedPage[Job]:
        number = len(self.starts)
        self.starts.append(self.time.now)
        if self.refused is None or number in self.refused:
            error = errors.RateLimitError(429, "APIGW.0308", "throttled")
            error.retry_after = self.refused[number] if self.refused else None
            raise error
        return self.server.fetch(arguments)

    async def afetch(self, arguments: Arguments) -> FetchedPage[Job]:
        await asyncio.sleep(0)
        return self.fetch(arguments)


def limited_pages(limited: Limited, *, max_rate: float | None = None, random: float = 0.999999) -> Any:
    return pages(
        plan(OPERATION, {}, **options()),
        limited.fetch,
        Iterations(),
        concurrency=1,
        max_rate=max_rate,
        clock=limited.time.clock,
        sleep=limited.time.sleep,
        random=lambda: random,
    )


async def limited_tasks(limited: Limited, *, max_rate: float | None = None, concurrency: int = 4) -> list[str]:
    found = async_pages(
        plan(OPERATION, {}, **options()),
        limited.afetch,
        AsyncIterations(),
        concurrency=concurrency,
        max_rate=max_rate,
        clock=limited.time.clock,
        sleep=limited.time.asleep,
        random=lambda: 0.5,
    )
    return [each.job_id async for each in async_items(found)]


def test_a_limited_rate_is_waited_out_as_long_as_the_server_asks() -> None:
    limited = Limited(Time(), {0: 7.0, 4: 30.0})
    assert ids(items(limited_pages(limited))) == ids(jobs(100))
    assert limited.time.slept == [7.0, 30.0]


def test_pauses_grow_and_end_with_the_error() -> None:
    limited = Limited(Time())
    with pytest.raises(errors.RateLimitError) as raised:
        list(limited_pages(limited))
    assert limited.time.slept == pytest.approx([2, 4, 8, 16, 32], rel=1e-3)
    assert "5 pauses" in raised.value.__notes__[-1]


def test_pauses_are_jittered_and_success_begins_anew() -> None:
    limited = Limited(Time(), dict.fromkeys((1, 2, 3, 5), None))
    list(limited_pages(limited, random=0.0))
    assert limited.time.slept == [1, 2, 4, 1]


def test_a_pause_too_long_is_not_waited_for() -> None:
    limited = Limited(Time(), {3: 61.0})
    found = items(limited_pages(limited))
    assert [next(found).job_id for _ in range(30)] == ids(jobs(30))
    with pytest.raises(errors.RateLimitError):
        next(found)
    assert limited.time.slept == []


@pytest.mark.anyio
async def test_one_429_stops_all_starts() -> None:
    limited = Limited(Time(), {3: 20.0})
    assert await limited_tasks(limited) == ids(jobs(100))
    refused = limited.starts[3]
    assert [start for start in limited.starts[5:] if start < refused + 20] == []
    assert len(limited.starts) == 11


@pytest.mark.anyio
async def test_requests_refused_together_count_once() -> None:
    limited = Limited(Time(), dict.fromkeys(range(1, 5), None))
    assert await limited_tasks(limited) == ids(jobs(100))
    assert limited.starts[5:] == [1000 + 1.5] * 9  # 2 s and half the jitter, not 4 or 8


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_max_rate_holds_over_all_starts(concurrency: int) -> None:
    limited = Limited(Time(), {4: 3.0})
    assert await limited_tasks(limited, max_rate=5, concurrency=concurrency) == ids(jobs(100))
    gaps = [after - before for before, after in zip(limited.starts, limited.starts[1:], strict=False)]
    assert min(gaps) >= 0.2 - 1e-9
    assert limited.starts[-1] - limited.starts[0] <= 10 * 0.2 + 3.0 + 1e-6


def test_max_rate_holds_in_threads() -> None:
    time, lock, starts = Time(), threading.Lock(), list[float]()
    server = SimulatedServer(jobs(200))
    slots = list[float]()

    def clock() -> float:
        return time.now

    def sleep(stop: threading.Event, seconds: float) -> None:
        with lock:
            slots.append(seconds)
            time.now = max(time.now, time.now + seconds)

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        with lock:
            starts.append(time.now)
        return server.fetch(arguments)

    found = pages(
        plan(OPERATION, {}, **options()),
        fetch,
        Iterations(),
        concurrency=4,
        max_rate=10,
        clock=clock,
        sleep=sleep,
    )
    assert ids(items(found)) == ids(jobs(200))
    assert max(starts) - min(starts) >= 19 * 0.1 - 1e-6


def test_the_pause_ends_when_the_client_is_closed() -> None:
    iterations, paused = Iterations(), threading.Event()
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        if not arguments["offset"]:
            return server.fetch(arguments)
        raise errors.RateLimitError(429, "APIGW.0308", "throttled")

    def sleep(stop: threading.Event, seconds: float) -> None:
        paused.set()
        assert stop.wait(TIMEOUT)

    found = pages(plan(OPERATION, {}, **options()), fetch, iterations, concurrency=4, max_rate=None, sleep=sleep)
    next(found)
    assert paused.wait(TIMEOUT)
    iterations.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        next(found)


def test_a_session_leaves_429_to_the_iteration() -> None:
    waited, slept = list[float](), list[float]()
    time = Time()
    refused = {10}

    def answer(request: Received) -> Answer:
        offset = int(request.target.rpartition("=")[2])
        if offset in refused:
            refused.remove(offset)
            return Answer(429, b"{}", {"Retry-After": "9"})
        if offset == 20 and not waited:
            return Answer(503, b"{}")
        return Answer()

    def sleep(stop: threading.Event, seconds: float) -> None:
        slept.append(seconds)
        time.sleep(stop, seconds)

    with serve(answer) as http, Session(sleep=waited.append, random=lambda: 0.5, trust_env=False) as session:

        def fetch(arguments: Arguments) -> FetchedPage[Job]:
            session.get(f"{http.url}/?offset={arguments['offset']}")
            return SimulatedServer(jobs(35)).fetch(arguments)

        found = pages(
            plan(OPERATION, {}, **options()),
            fetch,
            Iterations(),
            concurrency=1,
            max_rate=None,
            clock=time.clock,
            sleep=sleep,
        )
        assert ids(items(found)) == ids(jobs(35))
        assert slept == [9.0]
        assert waited == [0.25]  # the 503, which concerns one request
        refused.add(0)
        session.get(f"{http.url}/?offset=0")
        assert waited == [0.25, 9.25]  # outside an iteration a session waits by itself


def test_repeated_attempts_take_their_place_among_the_starts() -> None:
    time = Time()
    over = list[bool]()
    pace = Pace(10, clock=time.clock, random=lambda: 0.5, over=lambda: bool(over))
    assert pace.start()[0] == 0
    assert tuple(pace.judge(503, Wait(0.01))) == pytest.approx((0.1,))
    assert pace.start()[0] == pytest.approx(0.2)
    assert pace.judge(503, Wait(5.0)) == Wait(5.0)
    assert pace.start()[0] == pytest.approx(0.3)
    time.now += 10
    assert pace.judge(503, Wait(0.0)) == Wait(0.0)
    assert pace.judge(503, Stop("no")) == Stop("no")
    over.append(True)
    assert isinstance(pace.judge(503, Wait(0.01)), Stop)


@pytest.mark.parametrize("left", [False, True])
def test_requests_of_an_iteration_that_was_left_are_not_repeated(left: bool) -> None:
    held, iterations = Held(100), Iterations()
    judged = list[Wait | Stop]()

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        found = held.fetch(arguments)
        pace = pace_of_iteration.get()
        assert pace is not None
        judged.append(pace.judge(503, Wait(1.0)))
        return found

    found = iterate_pages(OPERATION, fetch, {}, iterations, **options(concurrency=2))
    next(found)
    held.wait_for(10, 20)
    if left:
        found.close()
    held.release(10, 20)
    held.wait_for(10, 20, ended=True)
    iterations.close()
    found.close()
    assert pace_of_iteration.get() is None
    assert [isinstance(each, Stop) for each in judged] == [False, left, left]


def test_a_session_repeats_nothing_for_an_iteration_that_was_left() -> None:
    waiting, go = threading.Barrier(3), threading.Event()

    def answer(request: Received) -> Answer:
        return Answer(200 if request.target.endswith("=0") else 503)

    def sleep(_: float) -> None:
        waiting.wait(TIMEOUT)
        assert go.wait(TIMEOUT)

    before = set(threading.enumerate())
    with serve(answer) as http, Session(sleep=sleep, trust_env=False) as session:

        def fetch(arguments: Arguments) -> FetchedPage[Job]:
            session.get(f"{http.url}/?offset={arguments['offset']}")
            return SimulatedServer(jobs(35)).fetch(arguments)

        found = iterate_pages(OPERATION, fetch, {}, Iterations(), **options(concurrency=2))
        next(found)
        waiting.wait(TIMEOUT)  # both requests ahead have failed, and will be tried again
        found.close()
        go.set()
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith("metastudio"):
                thread.join(TIMEOUT)
        assert len(http.received) == 3


# Servers that are not to be trusted

Spoil = Callable[[Arguments, list[Job], int], tuple[list[Job], Any]]


class Hostile(SimulatedServer):
    """Gives what `spoil` makes of each right answer."""

    def __init__(self, count: int, spoil: Spoil) -> None:
        super().__init__(jobs(count))
        self._spoil = spoil

    def fetch(self, arguments: Arguments) -> FetchedPage[Job]:
        assert len(self.requests) < 300, "the iteration does not end"
        page = super().fetch(arguments)
        assert page.total is not None
        return FetchedPage(*self._spoil(arguments, page.items, page.total), None)


def last_page(asked: Arguments, count: int) -> list[Job]:
    """What a server gives that takes an offset beyond the end for the last page."""
    start = min(asked["offset"], max(0, count - asked["limit"]))
    return jobs(count)[start : start + asked["limit"]]


def empty_once(asked: Arguments, found: list[Job], total: int) -> tuple[list[Job], int]:
    """Nothing, each other time that the second page is asked for."""
    EMPTIED[asked["offset"]] = EMPTIED.get(asked["offset"], 0) + 1
    return ([] if asked["offset"] == 10 and EMPTIED[10] % 2 else found), total


EMPTIED = dict[int, int]()
WHOLE: dict[str, tuple[int, Spoil]] = {
    "clamps the offset": (35, lambda asked, _, total: (last_page(asked, 35), total)),
    "pages smaller than asked": (35, lambda _, found, total: (found[:4], total)),
    "one item a page": (35, lambda _, found, total: (found[:1], total)),
    "pages smaller than asked, later": (
        35,
        lambda asked, found, total: (found[:3] if asked["offset"] in (10, 13) else found, total),
    ),
    "an empty page for once": (35, empty_once),
    "pages larger than asked": (35, lambda asked, _, total: (jobs(35)[asked["offset"] :], total)),
    "no count": (35, lambda _, found, total: (found, None)),
    "no count, full pages only": (30, lambda _, found, total: (found, None)),
    "a count that is text": (35, lambda _, found, total: (found, "35")),
    "a count that is true": (35, lambda _, found, total: (found, True)),
    "a count below zero": (35, lambda _, found, total: (found, -1)),
    "a count that goes away": (35, lambda asked, found, total: (found, None if asked["offset"] else total)),
}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("count", "spoil"), WHOLE.values(), ids=WHOLE.keys())
def test_odd_servers_are_read_whole(count: int, spoil: Spoil, concurrency: int) -> None:
    server = Hostile(count, spoil)
    assert ids(run(server, {}, **options(concurrency=concurrency))) == ids(jobs(count))


def test_the_size_of_the_pages_is_the_servers() -> None:
    server = Hostile(35, WHOLE["pages smaller than asked"][1])
    run(server, {}, **options())
    assert [each["offset"] for each in server.requests] == list(range(0, 35, 4))


def test_without_count_a_short_page_is_the_end() -> None:
    server = Hostile(35, WHOLE["no count"][1])
    run(server, {}, **options())
    assert len(server.requests) == 4


def test_a_first_page_that_comes_late_and_short() -> None:
    answered = list[int]()

    def spoil(asked: Arguments, found: list[Job], total: int) -> tuple[list[Job], int]:
        answered.append(asked["offset"])
        return (found[: 4 * (answered.count(0) - 1)] if asked["offset"] == 0 else found), total

    assert ids(run(Hostile(65, spoil), {}, **options(concurrency=4))) == ids(jobs(65))


def test_a_list_that_shrinks_below_what_was_asked_for_ahead() -> None:
    """The answers beyond its new end do not matter: neither pages given again nor errors."""
    held = Held(100)

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        held.fetch(arguments)
        if arguments["offset"] == 50:
            raise errors.ServerError(500, "E", "broken")
        count = 35 if arguments["offset"] else 100
        return FetchedPage(last_page(arguments, count), count, None)

    found = items(iterate_pages(OPERATION, fetch, {}, Iterations(), **options(concurrency=5)))
    assert [next(found).job_id for _ in range(10)] == ids(jobs(10))
    held.wait_for(10, 20, 30, 40, 50)
    held.release(*range(10, 100, 10))
    with pytest.warns(errors.ListChangedWarning, match="from 100 to 35"):
        assert ids(found) == ids(jobs(35)[10:])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_items_that_move_to_the_next_page_do_not_come_again(concurrency: int) -> None:
    server, lock = SimulatedServer(jobs(60)), threading.Lock()

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        with lock:
            page = server.fetch(arguments)
            if not arguments["offset"]:
                server.jobs[:0] = [job(number + 100) for number in range(3)]
            return page

    given = options(concurrency=concurrency, max_items=40)
    found = ids(items(iterate_pages(OPERATION, fetch, {}, Iterations(), **given)))
    assert found == ids(jobs(40))


BROKEN: dict[str, tuple[str, Spoil]] = {
    "a count that runs ahead": ("gives none from 100 on", lambda asked, found, total: (found, total + asked["offset"])),
    "ignores the offset": ("a second time", lambda asked, _, total: (jobs(10), total)),
    "ignores the offset, in another order": (
        "a second time",
        lambda asked, _, total: (jobs(10)[:: -1 if asked["offset"] else 1], total),
    ),
    "two pages in turn": (
        "a second time",
        lambda asked, _, total: (jobs(20)[asked["offset"] % 20 :][:10], None),
    ),
    "no page beyond a window": (
        "gives none from 20 on",
        lambda asked, found, total: (found[: 20 - asked["offset"]], total),
    ),
    "clamps the offset to a window": ("a second time", lambda asked, _, total: (last_page(asked, 100), 10**4)),
    "grows for ever": (
        "grows faster",
        lambda asked, _, total: ([job(asked["offset"] + more) for more in range(10)], asked["offset"] + 20),
    ),
    "repeats and grows for ever": ("grows faster", lambda asked, _, total: (jobs(10), asked["offset"] + 20)),
}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("message", "spoil"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_servers_end_in_an_error(message: str, spoil: Spoil, concurrency: int) -> None:
    server = Hostile(100, spoil)
    with pytest.raises(errors.ListChangedError, match=message):
        run(server, {}, **options(concurrency=concurrency))
    assert len(server.requests) <= (12 if message == "a second time" and concurrency == 1 else 50)


def test_a_count_that_shrinks_is_said_once_to_the_reader() -> None:
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments) -> FetchedPage[Job]:
        page = server.fetch(arguments)
        del server.jobs[:3]
        return page

    for found in (
        items(iterate_pages(OPERATION, fetch, {}, Iterations(), **options())),
        iterate_pages(OPERATION, fetch, {}, Iterations(), **options()),
    ):
        server.jobs[:] = jobs(100)
        with pytest.warns(errors.ListChangedWarning, match=r"from 100 to 97 .*consistent=True") as said:
            read = list(found)
        assert len(said) == 1
        assert said[0].filename == __file__
        assert len(read) > 5


@pytest.mark.anyio
async def test_a_count_that_shrinks_is_said_async() -> None:
    server = SimulatedServer(jobs(100))

    async def fetch(arguments: Arguments) -> FetchedPage[Job]:
        page = server.fetch(arguments)
        server.jobs.pop()
        return page

    found = async_items(async_iterate_pages(OPERATION, fetch, {}, AsyncIterations(), **options()))
    with pytest.warns(errors.ListChangedWarning) as said:
        _ = [each async for each in found]
    assert [each.filename for each in said] == [__file__]


def test_a_list_without_count_is_read_one_page_after_the_other() -> None:
    held = Hostile(35, lambda _, found, total: (found, None))
    with closing(iterate_pages(OPERATION, held.fetch, {}, Iterations(), **options(concurrency=8))) as found:
        next(found)
        assert len(held.requests) == 1


# Bad input, at the call

ZONE = timezone(timedelta(hours=8))
BAD: list[tuple[dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ({}, {"page_size": 0}, ValueError, "page_size is from 1 to 100; not 0"),
    ({}, {"page_size": 101}, ValueError, "page_size is from 1 to 100; not 101"),
    ({}, {"page_size": True}, TypeError, "page_size is an integer"),
    ({}, {"page_size": "10"}, TypeError, "page_size is an integer"),
    ({}, {"page_size": 10.0}, TypeError, "page_size is an integer"),
    ({}, {"concurrency": 0}, ValueError, "concurrency is 1 or more; not 0"),
    ({}, {"concurrency": None}, TypeError, "concurrency is an integer"),
    ({}, {"max_items": -1}, ValueError, "max_items is 0 or more; not -1"),
    ({}, {"max_items": 1.5}, TypeError, "max_items is an integer"),
    ({}, {"max_rate": 0}, ValueError, "max_rate is a number of requests a second above 0"),
    ({}, {"max_rate": float("nan")}, ValueError, "max_rate is a number"),
    ({}, {"max_rate": "fast"}, TypeError, "max_rate is a number"),
    ({"offset": 5}, {}, TypeError, "takes no offset; it takes page_size and max_items"),
    ({"limit": 5}, {}, TypeError, "takes no limit; it takes page_size and max_items"),
    ({"create_since": datetime(2024, 1, 1)}, {}, ValueError, "create_since .* without a time zone"),
    ({"create_until": "2024-01-01T00:00:00Z"}, {}, TypeError, "create_until takes a datetime"),
    (
        {"create_since": datetime(2024, 1, 1, 8, 0, 1, tzinfo=ZONE), "create_until": datetime(2024, 1, 1, tzinfo=UTC)},
        {},
        ValueError,
        "create_since is later than create_until",
    ),
]


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize(("arguments", "given", "error", "message"), BAD, ids=lambda each: str(each)[:40])
def test_bad_input_is_refused_at_the_call(
    arguments: dict[str, Any], given: dict[str, Any], error: type[Exception], message: str, consistent: bool
) -> None:
    server = SimulatedServer(jobs(5))
    bad = options(**{"consistent": consistent, **given})
    with pytest.raises(error, match=message):
        iterate_pages(OPERATION, server.fetch, arguments, Iterations(), **bad)
    with pytest.raises(error, match=message):
        async_iterate_pages(OPERATION, server.afetch, arguments, AsyncIterations(), **bad)
    assert server.requests == []


def test_a_window_of_one_moment_is_fine() -> None:
    server = SimulatedServer(jobs(5))
    moment = server.jobs[2].create_time
    assert ids(run(server, {"create_since": moment, "create_until": moment}, **options())) == ["0002"]


# Other lists


@attrs.define
class Meta:
    voice_id: str | Unset = UNSET


@attrs.define
class Voice:
    meta_data: Meta | Unset = UNSET
    type_: str | None = None
    additional_properties: dict[str, Any] = attrs.field(factory=dict)


def test_pointers_follow_generated_models() -> None:
    voice = Voice(Meta("v1"), None, {"new": {"deep": 1}})
    assert pointer_getter("/metaData/voiceId")(voice) == "v1"
    assert pointer_getter("/metaData/voiceId")(Voice()) is None
    assert pointer_getter("/type")(Voice(type_="a")) == "a"
    assert pointer_getter("/type/deeper")(Voice(type_="a")) is None
    assert pointer_getter("/new/deep")(voice) == 1
    assert pointer_getter("/absent")(voice) is None
    assert pointer_getter("/a~1b")(Voice(additional_properties={"a/b": 2})) == 2
    assert pointer_getter("/count")([]) is None


def test_a_list_with_other_names_needs_no_other_code() -> None:
    from metastudio_client.contract import OPERATIONS

    raw = json.loads(json.dumps(OPERATIONS["list_training_jobs"]).replace('"offset"', '"Start-At"'))
    raw = json.loads(json.dumps(raw).replace('"limit"', '"pageSize"').replace('"/job_id"', '"/metaData/voiceId"'))
    raw["x-list"]["page"]["offset"] = raw["x-list"]["page"].pop("Start-At")
    raw["x-list"]["page"]["limit"] = raw["x-list"]["page"].pop("pageSize")
    raw["success"] = {}
    for parameter in raw["parameters"]:
        renamed = {"Start-At": "start_at", "pageSize": "page_size"}
        parameter["python_name"] = renamed.get(parameter["name"], parameter["python_name"])
    voices_list = operation.read({"voices": raw})["voices"]
    voices = [Voice(Meta(f"v{number}")) for number in range(25)]
    asked = list[tuple[int, int]]()

    def fetch(arguments: Arguments) -> FetchedPage[Voice]:
        start, size = arguments["start_at"], arguments["page_size"]
        asked.append((start, size))
        return FetchedPage(voices[start : start + size], 25, None)

    assert list(items(iterate_pages(voices_list, fetch, {}, Iterations(), **options()))) == voices
    assert asked == [(0, 10), (10, 10), (20, 10)]
    with pytest.raises(TypeError, match="takes no start_at"):
        iterate_pages(voices_list, fetch, {"start_at": 1}, Iterations(), **options())
    assert find(voices_list, fetch, "job_id", "v24") is voices[24]


# Find


@pytest.mark.anyio
async def test_find() -> None:
    server = SimulatedServer(jobs(300))  # does not know the filter job_id, and so is read on

    assert ids([found for found in [find(OPERATION, server.fetch, "job_id", "0250")] if found]) == ["0250"]
    assert server.requests[0] == {"job_id": "0250", "offset": 0, "limit": 100}
    found = await async_find(OPERATION, server.afetch, "job_id", "0000")
    assert found is server.jobs[0]
    assert len(server.requests) == 4
    assert find(OPERATION, server.fetch, "job_id", "025") is None
    assert await async_find(OPERATION, server.afetch, "job_id", "025") is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("identity", "error"), [("", ValueError), ("  ", ValueError), (None, TypeError), (7, TypeError)]
)
async def test_find_without_an_identity_asks_nothing(identity: Any, error: type[Exception]) -> None:
    server = SimulatedServer(jobs(3))
    with pytest.raises(error, match="job_id"):
        find(OPERATION, server.fetch, "job_id", identity)
    with pytest.raises(error, match="job_id"):
        await async_find(OPERATION, server.afetch, "job_id", identity)
    assert server.requests == []


# The whole client over HTTP


class Http:
    """The simulated list behind a real server."""

    def __init__(self, count: int) -> None:
        self.list = SimulatedServer(jobs(count))
        self.refuse: set[int] = set()
        self._lock = threading.Lock()
        self._refused = list[int]()

    def answer(self, request: Received) -> Answer:
        asked: dict[str, Any] = {name: int(value) for name, value in parse_qsl(urlsplit(request.target).query)}
        headers = {"Content-Type": "application/json", "X-Request-Id": f"r{asked['offset']}"}
        with self._lock:
            page = self.list.fetch(asked)
        body = {"count": page.total, "jobs": [each.to_dict() for each in page.items]}
        return Answer(body=json.dumps(body).encode(), headers=headers)


def settings(url: str) -> Any:
    return {"base_url": url, "project_id": "p", "credentials": Credentials("AK", "SK")}


def test_the_client_iterates_over_http() -> None:
    behind = Http(1234)
    with serve(behind.answer) as http, MetaStudio(**settings(http.url)) as studio:
        assert ids(studio.training_jobs.iterate()) == ids(jobs(1234))
        found = list(studio.training_jobs.iterate_pages(max_items=250, concurrency=16))
    assert [(page.offset, page.request_id) for page in found] == [(0, "r0"), (100, "r100"), (200, "r200")]
    assert DEFAULT_CONCURRENCY > 1


def test_stopping_early_leaves_no_socket_and_no_thread() -> None:
    with serve(Http(5000).answer) as http, MetaStudio(**settings(http.url)) as studio:
        for _ in studio.training_jobs.iterate(concurrency=8):
            break
    gc.collect()  # a socket left open would be reported here
    assert [thread.name for thread in threading.enumerate() if "metastudio" in thread.name] == []


@pytest.mark.anyio
async def test_the_client_iterates_over_http_async() -> None:
    with serve(Http(1234).answer) as http:
        async with AsyncMetaStudio(**settings(http.url)) as studio:
            assert [each.job_id async for each in studio.training_jobs.iterate()] == ids(jobs(1234))
            async with aclosing(studio.training_jobs.iterate(concurrency=8)) as found:
                await anext(found)
            assert tasks_of_ours() == []
    gc.collect()
