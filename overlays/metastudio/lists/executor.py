"""Runs the requests that iterations send ahead, so that closing the client ends all of them.

An iteration can be dropped anywhere, and the garbage collector then ends it in whatever thread it runs, at any point.
What such an end calls (`StopSignal.set`, `Executor.end`) therefore takes no lock and waits for nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from os import getpid
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor

A = TypeVar("A")
T = TypeVar("T")

CLOSED = "the client was closed while a list was read; keep it open until the last item is read"


class StopSignal:
    """A `threading.Event` whose `set` takes no lock: `SimpleQueue.put` is made to be called from finalisers."""

    def __init__(self) -> None:
        self._is_set = False
        self._queue = SimpleQueue[None]()

    def is_set(self) -> bool:
        """Return whether the signal was set."""
        return self._is_set

    def set(self) -> None:
        """Set the signal and wake those that wait for it."""
        self._is_set = True
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for the signal, at most so many seconds."""
        with suppress(Empty):
            self._queue.get(timeout=seconds)
            self._queue.put(None)  # wakes the next that waits


class Executor:
    """The blocking iterations of a client, and the threads they share. Thread-safe."""

    def __init__(self) -> None:
        self._closed = False
        self._process = getpid()
        self._lock = threading.Lock()  # guards the making of the pool only
        self._pool: ThreadPoolExecutor | None = None
        self._running = set[StopSignal]()  # a set adds, discards and copies in one step

    def begin(self) -> StopSignal:
        """Register an iteration, and return what stops it.

        Raises:
            ConfigurationError: The client is closed.
        """
        stop = StopSignal()
        self._running.add(stop)  # before the check, so that `close` misses none
        if self._closed:
            self.end(stop)
            raise ConfigurationError(CLOSED)
        return stop

    def end(self, stop: StopSignal) -> None:
        """Stop an iteration: its requests in flight end by themselves, and those that wait are not sent."""
        self._running.discard(stop)
        stop.set()

    def submit(self, function: Callable[[A], T], argument: A) -> Future[T]:
        """Call a function in a thread, in the context of the caller.

        Raises:
            ConfigurationError: The client is closed.
        """
        pool = self._threads()
        try:
            return pool.submit(copy_context().run, function, argument)
        except RuntimeError:
            if self._closed:
                raise ConfigurationError(CLOSED) from None
            raise

    def result(self, future: Future[T]) -> T:
        """Wait for the result of a call.

        Raises:
            ConfigurationError: This is a forked child, which has none of the threads.
        """
        if self._process != getpid():
            raise ConfigurationError("an iteration cannot continue in a forked process; begin another one there")
        return future.result()

    def close(self) -> None:
        """Stop all iterations, and wait for their requests in flight. Their readers get a ConfigurationError."""
        with self._lock:
            self._closed = True
        for stop in self._running.copy():
            stop.set()
        if self._pool is not None:
            self._pool.shutdown()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor

                # The iterations bound the number of their requests, and so of the threads.
                self._pool = ThreadPoolExecutor(sys.maxsize, "metastudio page")
            return self._pool


class AsyncExecutor:
    """The asynchronous iterations of a client, and their tasks."""

    def __init__(self) -> None:
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task and track it until it is done.

        Raises:
            ConfigurationError: The client is closed.
        """
        import asyncio

        if self._closed:
            coroutine.close()
            raise ConfigurationError(CLOSED)
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def result(self, task: asyncio.Task[T]) -> T:
        """Await a task.

        Raises:
            ConfigurationError: The client was closed, which cancelled the task.
        """
        import asyncio

        try:
            return await task
        except asyncio.CancelledError:
            reader = asyncio.current_task()
            if self._closed and reader is not None and not reader.cancelling():
                raise ConfigurationError(CLOSED) from None
            raise

    async def aclose(self) -> None:
        """Cancel all tasks and wait until they are done. Their readers get a ConfigurationError."""
        self._closed = True
        await cancel(list(self._tasks))


async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are done."""
    import asyncio

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
