"""Runs the requests that iterations send ahead, so that closing the client ends all of them.

A half-read iteration may be dropped, and the garbage collector closes it, in any thread and at any point.
The functions that this calls (`StopSignal.set`, `Executor.end`) therefore take no lock and wait for nothing.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from os import getpid
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

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


class DaemonPool:
    """Runs calls in daemon threads. Those of a `ThreadPoolExecutor` keep the process alive after Ctrl-C.

    There are as many threads as calls ran at once. A thread waits for the next call until `close`, or
    until the pool is garbage.
    """

    def __init__(self) -> None:
        self._calls = SimpleQueue[Callable[[], None] | None]()
        self._idle = threading.Semaphore(0)
        self._threads = list[threading.Thread]()
        self._starting = threading.Lock()  # `close` joins threads that have started only
        weakref.finalize(self, self._calls.put, None).atexit = False

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Start a call in a thread, and return its future."""
        from concurrent.futures import Future

        future = Future[T]()

        def call() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where the result is read
                future.set_exception(error)

        self._calls.put(call)
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(
                target=_run_calls, args=(self._calls, self._idle), name="metastudio page", daemon=True
            )
            with self._starting:
                self._threads.append(thread)
                thread.start()
        return future

    def close(self) -> None:
        """Wait for the calls that were submitted, and end the threads."""
        self._calls.put(None)
        with self._starting:
            threads = self._threads.copy()
        for thread in threads:
            thread.join()


def _run_calls(calls: SimpleQueue[Callable[[], None] | None], idle: threading.Semaphore) -> None:
    while call := calls.get():
        call()
        del call  # its result must not live on in an idle thread
        idle.release()
    calls.put(None)  # ends the next thread


class Executor:
    """The blocking iterations of a client, and the threads they share. Thread-safe."""

    def __init__(self) -> None:
        self._closed = False
        self._process = getpid()
        self._pool = DaemonPool()
        self._running = set[StopSignal]()  # adding, discarding and copying are atomic

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
        context = copy_context()
        future = self._pool.submit(lambda: context.run(function, argument))
        if self._closed:  # after the start, so that no reader waits for a call that comes too late for the threads
            raise ConfigurationError(CLOSED)
        return future

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
        self._closed = True
        for stop in self._running.copy():
            stop.set()
        if self._process == getpid():
            self._pool.close()


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
