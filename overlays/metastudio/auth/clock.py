"""The time to sign with: this machine's clock plus an offset learned from the server's `Date` header.

The gateway refuses a signature whose date is more than 15 minutes off (docs/service-notes.md#clock-tolerance), and
some machines have a wrong clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """The corrected time, in UTC. Threads, tasks and auth objects may share one clock.

    Args:
        read: Returns the uncorrected time as an aware datetime. The default is the system clock.

    Attributes:
        offset: Added to the uncorrected time. Assigning it is safe between threads.
    """

    def __init__(self, read: Callable[[], datetime] | None = None) -> None:
        self._read = read or _system_time
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return the corrected time."""
        return self._read() + self.offset

    def set_to(self, time: datetime) -> None:
        """Set the offset so that the clock shows `time` now."""
        self.offset = time - self._read()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(offset={self.offset})"


def _system_time() -> datetime:
    return datetime.now(UTC)


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time as this cloud writes it. Without a time zone, it is UTC.

    Raises:
        ValueError: The text is not a time.
    """
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
