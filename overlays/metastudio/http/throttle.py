"""When the requests of an iteration may start: at most so many a second, and none while the server asks for quiet.

One 429 stops all starts, not only the request that got it: the limits are those of the tenant (10 to 20 requests a
second for sibling operations, facts.md 4.2), so the other requests would be refused too, and refused ones may count.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from metastudio.errors import RateLimitError
from metastudio.http.retry import THROTTLED, Stop, Wait

LONGEST_PAUSE = 60.0
"""Seconds. A server that asks for a longer pause is not waited for: the error surfaces instead."""
PAUSES_IN_A_ROW = 5
"""Pauses after which no request succeeded before the error surfaces."""
FIRST_PAUSE = 2.0
"""Seconds at most after a 429 that says nothing; doubles. The vendor advises 2 to 5 (facts.md 4.2)."""

_log = logging.getLogger("metastudio")


class Pace:
    """Shared by all requests of one iteration. Safe between threads; waits for nothing itself.

    `clock` gives seconds on a monotonic scale, `random` numbers from 0 to below 1. `over` tells that the iteration has
    ended: what is still under way is not repeated then.
    """

    def __init__(
        self,
        max_rate: float | None,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._interval = 1.0 / max_rate if max_rate else 0.0
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._next_start = float("-inf")
        self._pauses = 0
        self._in_a_row = 0
        self.over = over

    def start(self) -> tuple[float, int]:
        """Return the seconds to wait before asking again, and a ticket. With 0 s the request may, and must, start."""
        with self._lock:
            now = self._clock()
            if now < self._next_start:
                return self._next_start - now, self._pauses
            self._next_start = now + self._interval
            return 0.0, self._pauses

    @contextmanager
    def applied(self, ticket: int) -> Generator[None]:
        """Note how the request in the block ends; what sends it finds this pace in `pace_of_iteration` meanwhile."""
        token = pace_of_iteration.set(self)
        try:
            yield
        finally:
            pace_of_iteration.reset(token)
        with self._lock:
            if ticket == self._pauses:
                self._in_a_row = 0

    def refused(self, ticket: int, error: RateLimitError) -> None:
        """Note that a request was refused: none starts before the pause is over.

        Requests that were in flight together and are refused together count once.

        Raises:
            RateLimitError: `error` again, where the pause would be too long, or one too many.
        """
        with self._lock:
            asked = error.retry_after or 0.0
            if asked > LONGEST_PAUSE or self._in_a_row >= PAUSES_IN_A_ROW:
                error.add_note(f"Not waited for: {asked:.0f} s asked for, {self._in_a_row} pauses in vain before.")
                raise error
            pause = asked
            if ticket == self._pauses:
                grown = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._in_a_row)
                pause = max(asked, grown * (0.5 + self._random() / 2))
                self._pauses += 1
                self._in_a_row += 1
                _log.info("the server limits the rate: no request of this iteration starts for %.1f s", pause)
            self._next_start = max(self._next_start, self._clock() + pause)

    def judge(self, status: int | None, decision: Wait | Stop) -> Wait | Stop:
        """Return what to do after an attempt of the block failed, where a single call would do `decision`.

        A 429 is left to the pause of the whole iteration. A repeated attempt takes its place among the starts.
        """
        if status == THROTTLED or self.over():
            return Stop("")
        if isinstance(decision, Stop):
            return decision
        with self._lock:
            now = self._clock()
            place = max(self._next_start, now)
            self._next_start = place + self._interval
            return Wait(max(decision.seconds, place - now))


pace_of_iteration: ContextVar[Pace | None] = ContextVar("pace_of_iteration", default=None)
"""The pace of the iteration that a request belongs to. A session follows it."""
