"""When the requests of an iteration may start: at a limited rate, and not while the server asks for a pause.

One 429 delays every request of the iteration, because the service limits the rate of the whole account
(docs/service-notes.md#limits-and-throttling): the other requests would be refused too, and refused ones may count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy

from metastudio.errors import AuthenticationError, RateLimitError
from metastudio.http.logs import logger
from metastudio.http.retry import TOO_MANY_REQUESTS, Stop, Wait

LONGEST_PAUSE = 60.0
"""Seconds. If a server asks for a longer pause, the error is raised instead."""
MAX_PAUSES = 5
"""Pauses in a row without a successful request before the error is raised."""
FIRST_PAUSE = 2.0
"""Seconds to pause at most after a 429 without Retry-After. Each further pause in a row doubles it."""


class Throttle:
    """Limits the starts of one iteration's requests. Thread-safe; tells how long to wait, but never waits itself.

    Args:
        max_rate: Starts per second, or None for no limit.
        clock: Returns monotonic seconds.
        random: Returns numbers from 0 to below 1.
        over: Returns whether the iteration has ended. Failed requests are not retried then.
    """

    def __init__(
        self,
        max_rate: float | None,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.over = over
        self._interval = 1.0 / max_rate if max_rate else 0.0
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._next_start = float("-inf")
        self._pauses = 0
        self._pauses_in_a_row = 0
        self._stopped_by: AuthenticationError | None = None

    def start(self) -> tuple[float, int]:
        """Ask to start a request.

        Returns:
            The seconds to wait before asking again, and a ticket. If they are 0, the request must start now and report
            its result with the ticket.

        Raises:
            AuthenticationError: A request of this iteration was refused with it.
        """
        if self._stopped_by is not None:
            raise copy(self._stopped_by)  # each caller gets its own, because an exception collects tracebacks
        with self._lock:
            now = self._clock()
            if now < self._next_start:
                return self._next_start - now, self._pauses
            self._next_start = now + self._interval
            return 0.0, self._pauses

    def succeeded(self, ticket: int) -> None:
        """Report that a request succeeded."""
        with self._lock:
            if ticket == self._pauses:
                self._pauses_in_a_row = 0

    def stop(self, error: AuthenticationError) -> None:
        """Report that a request was refused with a 401: no other starts, because refused signatures lock the key."""
        self._stopped_by = error

    def refused(self, ticket: int, error: RateLimitError) -> None:
        """Report that a request was refused with a 429: no request starts before a pause is over.

        Requests that were in flight together carry the same ticket. If several of them are refused, they count once.

        Raises:
            RateLimitError: `error` again, because the pause would be too long or the pauses do not help.
        """
        pause = error.retry_after or 0.0
        with self._lock:
            if pause > LONGEST_PAUSE:
                error.add_note(f"Not retried: the server asks to wait {pause:.0f} s, more than {LONGEST_PAUSE:.0f} s.")
                raise error
            if self._pauses_in_a_row >= MAX_PAUSES:
                error.add_note(f"Not retried: the server refused requests after {MAX_PAUSES} pauses in a row.")
                raise error
            is_first = ticket == self._pauses
            if is_first:
                backoff = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._pauses_in_a_row)
                pause = max(pause, backoff * (0.5 + self._random() / 2))
                self._pauses += 1
                self._pauses_in_a_row += 1
            self._next_start = max(self._next_start, self._clock() + pause)
        if is_first:
            logger.info("the server limits the rate: no request of this iteration starts for %.1f s", pause)

    def judge(self, status: int | None, decision: Wait | Stop) -> Wait | Stop:
        """Adjust the decision of the retry policy for a request of this iteration.

        A 429 is left to `refused`, which delays the whole iteration. Other retries take their turn under `max_rate`.

        Args:
            status: The HTTP status, or None if no complete response arrived.
            decision: What the retry policy says.
        """
        if status == TOO_MANY_REQUESTS or self.over():
            return Stop()
        if isinstance(decision, Stop):
            return decision
        with self._lock:
            now = self._clock()
            start = max(self._next_start, now)
            self._next_start = start + self._interval
            return Wait(max(decision.seconds, start - now))
