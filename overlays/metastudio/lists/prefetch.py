"""Fetches the pages of a plan ahead of the reader, in threads or in tasks, and delivers them in order.

At most `concurrency` requests are in flight, and at most a quarter more pages wait for the reader or for their turn, so
memory is constant. An error surfaces at its place, after every page before it.
"""

from __future__ import annotations

import random as _random
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metastudio_client._engine import Page

from metastudio.errors import ConfigurationError, RateLimitError
from metastudio.http.throttle import Pace
from metastudio.lists.executor import CLOSED, AsyncIterations, Iterations, cancel
from metastudio.lists.offset import FetchedPage, Plan, Request

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")
P = TypeVar("P")
Fetch = Callable[[Mapping[str, Any]], FetchedPage[T]]
AsyncFetch = Callable[[Mapping[str, Any]], Awaitable[FetchedPage[T]]]


class _Window(Generic[T, P]):
    """The requests sent ahead, in the order of delivery. `P` is what stands for an answer to come."""

    def __init__(self, plan: Plan[T], size: int, start: Callable[[Request], P]) -> None:
        self._plan = plan
        self._size = size
        self._start = start
        self._sent: deque[tuple[Request, P]] = deque()

    def fill(self) -> None:
        """Send ahead what may be."""
        if self._size == 1:
            return
        while self._plan.ahead and len(self._sent) < self._size and (request := self._plan.next()):
            gap = bool(self._sent) and request.offset < self._sent[0][0].offset
            (self._sent.appendleft if gap else self._sent.append)((request, self._start(request)))

    def pop(self) -> tuple[Request, P | None] | None:
        """Return the request whose answer is due, with what stands for it, or None where it has yet to be sent."""
        if self._sent:
            return self._sent.popleft()
        request = self._plan.next()
        return None if request is None else (request, None)

    def rest(self) -> list[P]:
        """What nobody will read."""
        return [pending for _, pending in self._sent]


def pages(
    plan: Plan[T],
    fetch: Fetch[T],
    iterations: Iterations,
    *,
    concurrency: int,
    max_rate: float | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
    random: Callable[[], float] = _random.random,
) -> Generator[Page[T], None, None]:
    """Yield the pages of a plan.

    `fetch` is called in threads for what is sent ahead, in the reader's for the rest. `sleep` waits so many
    seconds, or until the event is set. Leaving the loop returns at once.
    """
    iteration = iterations.begin(concurrency)
    stop = iteration.stop
    pace = Pace(max_rate, clock=clock, random=random, over=stop.is_set)

    def send(request: Request) -> FetchedPage[T]:
        while True:
            delay, ticket = pace.start() if not stop.is_set() else (0.0, 0)
            if stop.is_set():
                raise ConfigurationError(CLOSED)
            if delay > 0:
                sleep(stop, delay)
                continue
            try:
                with pace.applied(ticket):
                    return fetch(request.arguments)
            except RateLimitError as error:
                pace.refused(ticket, error)
            except Exception as error:
                if stop.is_set():
                    raise ConfigurationError(CLOSED) from error
                raise

    def start(request: Request) -> Future[FetchedPage[T]]:
        return iterations.start(iteration, send, request)

    # A quarter more than there are threads: answers come in any order, and whose answer is not due yet goes on.
    window = _Window(plan, concurrency + concurrency // 4, start)
    try:
        while not plan.done and (due := window.pop()):
            request, answer = due
            page = plan.take(request, send(request) if answer is None else iteration.result(answer))
            window.fill()
            if page is not None:
                yield page
    finally:
        iterations.end(iteration)


async def async_pages(
    plan: Plan[T],
    fetch: AsyncFetch[T],
    iterations: AsyncIterations,
    *,
    concurrency: int,
    max_rate: float | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    random: Callable[[], float] = _random.random,
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of a plan. Closing the generator cancels what is in flight, and waits until it has ended.

    `break` does not close an asynchronous generator; the event loop does some time later. `contextlib.aclosing` or
    `aclose` does it at once.
    """
    import asyncio

    pace = Pace(max_rate, clock=clock, random=random)

    async def send(request: Request) -> FetchedPage[T]:
        while True:
            delay, ticket = pace.start()
            if delay > 0:
                await (sleep or asyncio.sleep)(delay)
                continue
            try:
                with pace.applied(ticket):
                    return await fetch(request.arguments)
            except RateLimitError as error:
                pace.refused(ticket, error)

    def start(request: Request) -> asyncio.Task[FetchedPage[T]]:
        return iterations.start(send(request))

    async def result(task: asyncio.Task[FetchedPage[T]]) -> FetchedPage[T]:
        try:
            return await task
        except asyncio.CancelledError:
            reader = asyncio.current_task()
            if iterations.closed and reader is not None and not reader.cancelling():
                raise ConfigurationError(CLOSED) from None
            raise

    window = _Window(plan, concurrency, start)
    try:
        while not plan.done and (due := window.pop()):
            request, task = due
            page = plan.take(request, await result(start(request) if task is None else task))
            window.fill()
            # The new request begins now, not when all answers that are there have been read: those that were sent
            # together come together, and would be followed together, the line idle meanwhile.
            await asyncio.sleep(0)
            if page is not None:
                yield page
    finally:
        await cancel(window.rest())


def items(pages: Generator[Page[T], None, None]) -> Generator[T, None, None]:
    """Yield the items of pages."""
    with closing(pages):
        for page in pages:
            yield from page.items


async def async_items(pages: AsyncGenerator[Page[T], None]) -> AsyncGenerator[T, None]:
    """Yield the items of pages."""
    try:
        async for page in pages:
            for item in page.items:
                yield item
    finally:
        await pages.aclose()
