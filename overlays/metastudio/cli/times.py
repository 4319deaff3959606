"""Times and durations as people write them: RFC 3339, a date, or how long ago."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

_UNITS = {
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3600),
    **dict.fromkeys(("d", "day"), 24 * 3600),
    **dict.fromkeys(("w", "week"), 7 * 24 * 3600),
}
_AMOUNT = re.compile(r"(\d+)\s*([a-z]+)\s*", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LAST_SECOND = time(23, 59, 59)

FORMS = "write 2023-12-01T08:00:00Z or with +08:00, a date such as 2023-12-01, or how long ago: 2d ago"


def parse_time(text: str, *, now: datetime, end_of_day: bool = False) -> datetime:
    """Read a time.

    A date is a day of this machine's zone: its first second, or its last one (the service counts in seconds) if
    `end_of_day`. "2d ago" is exactly 48 hours before `now`.

    Raises:
        ValueError: it is none of these, or no time that there is; the message says what to write.
    """
    text = text.strip()
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper())
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            day = datetime.fromisoformat(text)
            return datetime.combine(day, _LAST_SECOND if end_of_day else time()).astimezone()
        if text.lower().endswith("ago"):
            return now - parse_duration(text[:-3])
    except (ValueError, OverflowError):
        raise ValueError(f"{text!a} is no time: {FORMS}") from None
    raise ValueError(f"{text!a} is no time: {FORMS}")


def parse_duration(text: str) -> timedelta:
    """Read how long something takes: seconds, or amounts with units such as 1h30m, 2 days, 1w.

    Raises:
        ValueError: it is neither; the message says what to write.
    """
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return timedelta(seconds=float(text))
    seconds, place = 0, 0
    while match := _AMOUNT.match(text, place):
        unit = match[2] if len(match[2]) < 3 else match[2].removesuffix("s")
        if unit not in _UNITS:
            break
        seconds, place = seconds + int(match[1]) * _UNITS[unit], match.end()
    if not text or place < len(text):
        raise ValueError(f"{text!a} is no duration: write seconds, or amounts with s, m, h, d or w, such as 1h30m")
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!a} is longer than anybody can wait") from None


def instant(text: object) -> datetime | None:
    """Read a time of an answer; None for what does not say when it is."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def local(text: str) -> str:
    """Show a time of an answer in this machine's zone, to the minute; what is no time stays as it is."""
    moment = instant(text)
    return moment.replace(tzinfo=None).isoformat(" ", "minutes") if moment else text
