"""The iterations that a client has running, so that closing the client leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from os import getpid
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor

A = TypeVar("A")
T = TypeVar("T")

CLOSED = "the client was closed while it was iterated; keep it open until the last item is read"


class Iteration:
    """A blocking iteration: what stops it, and its threads, which are there from the first request sent ahead."""

    def __init__(self, concurrency: int, begun: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self._process = getpid()
        self._concurrency = concurrency
        self._begun = begun
        self._executor: ThreadPoolExecutor | None = None

    @property
    def inherited(self) -> bool:
        """Whether a fork has left the threads, and whatever locks they hold, in the parent process."""
        return self._process != getpid()

    def start(self, work: Callable[[A], T], argument: A) -> Future[T]:
        """Have a thread do `work`, in the context of the caller."""
        if self._executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(self._concurrency, "metastudio page", self._begun)
        return self._executor.submit(copy_context().run, work, argument)

    def result(self, work: Future[T]) -> T:
        """Wait for what a thread does."""
        if self.inherited:
            raise ConfigurationError("an iteration cannot be continued in a forked process; begin another one there")
        return work.result()

    def end(self) -> None:
        """Start nothing any more. The threads end by themselves, with the answers that they wait for."""
        self.stop.set()
        if self._executor is not None and not self.inherited:
            self._executor.shutdown(wait=False)


class Iterations:
    """The blocking iterations of a client."""

    def __init__(self) -> None:
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[Iteration] = set()
        self._threads = WeakSet[threading.Thread]()  # those that have ended vanish

    def close(self) -> None:
        """Start nothing any more, and wait for what is in flight in threads. Readers get a ConfigurationError."""
        with self._lock:
            self._closed = True
            for iteration in self._running:
                iteration.end()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def begin(self, concurrency: int) -> Iteration:
        """Return a new iteration."""
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            iteration = Iteration(concurrency, self._keep_thread)
            self._running.add(iteration)
        return iteration

    def start(self, iteration: Iteration, work: Callable[[A], T], argument: A) -> Future[T]:
        """Have a thread of an iteration do `work`."""
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            return iteration.start(work, argument)

    def end(self, iteration: Iteration) -> None:
        """Stop an iteration."""
        if iteration.inherited:
            return
        with self._lock:
            self._running.discard(iteration)
        iteration.end()

    def _keep_thread(self) -> None:
        with self._lock:
            self._threads.add(threading.current_thread())


class AsyncIterations:
    """The asynchronous iterations of a client."""

    def __init__(self) -> None:
        self.closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Cancel what is in flight and wait until it has ended. Readers get a ConfigurationError."""
        self.closed = True
        await cancel(list(self._tasks))

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task, and keep it in mind until it has ended."""
        import asyncio

        if self.closed:
            coroutine.close()
            raise ConfigurationError(CLOSED)
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    import asyncio

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
