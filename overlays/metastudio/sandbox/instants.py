"""Sortable form of RFC 3339 times."""

from __future__ import annotations

import re
from datetime import date

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DAYS_IN_400_YEARS = 146_097


def instant(text: str) -> str | None:
    """Convert an RFC 3339 time to a text that sorts chronologically, independent of time zone and fraction digits.

    A leap second is the same instant as the second after it.

    Returns:
        The text, or None if RFC 3339 does not allow the time: an invalid date, hour 24, or a leap second that is not
        in the last minute of a UTC day.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in found.groups()[:6])
    fraction, sign = (found[7] or "").rstrip("0"), -1 if found[8] == "-" else 1
    zone_hour, zone_minute = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or zone_hour > 23 or zone_minute > 59:
        return None
    try:
        # The calendar repeats every 400 years. Python's dates begin with year 1, RFC 3339 with year 0.
        days = date(year % 400 + 400, month, day).toordinal() + year // 400 * _DAYS_IN_400_YEARS
    except ValueError:
        return None
    minutes = days * 1440 + hour * 60 + minute - sign * (zone_hour * 60 + zone_minute)
    if second == 60 and minutes % 1440 != 1439:
        return None
    whole = f"{minutes * 60 + second:012d}"
    return f"{whole}.{fraction}" if fraction else whole
