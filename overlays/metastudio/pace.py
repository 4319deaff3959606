"""When the requests of an iteration may start: at most so many a second, and none while the server asks for quiet.

One 429 stops all starts, not only the request that got it: the limits are those of the tenant (10 to 20 requests a
second for sibling operations, facts.md 4.2), so the other requests would be refused too, and refused ones may count.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from metastudio.errors import RateLimitError

LONGEST_PAUSE = 60.0
"""Seconds. A server that asks for a longer pause is not waited for: the error surfaces instead."""
PAUSES_IN_A_ROW = 5
"""Pauses after which no request succeeded before the error surfaces."""
FIRST_PAUSE = 2.0
"""Seconds after a 429 that says nothing; doubles. The vendor advises 2 to 5 s (facts.md 4.2)."""

_log = logging.getLogger("metastudio")


class Pace:
    """Shared by all requests of one iteration. Safe between threads; waits for nothing itself.

    `clock` gives seconds on a monotonic scale, `random` numbers from 0 to below 1.
    """

    def __init__(self, max_rate: float | None, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._interval = 1.0 / max_rate if max_rate else 0.0
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._next_start = float("-inf")
        self._pauses = 0
        self._in_a_row = 0

    def start(self) -> tuple[float, int]:
        """Return the seconds to wait before asking again, and a ticket. With 0 s the request may, and must, start."""
        with self._lock:
            now = self._clock()
            if now < self._next_start:
                return self._next_start - now, self._pauses
            self._next_start = now + self._interval
            return 0.0, self._pauses

    def succeeded(self, ticket: int) -> None:
        """Note that a request got through."""
        with self._lock:
            if ticket == self._pauses:
                self._in_a_row = 0

    def refused(self, ticket: int, error: RateLimitError) -> None:
        """Note that a request was refused: no request starts before the pause is over.

        Raises `error` again where a pause would be too long, or one too many. Requests that were in flight together
        and are refused together count as one.
        """
        with self._lock:
            asked = error.retry_after or 0.0
            if asked > LONGEST_PAUSE or self._in_a_row >= PAUSES_IN_A_ROW:
                raise error
            pause = asked
            if ticket == self._pauses:
                grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._in_a_row)
                pause = max(asked, grown * (0.5 + self._random() / 2))
                self._pauses += 1
                self._in_a_row += 1
                _log.info("the server limits the rate: no request of this iteration starts for %.1f s", pause)
            self._next_start = max(self._next_start, self._clock() + pause)
