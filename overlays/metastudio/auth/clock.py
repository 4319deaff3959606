"""The time as the server has it: this machine's clock plus what was learnt about its error.

A signature is refused when its date is more than 15 minutes off (facts 2.2). Machines with a wrong clock exist, and
each answer of the server carries the right time, so the client can sign with that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Gives the time to sign with. One clock may be shared by many threads, tasks and auth objects.

    Args:
        read: where the uncorrected time comes from, an aware datetime; the system clock unless a test says otherwise.
    """

    def __init__(self, read: Callable[[], datetime] | None = None) -> None:
        self._read = read or _system_time
        self.offset = timedelta(0)
        """What is added to this machine's clock. Learnt, or set by hand; one assignment, so safe between threads."""

    def now(self) -> datetime:
        """The corrected time, in UTC."""
        return self._read() + self.offset

    def set_to(self, now: datetime) -> None:
        """Learn the offset from what the time is according to somebody better informed."""
        self.offset = now - self._read()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(offset={self.offset})"


def _system_time() -> datetime:
    return datetime.now(UTC)


def parse_time(text: str) -> datetime:
    """A time as the cloud writes it, with or without a fraction; UTC unless it says otherwise. Else ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
