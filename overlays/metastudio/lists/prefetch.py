"""Requests pages ahead of the reader, in threads or tasks, and delivers them in order.

At most `concurrency` pages are in flight or waiting for the reader, so that memory stays constant. An error is raised
at its place, after every page before it.
"""

from __future__ import annotations

import random as random_module
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

from metastudio.errors import AuthenticationError, ConfigurationError, RateLimitError
from metastudio.http.throttle import Throttle
from metastudio.lists.base import AsyncFetch, Fetch, FetchedPage, PageRequest, Paginator
from metastudio.lists.executor import CLOSED, AsyncExecutor, Executor, StopSignal, cancel
from metastudio.lists.options import IterateOptions, Page

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

F = TypeVar("F")
T = TypeVar("T")


class PrefetchQueue(Generic[T, F]):
    """The requests sent ahead of the reader, in the order of delivery.

    Args:
        paginator: Decides what to request.
        size: Number of requests sent ahead at most; 1 sends none ahead.
        submit: Sends a request in the background, and returns the future of its response.
    """

    def __init__(self, paginator: Paginator[T], size: int, submit: Callable[[PageRequest], F]) -> None:
        self._paginator = paginator
        self._size = size
        self._submit = submit
        self._sent = deque[tuple[PageRequest, F]]()

    def fill(self) -> None:
        """Send ahead as many requests as allowed."""
        if self._size == 1:
            return
        while self._paginator.can_prefetch and len(self._sent) < self._size:
            request = self._paginator.next_request()
            if request is None:
                return
            pending = (request, self._submit(request))
            if self._sent and request.offset < self._sent[0][0].offset:  # fills the gap of a short page
                self._sent.appendleft(pending)
            else:
                self._sent.append(pending)

    def pop(self) -> tuple[PageRequest, F | None] | None:
        """Return the next request and the future of its response; None for the future if it was not sent ahead."""
        if self._sent:
            return self._sent.popleft()
        request = self._paginator.next_request()
        return None if request is None else (request, None)

    def pending(self) -> list[F]:
        """Return the futures that were not popped."""
        return [future for _, future in self._sent]


def pages(
    paginator: Paginator[T],
    fetch: Fetch[T],
    executor: Executor,
    options: IterateOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[StopSignal, float], object] = StopSignal.wait,
    random: Callable[[], float] = random_module.random,
) -> Generator[Page[T], None, None]:
    """Yield the pages of a list. Leaving the loop returns at once.

    Args:
        paginator: Decides what to request and what to deliver.
        fetch: Sends a request; called in threads for what is sent ahead, otherwise in the thread of the reader.
        executor: Runs what is sent ahead.
        options: `concurrency` and `max_rate` are used here.
        clock, sleep, random: Replaced in tests. `sleep` waits so many seconds, or until the signal is set.

    Raises:
        ConfigurationError: The client is closed.
        ListChangedError: The list cannot be read further.
    """
    stop = executor.begin()
    throttle = Throttle(options.max_rate, clock=clock, random=random, over=stop.is_set)

    def send(request: PageRequest) -> FetchedPage[T]:
        while not stop.is_set():
            delay, ticket = throttle.start()
            if delay > 0:
                sleep(stop, delay)
                continue
            try:
                fetched = fetch(request.arguments, throttle)
            except RateLimitError as error:
                throttle.refused(ticket, error)
            except AuthenticationError as error:
                throttle.stop(error)
                raise
            except Exception as error:
                if stop.is_set():
                    raise ConfigurationError(CLOSED) from error
                raise
            else:
                throttle.succeeded(ticket)
                return fetched
        raise ConfigurationError(CLOSED)

    def submit(request: PageRequest) -> Future[FetchedPage[T]]:
        return executor.submit(send, request)

    queue = PrefetchQueue(paginator, options.concurrency, submit)
    try:
        while not paginator.done and (due := queue.pop()):
            request, future = due
            page = paginator.receive(request, send(request) if future is None else executor.result(future))
            queue.fill()
            if page is not None:
                yield page
    finally:
        executor.end(stop)


async def async_pages(
    paginator: Paginator[T],
    fetch: AsyncFetch[T],
    executor: AsyncExecutor,
    options: IterateOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    random: Callable[[], float] = random_module.random,
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of a list, like `pages`. Closing the generator cancels what is in flight and awaits its end.

    `break` does not close an asynchronous generator; the event loop does so some time later. Use `contextlib.aclosing`
    to close it at once.
    """
    import asyncio

    throttle = Throttle(options.max_rate, clock=clock, random=random)

    async def send(request: PageRequest) -> FetchedPage[T]:
        while True:
            delay, ticket = throttle.start()
            if delay > 0:
                await (sleep or asyncio.sleep)(delay)
                continue
            try:
                fetched = await fetch(request.arguments, throttle)
            except RateLimitError as error:
                throttle.refused(ticket, error)
            except AuthenticationError as error:
                throttle.stop(error)
                raise
            else:
                throttle.succeeded(ticket)
                return fetched

    def submit(request: PageRequest) -> asyncio.Task[FetchedPage[T]]:
        return executor.submit(send(request))

    queue = PrefetchQueue(paginator, options.concurrency, submit)
    try:
        while not paginator.done and (due := queue.pop()):
            request, task = due
            page = paginator.receive(request, await executor.result(task or submit(request)))
            queue.fill()
            # Starts the new request now. Responses to requests sent together arrive together; without this turn of the
            # event loop, all of them would be delivered before the next request starts, with the line idle meanwhile.
            await asyncio.sleep(0)
            if page is not None:
                yield page
    finally:
        await cancel(queue.pending())
