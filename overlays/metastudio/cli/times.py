"""Parsing and display of times and durations: RFC 3339, dates, and `2d ago`."""

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

TIME_FORMS = "use 2023-12-01T08:00:00Z or an offset such as +08:00, a date such as 2023-12-01, or a duration: 2d ago"


def parse_time(text: str, *, now: datetime, end_of_day: bool = False) -> datetime:
    """Parse a time.

    Args:
        text: An RFC 3339 time, a date in the local time zone, or a duration with `ago`: `2d ago` is 48 hours before
            `now`.
        now: The current time.
        end_of_day: Whether a date means the last second of its day instead of the first.

    Raises:
        ValueError: The text is not a valid time. The message says what is.
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
        raise ValueError(f"{text!a} is not a valid time: {TIME_FORMS}") from None
    raise ValueError(f"{text!a} is not a valid time: {TIME_FORMS}")


def parse_duration(text: str) -> timedelta:
    """Parse a duration: seconds, or amounts with units such as `1h30m`, `2 days` or `1w`.

    Raises:
        ValueError: The text is not a valid duration. The message says what is.
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
        raise ValueError(
            f"{text!a} is not a valid duration: use seconds, or amounts with s, m, h, d or w, such as 1h30m"
        )
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!a} is too long a duration") from None


def parse_instant(text: object) -> datetime | None:
    """Parse a time in a response. Returns None if it is not a time with a time zone."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def to_local(text: str) -> str:
    """Convert a time in a response to local time, to the minute. Other text is returned unchanged."""
    moment = parse_instant(text)
    return moment.replace(tzinfo=None).isoformat(" ", "minutes") if moment else text
