"""A value that expires, refreshed in time and only once, whatever number of threads and tasks need it.

Temporary access keys and tokens are refreshed alike, in two windows before they expire (the names are botocore's).
In the advisory window, the first caller refreshes the value as part of its own request and the others go on with the
old one. In the mandatory window, the others wait for it.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from metastudio.auth.flow import Action
from metastudio.errors import ApiConnectionError, ApiTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from datetime import datetime

    from metastudio.auth.flow import Step

T = TypeVar("T")
_log = logging.getLogger("metastudio")

BACKOFF = timedelta(minutes=1)
"""The shortest time between two refreshes of a value that has not expired."""
MAX_LIFETIME = timedelta(days=366)
"""The longest time to expiration that is believed, so that no sum of times overflows."""
LEADER_TIMEOUT = 60.0
"""Seconds to wait for another caller. It may be a task of the event loop that this call blocks, and never finish."""
_MAX_LEADERS = 3


class _ValueState(NamedTuple, Generic[T]):
    """Replaced as a whole, so that readers need no lock. A time is None if the value does not expire."""

    value: T | None
    refresh_at: datetime | None = None
    expires_at: datetime | None = None


class _Leader(NamedTuple, Generic[T]):
    """The caller that refreshes the value: its outcome, None if it did not finish, and when it started."""

    outcome: Future[T | Exception | None]
    started: float


class RefreshableValue(Generic[T]):
    """A value that is refreshed before it expires.

    There is no lock that a fork or a finalizer could leave locked: the first caller to insert its future into a
    dictionary is the leader, which refreshes the value, and the others wait for that future. Nothing is bound to an
    event loop between calls, so threads and any number of event loops share the value.

    Args:
        now: Returns the current time.
        value: A value that does not expire; None to get the first one by a refresh.
        advisory: How long before it expires one caller refreshes the value.
        mandatory: How long before it expires all callers wait for the refresh.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        value: T | None = None,
        *,
        advisory: timedelta = timedelta(0),
        mandatory: timedelta = timedelta(0),
    ) -> None:
        self._now = now
        self._advisory = advisory
        self._mandatory = mandatory
        self._state = _ValueState(value)
        self._pending: dict[int, _Leader[T]] = {}  # by process, because a forked child never gets its parent's result

    def current(self) -> T | None:
        """Return the value, or None if it has to be refreshed. Nearly every request needs only this."""
        value, refresh_at, _ = self._state
        return value if refresh_at is None or self._now() < refresh_at else None

    def expires_at(self) -> datetime | None:
        """Return when the value expires, None if it does not or if there is none."""
        return self._state.expires_at

    def set(self, value: T, expires_at: datetime | None) -> None:
        """Store a new value and the time it expires, None if it does not."""
        if expires_at is None:
            self._state = _ValueState(value)
        else:
            now = self._now()
            expires_at = min(max(expires_at, now), now + MAX_LIFETIME)
            refresh_at = max(expires_at - self._advisory, now + BACKOFF)
            self._state = _ValueState(value, min(refresh_at, expires_at), expires_at)

    def get(
        self,
        refresh: Callable[[], Generator[Step, Any, tuple[T, datetime | None]]],
        *,
        refused: T | None = None,
        timeout: float | None = None,
    ) -> Generator[Step, Any, T]:
        """Return a value that can be used, refreshing it or waiting for another caller's refresh if necessary.

        Args:
            refresh: The steps that return a new value and the time it expires, None if it does not.
            refused: The value that the server refused. The result is another one, or the same if there is no other.
            timeout: Seconds to wait for another caller's refresh; None waits for `LEADER_TIMEOUT`.

        Raises:
            ApiTimeoutError: Another caller's refresh took longer than `timeout`.
            ApiConnectionError: Several callers in turn started a refresh and did not finish it.
            Exception: The refresh failed, and the old value cannot be used any more.
        """
        from concurrent.futures import Future

        for _ in range(_MAX_LEADERS):
            current = self.current()
            if current is not None and current != refused:
                return current
            own = _Leader[T](Future(), time.monotonic())
            leader = self._pending.setdefault(os.getpid(), own)  # atomic
            if leader is own:
                return (yield from self._lead(own, refresh, refused))
            usable, expires_at = self._usable(refused)
            if usable is not None and (expires_at is None or self._now() < expires_at - self._mandatory):
                return usable
            left = max(0.0, leader.started + LEADER_TIMEOUT - time.monotonic())
            yield wait_for(leader.outcome, left if timeout is None else min(left, timeout))
            done = leader.outcome.done()
            outcome = leader.outcome.result() if done else None
            if not (outcome is None or isinstance(outcome, Exception)):
                return outcome
            timed_out = not done and timeout is not None and timeout < left
            if not timed_out:
                self._finish(leader, None)  # if it did not finish, the next one is the leader
            if usable is not None:
                return usable
            if outcome is not None:
                raise outcome  # as the leader does
            if timed_out:
                raise ApiTimeoutError("timed out waiting for another request to refresh the credentials")
        raise ApiConnectionError("the credentials could not be refreshed: several requests in a row got no response")

    def _usable(self, refused: T | None) -> tuple[T | None, datetime | None]:
        """Return the value and when it expires, or no value if it has expired or is the refused one."""
        value, _, expires_at = self._state
        good = value != refused and (expires_at is None or self._now() < expires_at)
        return value if good else None, expires_at

    def _lead(
        self,
        own: _Leader[T],
        refresh: Callable[[], Generator[Step, Any, tuple[T, datetime | None]]],
        refused: T | None,
    ) -> Generator[Step, Any, T]:
        outcome: T | Exception | None = None  # stays None if cancelled, or closed by httpx because no response came
        usable, expires_at = self._usable(refused)
        try:
            value = self.current()  # another refresh may have finished since
            if value is None or value == refused:
                value, new_expires_at = yield from refresh()
                self.set(value, new_expires_at)
            outcome = value
        except Exception as error:
            outcome = error
            if usable is None:
                raise
            _log.warning("the credentials could not be refreshed; the old ones have not expired: %s", error)
            return usable
        finally:
            if usable is not None and (outcome is None or isinstance(outcome, Exception)):
                self.set(usable, expires_at)  # to refresh it again after the backoff
            self._finish(own, outcome)
        return value

    def _finish(self, leader: _Leader[T], outcome: T | Exception | None) -> None:
        """Deliver the outcome, unless this is a forked child or another caller has given up on the leader."""
        from concurrent.futures import InvalidStateError

        if self._pending.get(os.getpid()) is leader:
            self._pending.pop(os.getpid(), None)
            with suppress(InvalidStateError):  # another caller gave up at this moment
                leader.outcome.set_result(outcome)


def wait_for(pending: Future[Any], seconds: float) -> Action:
    """Wait until the leader is done or the time is over."""

    def run() -> None:
        from concurrent.futures import wait

        wait([pending], seconds)

    async def arun() -> None:
        import asyncio

        await asyncio.wait([asyncio.wrap_future(pending)], timeout=seconds)

    return Action(run, arun)
