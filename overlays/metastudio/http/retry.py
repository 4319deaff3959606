"""When a call is tried again, and how long to wait before: data and pure functions.

Only what is safe is repeated: reading methods, after failures that pass. A refused request (400, 401, 403) is never
repeated here, for more than five failed signatures in a row lock the key (facts 2.2).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

import attrs

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})

DEADLINE = 120.0
"""Seconds for a call, unless its timeouts allow a single attempt more."""

THROTTLED = 429
THROTTLED_PAUSE = 2.0
"""Seconds to wait at least after a 429 without Retry-After: the vendor advises 2 to 5 (facts 4.2)."""


@attrs.frozen
class RetryPolicy:
    """How often and how patiently to try again. All times are in seconds.

    Args:
        max_retries: repeats after the first attempt; 0 means none.
        base: the wait before the first repeat is random between 0 and this, and doubles with each repeat.
        cap: no wait is longer; an answer that asks for a longer one in `Retry-After` ends the call at once.
        deadline: all attempts and waits together end by then; None sets no end.

    Raises:
        ConfigurationError: a number that makes no sense.
    """

    max_retries: int = 2
    base: float = 0.5
    cap: float = 30.0
    deadline: float | None = DEADLINE

    def __attrs_post_init__(self) -> None:
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise ConfigurationError(f"max_retries must be 0, 1, 2, ..., not {self.max_retries!r}")
        for name in ("base", "cap", "deadline"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")

    @classmethod
    def within(cls, timeout: httpx.Timeout, *, max_retries: int = 2) -> RetryPolicy:
        """The standard policy for these timeouts: its deadline leaves a single attempt the time they allow."""
        waits = (timeout.connect, timeout.read, timeout.write)
        longest = None if None in waits else sum(wait for wait in waits if wait is not None)
        return cls(max_retries, deadline=None if longest is None else max(DEADLINE, longest))


class Failure(NamedTuple):
    """How an attempt failed: `status` is None when no whole answer arrived."""

    method: str
    status: int | None = None
    retry_after: float | None = None
    passing: bool = True  # False: another attempt would fail alike


class Wait(NamedTuple):
    """Try again after so many seconds."""

    seconds: float


class Stop(NamedTuple):
    """Do not try again; the reason is there when it is a limit that the user may want to change."""

    reason: str | None = None


def decide(
    policy: RetryPolicy, failure: Failure, *, attempts: int, elapsed: float, random: Callable[[], float]
) -> Wait | Stop:
    """What to do after `attempts` attempts of which the last one failed.

    Args:
        policy: the limits.
        failure: how the last attempt failed.
        attempts: how many were made.
        elapsed: seconds since the call began.
        random: gives numbers from 0 to below 1.
    """
    if failure.method not in SAFE_METHODS or not failure.passing or attempts > policy.max_retries:
        return Stop()
    if failure.status is not None and failure.status not in RETRIED_STATUSES:
        return Stop()
    asked = failure.retry_after
    if asked is not None and asked > policy.cap:
        return Stop(f"the server asks to wait {asked:.0f} s, the longest wait allowed is {policy.cap:.0f} s")
    wait = _wait(policy, failure, attempts, random)
    if policy.deadline is not None and elapsed + wait >= policy.deadline:
        return Stop(f"the {policy.deadline:g} s allowed for the call are used up")
    return Wait(wait)


def _wait(policy: RetryPolicy, failure: Failure, attempts: int, random: Callable[[], float]) -> float:
    """Full jitter: clients that failed together must not come back together."""
    if failure.retry_after is not None:
        return min(policy.cap, failure.retry_after + policy.base * random())
    pause = THROTTLED_PAUSE if failure.status == THROTTLED else 0.0
    doubled = policy.base * 2.0 ** min(attempts - 1, 60)  # no cap is higher than that, and a float ends somewhere
    return min(policy.cap, pause + min(policy.cap, doubled) * random())


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that an answer asks to wait, from `Retry-After` in seconds or as a date; None when it does not say.

    A date counts from the answer's own `Date`, so that a wrong clock here does not matter; without that, from `now`
    (seconds since 1970; the system clock when not given). A date gone by means 0; what is neither form is ignored.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return float(value)
    until = _seconds(value)
    if until is None:
        return None
    answered = _seconds(headers.get("Date", ""))
    if answered is None:
        answered = time.time() if now is None else now
    return max(0.0, until - answered)


def _seconds(date: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
