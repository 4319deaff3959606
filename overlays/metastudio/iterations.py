"""The iterations that a client has running, so that closing the client leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

CLOSED = "the client was closed while it was iterated; keep it open until the last item is read"


class Iterations:
    """The blocking iterations of a client."""

    def __init__(self) -> None:
        self._closed = False
        self._lock = threading.Lock()
        self._stops: set[threading.Event] = set()
        self._threads = WeakSet[threading.Thread]()  # those that have ended vanish

    def close(self) -> None:
        """Start nothing any more, and wait for what is in flight in threads. Readers get a ConfigurationError."""
        with self._lock:
            self._closed = True
            stops, threads = list(self._stops), list(self._threads)
        for stop in stops:
            stop.set()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def begin(self) -> threading.Event:
        """Return the event that stops a new iteration."""
        stop = threading.Event()
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            self._stops.add(stop)
        return stop

    def end(self, stop: threading.Event) -> None:
        """Stop an iteration. Its threads end by themselves, with the answers that they wait for."""
        stop.set()
        with self._lock:
            self._stops.discard(stop)

    def start(self, thread: threading.Thread) -> None:
        """Start a thread, and keep it in mind until it has ended."""
        with self._lock:
            if self._closed:
                raise ConfigurationError(CLOSED)
            thread.start()
            self._threads.add(thread)


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
