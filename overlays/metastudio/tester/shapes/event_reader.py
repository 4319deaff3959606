"""Reads the events of schemathesis in a thread, so that a response that never ends cannot block the run.

Schemathesis has a timeout for the next byte but none for the complete response.
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

POLL_INTERVAL = 0.1
"""Seconds between two polls of the thread."""


@dataclass
class InFlightRequest:
    """The request in flight. `since` is its start on the monotonic clock, None if there is none."""

    since: float | None = None
    request: Any = None

    def start(self, request: Any) -> None:
        """Record that a request was sent."""
        self.since, self.request = time.monotonic(), request

    def finish(self) -> None:
        """Record that its response arrived."""
        self.since = None

    def exceeds(self, seconds: float) -> bool:
        """Whether the request takes longer than `seconds`."""
        since = self.since
        return since is not None and time.monotonic() - since > seconds


class EndlessResponseError(Exception):
    """A response does not end."""


@dataclass
class _EndOfEvents:
    error: BaseException | None = None


@dataclass
class EventReader:
    """The events of schemathesis.

    Args:
        source: events of the engine.
        in_flight: the request in flight.
        timeout: total timeout of a response in seconds.
        is_over: returns whether the time limit of the run is reached.
    """

    source: EventStream
    in_flight: InFlightRequest
    timeout: float
    is_over: Callable[[], bool]
    _queue: SimpleQueue[EngineEvent | _EndOfEvents] = field(default_factory=SimpleQueue[EngineEvent | _EndOfEvents])

    def events(self) -> Iterator[EngineEvent | None]:
        """Yield the events, and None at every poll without one.

        Raises:
            EndlessResponseError: a response exceeds the timeout.
        """
        thread = threading.Thread(target=self._pump, daemon=True)
        thread.start()
        try:
            while True:
                try:
                    event = self._queue.get(timeout=POLL_INTERVAL)
                except Empty:
                    if self.is_over():
                        self.source.stop()
                    if self.in_flight.exceeds(self.timeout):
                        raise EndlessResponseError from None
                    yield None
                    continue
                if not isinstance(event, _EndOfEvents):
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
            self._queue.put(_EndOfEvents(error))
        else:
            self._queue.put(_EndOfEvents())
