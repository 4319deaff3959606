"""The events of schemathesis, from a thread of their own: an answer that never ends cannot hold up the run.

Schemathesis bounds the wait for each byte, not that for an answer, and gives no sign between two events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from schemathesis.engine.core import EventStream
from schemathesis.engine.events import EngineEvent

GLANCE = 0.1
"""Seconds between two looks at the thread."""


@dataclass
class Flight:
    """The request that is under way: since when (seconds of a monotonic clock, None for none), and what it is."""

    since: float | None = None
    request: Any = None

    def starts(self, request: Any) -> None:
        """Note that a request goes out."""
        self.since, self.request = time.monotonic(), request

    def lands(self) -> None:
        """Note that its answer is there."""
        self.since = None

    def is_longer_than(self, seconds: float) -> bool:
        """Whether the answer takes longer than that."""
        since = self.since
        return since is not None and time.monotonic() - since > seconds


class NeverEndsError(Exception):
    """An answer does not end."""


@dataclass
class _End:
    error: BaseException | None = None


@dataclass
class Stream:
    """What schemathesis tells. `patience` is how many seconds an answer may take, `is_over` whether time is up."""

    source: EventStream
    flight: Flight
    patience: float
    is_over: Callable[[], bool]
    _queue: SimpleQueue[EngineEvent | _End] = field(default_factory=SimpleQueue[EngineEvent | _End])

    def events(self) -> Iterator[EngineEvent | None]:
        """Yield the events, and None whenever there is none for a moment. Raises NeverEndsError."""
        thread = threading.Thread(target=self._pump, daemon=True)
        thread.start()
        try:
            while True:
                try:
                    event = self._queue.get(timeout=GLANCE)
                except Empty:
                    if self.is_over():
                        self.source.stop()
                    if self.flight.is_longer_than(self.patience):
                        raise NeverEndsError from None
                    yield None
                    continue
                if not isinstance(event, _End):
                    yield event
                    continue
                thread.join()
                if event.error is not None:
                    raise event.error
                return
        finally:
            self.source.stop()

    def _pump(self) -> None:
        try:
            for event in self.source:
                self._queue.put(event)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            self._queue.put(_End(error))
        else:
            self._queue.put(_End())
