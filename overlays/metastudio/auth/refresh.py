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
"""Seconds until another caller's refresh is given up. It may be a task of the very event loop that this call blocks."""
_MAX_LEADERS = 3


class _ValueState(NamedTuple, Generic[T]):
    """Replaced as a whole, so that readers need no lock. A time is None if the value does not expire."""

    value: T | None
    refresh_at: datetime | None = None
    expires_at: datetime | None = None


class _Leader(NamedTuple, Generic[T]):
    """The caller that refreshes the value: its result to come, and when it started on the monotonic clock."""

    result: Future[T]
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
            value, _, expires_at = self._state
            now = self._now()
            usable = value if value != refused and (expires_at is None or now < expires_at) else None
            own = Future[T]()
            own.set_running_or_notify_cancel()  # so that a cancelled follower does not cancel it
            leader = self._pending.setdefault(os.getpid(), _Leader(own, time.monotonic()))  # atomic
            if leader.result is own:
                return (yield from self._lead(leader, refresh, refused, usable, expires_at))
            if usable is not None and (expires_at is None or now < expires_at - self._mandatory):
                return usable
            left = max(0.0, leader.started + LEADER_TIMEOUT - time.monotonic())
            try:
                refreshed: T = yield wait_for(leader.result, left if timeout is None else min(left, timeout))
            except LeaderLostError as lost:
                if timeout is not None and timeout < left and not leader.result.done():
                    if usable is not None:
                        return usable
                    raise ApiTimeoutError(
                        "waiting for the credentials, which another request gets, timed out"
                    ) from None
                self._finish(leader, error=lost)
            except Exception:  # the leader raises it
                if usable is None:
                    raise
                return usable
            else:
                return refreshed
        raise ApiConnectionError("the credentials could not be refreshed: several requests in a row got no response")

    def set(self, value: T, expires_at: datetime | None) -> None:
        """Store a new value and the time it expires, None if it does not."""
        if expires_at is None:
            self._state = _ValueState(value)
        else:
            now = self._now()
            expires_at = min(max(expires_at, now), now + MAX_LIFETIME)
            refresh_at = max(expires_at - self._advisory, now + BACKOFF)
            self._state = _ValueState(value, min(refresh_at, expires_at), expires_at)

    def _lead(
        self,
        leader: _Leader[T],
        refresh: Callable[[], Generator[Step, Any, tuple[T, datetime | None]]],
        refused: T | None,
        usable: T | None,
        expires_at: datetime | None,
    ) -> Generator[Step, Any, T]:
        try:
            value = self.current()  # another refresh may have finished since
            if value is None or value == refused:
                value, new_expires_at = yield from refresh()
                self.set(value, new_expires_at)
        except BaseException as error:
            if usable is not None:
                self.set(usable, expires_at)  # to refresh it again after the backoff
            if not isinstance(error, Exception):  # cancelled, or closed by httpx because no response came
                self._finish(leader, error=LeaderLostError())
                raise
            self._finish(leader, error=error)
            if usable is None:
                raise
            _log.warning("the credentials could not be refreshed; the old ones have not expired: %s", error)
            return usable
        self._finish(leader, value=value)
        return value

    def _finish(self, leader: _Leader[T], *, value: T | None = None, error: Exception | None = None) -> None:
        """Deliver the result, unless this is a forked child or another caller has given up on the leader."""
        from concurrent.futures import InvalidStateError

        if self._pending.get(os.getpid()) is not leader:
            return
        self._pending.pop(os.getpid(), None)
        with suppress(InvalidStateError):  # another caller gave up at this moment
            if value is not None:
                leader.result.set_result(value)
            else:
                leader.result.set_exception(error)


class LeaderLostError(Exception):
    """The leader of a refresh did not finish it."""


def wait_for(pending: Future[Any], seconds: float) -> Action:
    """Wait for the leader's result or its error; raise LeaderLostError if there is neither in that time."""

    def timed_out() -> BaseException:
        # The leader may have failed with a TimeoutError of its own.
        return (pending.exception() if pending.done() else None) or LeaderLostError()

    def run() -> Any:
        try:
            return pending.result(seconds)
        except TimeoutError:
            raise timed_out() from None

    async def arun() -> Any:
        import asyncio

        try:
            return await asyncio.wait_for(asyncio.wrap_future(pending), seconds)
        except TimeoutError:
            raise timed_out() from None

    return Action(run, arun)
