"""The rate of an iteration's requests: 429 pauses all of them, `max_rate` spaces them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import Credentials, MetaStudio, errors
from metastudio.http.retry import Stop, Wait
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor, StopSignal
from metastudio.lists.paginator import async_items, choose_paginator, items, iterate_pages
from metastudio.lists.prefetch import async_pages, pages
from simulated_lists import OPERATION, TIMEOUT, Arguments, HeldServer, Job, SimulatedServer, ids, jobs, options


class SleepClock:
    """A clock that moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, stop: StopSignal, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)
        self.slept.append(seconds)


class LimitedServer:
    """A server that answers 429 to the requests of the numbers given, counted from 0, or to all."""

    def __init__(self, time: SleepClock, refused: Mapping[int, float | None] | None = None, count: int = 100) -> None:
        self.server = SimulatedServer(jobs(count))
        self.time = time
        self.refused = refused
        self.starts: list[float] = []

    def fetch(self, arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        number = len(self.starts)
        self.starts.append(self.time.now)
        if self.refused is None or number in self.refused:
            error = errors.RateLimitError(429, "APIGW.0308", "throttled")
            error.retry_after = self.refused[number] if self.refused else None
            raise error
        return self.server.fetch(arguments)

    async def async_fetch(self, arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        await asyncio.sleep(0)
        return self.fetch(arguments, throttle)


def limited_pages(limited: LimitedServer, *, max_rate: float | None = None, random: float = 0.999999) -> Any:
    return pages(
        choose_paginator(OPERATION, {}, options()),
        limited.fetch,
        Executor(),
        options(max_rate=max_rate),
        clock=limited.time.clock,
        sleep=limited.time.sleep,
        random=lambda: random,
    )


async def limited_tasks(limited: LimitedServer, *, max_rate: float | None = None, concurrency: int = 4) -> list[str]:
    found = async_pages(
        choose_paginator(OPERATION, {}, options()),
        limited.async_fetch,
        AsyncExecutor(),
        options(concurrency=concurrency, max_rate=max_rate),
        clock=limited.time.clock,
        sleep=limited.time.async_sleep,
        random=lambda: 0.5,
    )
    return [each.job_id async for each in async_items(found)]


def test_retry_after_sets_the_pause() -> None:
    limited = LimitedServer(SleepClock(), {0: 7.0, 4: 30.0})
    assert ids(items(limited_pages(limited))) == ids(jobs(100))
    assert limited.time.slept == [7.0, 30.0]


def test_pauses_grow_and_end_with_the_error() -> None:
    limited = LimitedServer(SleepClock())
    with pytest.raises(errors.RateLimitError) as raised:
        list(limited_pages(limited))
    assert limited.time.slept == pytest.approx([2, 4, 8, 16, 32], rel=1e-3)
    assert "5 pauses" in raised.value.__notes__[-1]


def test_pauses_are_jittered_and_start_anew_after_a_success() -> None:
    limited = LimitedServer(SleepClock(), dict.fromkeys((1, 2, 3, 5), None))
    list(limited_pages(limited, random=0.0))
    assert limited.time.slept == [1, 2, 4, 1]


def test_a_retry_after_too_long_raises_the_error() -> None:
    limited = LimitedServer(SleepClock(), {3: 61.0})
    found = items(limited_pages(limited))
    assert [next(found).job_id for _ in range(30)] == ids(jobs(30))
    with pytest.raises(errors.RateLimitError):
        next(found)
    assert limited.time.slept == []


@pytest.mark.anyio
async def test_one_429_delays_all_requests() -> None:
    limited = LimitedServer(SleepClock(), {3: 20.0})
    assert await limited_tasks(limited) == ids(jobs(100))
    refused = limited.starts[3]
    assert [start for start in limited.starts[5:] if start < refused + 20] == []
    assert len(limited.starts) == 11


@pytest.mark.anyio
async def test_requests_refused_together_count_once() -> None:
    limited = LimitedServer(SleepClock(), dict.fromkeys(range(1, 5), None))
    assert await limited_tasks(limited) == ids(jobs(100))
    assert limited.starts[5:] == [1000 + 1.5] * 9  # 2 s and half the jitter, not 4 or 8


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_max_rate_holds_over_all_starts(concurrency: int) -> None:
    limited = LimitedServer(SleepClock(), {4: 3.0})
    assert await limited_tasks(limited, max_rate=5, concurrency=concurrency) == ids(jobs(100))
    gaps = [after - before for before, after in zip(limited.starts, limited.starts[1:], strict=False)]
    assert min(gaps) >= 0.2 - 1e-9
    assert limited.starts[-1] - limited.starts[0] <= 10 * 0.2 + 3.0 + 1e-6


def test_max_rate_holds_in_threads() -> None:
    time, lock, starts = SleepClock(), threading.Lock(), list[float]()
    server = SimulatedServer(jobs(200))

    def sleep(stop: StopSignal, seconds: float) -> None:
        with lock:
            time.now += seconds

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        with lock:
            starts.append(time.now)
        return server.fetch(arguments)

    found = pages(
        choose_paginator(OPERATION, {}, options()),
        fetch,
        Executor(),
        options(concurrency=4, max_rate=10),
        clock=time.clock,
        sleep=sleep,
    )
    assert ids(items(found)) == ids(jobs(200))
    assert max(starts) - min(starts) >= 19 * 0.1 - 1e-6


def test_the_pause_ends_when_the_client_is_closed() -> None:
    executor, paused = Executor(), threading.Event()
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if not arguments["offset"]:
            return server.fetch(arguments)
        raise errors.RateLimitError(429, "APIGW.0308", "throttled")

    def sleep(stop: StopSignal, seconds: float) -> None:
        paused.set()
        stop.wait(TIMEOUT)
        assert stop.is_set()

    found = pages(choose_paginator(OPERATION, {}, options()), fetch, executor, options(concurrency=4), sleep=sleep)
    next(found)
    assert paused.wait(TIMEOUT)
    executor.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        next(found)


def test_retries_count_as_starts() -> None:
    time = SleepClock()
    over = list[bool]()
    throttle = Throttle(10, clock=time.clock, random=lambda: 0.5, over=lambda: bool(over))
    assert throttle.start()[0] == 0
    assert tuple(throttle.judge(503, Wait(0.01))) == pytest.approx((0.1,))
    assert throttle.start()[0] == pytest.approx(0.2)
    assert throttle.judge(503, Wait(5.0)) == Wait(5.0)
    assert throttle.start()[0] == pytest.approx(0.3)
    time.now += 10
    assert throttle.judge(503, Wait(0.0)) == Wait(0.0)
    assert throttle.judge(503, Stop("no")) == Stop("no")
    over.append(True)
    assert isinstance(throttle.judge(503, Wait(0.01)), Stop)


@pytest.mark.parametrize("left", [False, True])
def test_requests_are_not_retried_after_the_loop_is_left(left: bool) -> None:
    held, executor = HeldServer(100), Executor()
    judged = list[Wait | Stop]()

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        found = held.fetch(arguments)
        assert throttle is not None
        judged.append(throttle.judge(503, Wait(1.0)))
        return found

    found = iterate_pages(OPERATION, fetch, {}, executor, options(concurrency=2))
    next(found)
    held.wait_for(10, 20)
    if left:
        found.close()
    held.release(10, 20)
    held.wait_for(10, 20, ended=True)
    executor.close()
    found.close()
    assert [isinstance(each, Stop) for each in judged] == [False, left, left]


def test_an_iteration_pauses_where_a_single_call_would_give_up() -> None:
    throttled = {10}

    def answer(request: ReceivedRequest) -> CannedResponse:
        offset = int(dict(parse_qsl(urlsplit(request.target).query))["offset"])
        if offset in throttled:
            throttled.remove(offset)
            return CannedResponse(429, b"{}")
        body = {"count": 25, "jobs": [each.to_dict() for each in jobs(25)[offset : offset + 10]]}
        return CannedResponse(
            body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"}
        )

    keys = Credentials("AK", "SK")
    with (
        serve(answer) as http,
        MetaStudio(base_url=http.url, project_id="p", credentials=keys, max_retries=0) as studio,
    ):
        assert ids(studio.training_jobs.iterate(page_size=10, concurrency=1)) == ids(jobs(25))
        throttled.add(0)
        with pytest.raises(errors.RateLimitError):
            studio.training_jobs.list(offset=0)
