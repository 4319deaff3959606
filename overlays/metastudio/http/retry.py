"""The retry policy, as data and pure functions: when a call is retried, and how long to wait before.

Transient failures are retried if that is harmless: the method is safe, the caller says so, or the request was not
processed (429, no connection). A refused request (400, 401, 403) is never retried
here, because consecutive failed signatures lock the access key (docs/service-notes.md#key-lockout).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

import httpx

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})

DEADLINE = 120.0
"""Default deadline of a call in seconds; longer timeouts extend it."""

LONGEST_TIMEOUT = 24 * 3600.0
"""Longest timeout in seconds. Sockets refuse more than 24 days."""

TOO_MANY_REQUESTS = 429
THROTTLE_PAUSE = 2.0
"""Minimum wait in seconds after a 429 without `Retry-After` (docs/service-notes.md#limits-and-throttling)."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to retry. All times are in seconds.

    Args:
        max_retries: Retries after the first attempt; 0 disables them.
        base: The wait before the first retry is random between 0 and this; it doubles with each retry.
        cap: Longest wait. A `Retry-After` beyond it ends the call at once.
        deadline: Limit for all attempts and waits together; None means no limit.

    Raises:
        ConfigurationError: A value is out of range.
    """

    max_retries: int = 2
    base: float = 0.5
    cap: float = 30.0
    deadline: float | None = DEADLINE

    def __post_init__(self) -> None:
        if type(self.max_retries) is not int or self.max_retries < 0:
            raise ConfigurationError(f"max_retries must be an integer of at least 0, not {self.max_retries!r}")
        for name in ("base", "cap", "deadline"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")

    @classmethod
    def within(cls, timeout: httpx.Timeout, *, max_retries: int = 2) -> RetryPolicy:
        """Return the default policy with a deadline that leaves a single attempt its timeouts.

        Args:
            timeout: The timeouts of an attempt.
            max_retries: Retries after the first attempt.
        """
        timeouts = (timeout.connect, timeout.read, timeout.write)
        longest = None if None in timeouts else sum(each for each in timeouts if each is not None)
        return cls(max_retries, deadline=None if longest is None else max(DEADLINE, longest))


def check_timeout(given: float | httpx.Timeout) -> httpx.Timeout:
    """Return the timeouts of an attempt, from the seconds of each wait or as they are, if sockets accept them.

    Raises:
        ConfigurationError: One of them is not a number of seconds up to `LONGEST_TIMEOUT`.
    """
    if isinstance(given, httpx.Timeout):
        timeout = given
    elif isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ConfigurationError(f"timeout must be a number of seconds above 0, or an httpx.Timeout, not {given!r}")
    else:
        timeout = httpx.Timeout(given, pool=None)
    for seconds in timeout.as_dict().values():
        number: object = seconds  # httpx does not check it
        if number is not None and not (isinstance(number, int | float) and 0 <= number <= LONGEST_TIMEOUT):
            raise ConfigurationError(
                f"timeout must be a number of seconds above 0 and up to {LONGEST_TIMEOUT:.0f}, not {number!r}; "
                "httpx.Timeout(None) waits without limit"
            )
    return timeout


class Failure(NamedTuple):
    """How an attempt failed."""

    method: str
    status: int | None = None  # None if no complete response arrived
    retry_after: float | None = None  # seconds
    transient: bool = True
    repeatable: bool = False  # the caller says that sending the request again does no harm
    sent: bool = True  # whether the request may have reached the server


class Wait(NamedTuple):
    """Retry after this many seconds."""

    seconds: float


class Stop(NamedTuple):
    """Do not retry. `reason` names the limit that was reached, if the user can change it."""

    reason: str | None = None


def decide(
    policy: RetryPolicy, failure: Failure, *, attempts: int, elapsed: float, random: Callable[[], float]
) -> Wait | Stop:
    """Decide whether to retry after a failed attempt.

    Args:
        policy: The limits.
        failure: How the last attempt failed.
        attempts: Number of attempts made, including the failed one.
        elapsed: Seconds since the call began.
        random: Returns a number from 0 to below 1.
    """
    harmless = (
        failure.method in SAFE_METHODS or failure.repeatable or not failure.sent or failure.status == TOO_MANY_REQUESTS
    )
    if not harmless or not failure.transient or attempts > policy.max_retries:
        return Stop()
    if failure.status is not None and failure.status not in RETRIED_STATUSES:
        return Stop()
    if failure.retry_after is not None and failure.retry_after > policy.cap:
        return Stop(f"the server asks to wait {failure.retry_after:.0f} s, more than the cap of {policy.cap:.0f} s")
    wait = _wait(policy, failure, attempts, random)
    if policy.deadline is not None and elapsed + wait >= policy.deadline:
        return Stop(f"the deadline of {policy.deadline:g} s would pass before another attempt")
    return Wait(wait)


def _wait(policy: RetryPolicy, failure: Failure, attempts: int, random: Callable[[], float]) -> float:
    """Return the wait with full jitter, so that clients that failed together do not return together."""
    if failure.retry_after is not None:
        return min(policy.cap, failure.retry_after + policy.base * random())
    minimum = THROTTLE_PAUSE if failure.status == TOO_MANY_REQUESTS else 0.0
    backoff = policy.base * 2.0 ** min(attempts - 1, 60)  # bounded, because a float overflows
    return min(policy.cap, minimum + min(policy.cap, backoff) * random())


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds that a response asks to wait in `Retry-After`, or None.

    Args:
        headers: The response headers. A date in `Retry-After` counts from the response's own `Date`, so that a wrong
            clock on this machine has no effect. A past date means 0 seconds.
        now: Seconds since 1970, for a response without `Date`; by default the system clock.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value):
        return float(value)
    until = http_date(value)
    if until is None:
        return None
    answered = http_date(headers.get("Date", ""))
    if answered is None:
        answered = time.time() if now is None else now
    return max(0.0, until - answered)


def http_date(text: str) -> float | None:
    """Return an HTTP date as seconds since 1970, or None if it is malformed or out of range."""
    from email.utils import parsedate_to_datetime  # slow to import, and few programs need it

    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
