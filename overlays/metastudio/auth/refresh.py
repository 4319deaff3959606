"""A value that runs out, renewed early and once, for however many threads and tasks need it.

Keys with an end and tokens are alike here. Whoever first finds the value due becomes the leader and renews it as
part of its own call; the others go on with the old value while that is good, else wait for the leader. Nothing is
bound to an event loop between calls, so one auth object serves threads and any number of ``asyncio.run``.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from metastudio.auth.clock import Clock
from metastudio.errors import ApiConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from datetime import datetime

    from metastudio.auth.flow import Step

T = TypeVar("T")
_log = logging.getLogger("metastudio")

HOLD_OFF = timedelta(minutes=1)
"""After an early renewal, whether it failed or brought nothing newer, the next one waits this long."""
PATIENCE = 60.0
"""Seconds to wait for a leader before taking over: it may have been lost in a fork, or need this very thread."""
_ATTEMPTS = 3


class _State(NamedTuple, Generic[T]):
    """One assignment replaces all of it, so that readers need no lock."""

    value: T | None = None
    ends: datetime | None = None
    hold_until: datetime | None = None


class Renewal(Generic[T]):
    """Holds the value.

    Args:
        value: the first one, if it is known and has no end.
        early: how long before its end one caller renews it, while others go on using it.
        late: how long before its end everybody waits for the renewal.
        now: the time that ends are compared with.
    """

    def __init__(
        self,
        value: T | None = None,
        *,
        early: timedelta = timedelta(0),
        late: timedelta = timedelta(0),
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._early = early
        self._late = late
        self._now = now or Clock().now
        self._lock = Lock()
        self._state = _State(value)
        self._flight: Future[T] | None = None

    def fresh(self) -> T | None:
        """The value, when there is nothing to do about it: the quick way for nearly every call."""
        value, ends, hold_until = self._state
        if value is None or ends is None:
            return value
        now = self._now()
        held = hold_until is not None and now < hold_until
        return value if now < (ends if held else ends - self._early) else None

    def get(
        self,
        renew: Callable[[], Generator[Step, Any, tuple[T, datetime | None]]],
        *,
        refused: T | None = None,
    ) -> Generator[Step, Any, T]:
        """Steps to a value that can be used.

        Args:
            renew: the steps to a new value and the time it ends, None for one without an end.
            refused: a value that the server did not accept. It is renewed, unless that has happened meanwhile; what
                comes out is the same value again when there is no other.
        """
        from concurrent.futures import Future  # by whoever needs a renewal, not by everybody

        for _ in range(_ATTEMPTS):
            with self._lock:
                value = self.fresh()
                if value is not None and value != refused:
                    return value
                old = self._unended(refused)
                flight, leading = self._flight, self._flight is None
                if flight is None:
                    flight = self._flight = Future[T]()
                    flight.set_running_or_notify_cancel()  # so that no waiting task can cancel it
            if leading:
                return (yield from self._lead(flight, renew, old))
            if old is not None and not self._is_late():
                return old
            try:
                renewed: T = yield _Wait(flight)
            except _AbandonedError as abandoned:
                self._finish(flight, error=abandoned)
            except Exception:  # the caller that renews gets it; the others have a value that is still good
                if old is None:
                    raise
                return old
            else:
                return renewed
        raise ApiConnectionError("the credentials could not be renewed: whoever tried got no answer, several times")

    def keep(self, value: T, ends: datetime | None) -> None:
        """Take over a value that somebody has got already."""
        self._state = _State(value, ends, self._now() + HOLD_OFF)

    def _unended(self, refused: T | None) -> T | None:
        value, ends, _ = self._state
        return value if value != refused and (ends is None or self._now() < ends) else None

    def _is_late(self) -> bool:
        ends = self._state.ends
        return ends is not None and self._now() >= ends - self._late

    def _lead(
        self,
        flight: Future[T],
        renew: Callable[[], Generator[Step, Any, tuple[T, datetime | None]]],
        old: T | None,
    ) -> Generator[Step, Any, T]:
        try:
            value, ends = yield from renew()
        except BaseException as error:
            if old is not None:
                self._state = self._state._replace(hold_until=self._now() + HOLD_OFF)
            if not isinstance(error, Exception):  # cancelled, or no answer came and httpx dropped the flow
                self._finish(flight, error=_AbandonedError())
                raise
            self._finish(flight, error=error)
            if old is None:
                raise
            _log.warning("credentials could not be renewed early, the old ones are still good: %s", error)
            return old
        self.keep(value, ends)
        self._finish(flight, value=value)
        return value

    def _finish(self, flight: Future[T], *, value: T | None = None, error: Exception | None = None) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None
            if flight.done():
                return
            if value is not None:
                flight.set_result(value)
            else:
                flight.set_exception(error)


class _AbandonedError(Exception):
    """The leader is gone, or is taken to be."""


class _Wait:
    """The step of waiting for another caller's renewal."""

    def __init__(self, flight: Future[Any]) -> None:
        self._flight = flight

    def run(self) -> Any:
        try:
            return self._flight.result(PATIENCE)
        except TimeoutError:
            raise self._timeout() from None

    async def arun(self) -> Any:
        import asyncio

        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._flight), PATIENCE)
        except TimeoutError:
            raise self._timeout() from None

    def _timeout(self) -> BaseException:
        """Either our patience ended, or the renewal itself did with an error of this class."""
        return (self._flight.exception() if self._flight.done() else None) or _AbandonedError()
