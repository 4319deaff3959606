"""RFC 3339 times as numbers, so that they compare as instants: independent of time zone and number of digits."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

NANO = 1_000_000_000
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DAYS_IN_400_YEARS, _DAYS_TO_1970 = 146_097, date(1970, 1, 1).toordinal()


@lru_cache(maxsize=4096)
def parse_instant(text: str, default_zone: str = "") -> int | None:
    """Return an RFC 3339 time as nanoseconds since 1970; further digits are dropped.

    A leap second is the same instant as the second after it.

    Args:
        text: The time.
        default_zone: Zone of a time without one, such as `Z` or `+08:00`; a time needs one if this is empty.

    Returns:
        The number, or None if RFC 3339 does not allow the time: an invalid date, hour 24, or a leap second that is not
        in the last minute of a UTC day.
    """
    found = _TIME.fullmatch(text) or _TIME.fullmatch(text + default_zone)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in found.groups()[:6])
    zone_hour, zone_minute = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or zone_hour > 23 or zone_minute > 59:
        return None
    try:
        # The calendar repeats every 400 years. Python's dates begin with year 1, RFC 3339 with year 0.
        days = date(year % 400 + 400, month, day).toordinal() + (year // 400 - 1) * _DAYS_IN_400_YEARS - _DAYS_TO_1970
    except ValueError:
        return None
    minutes = days * 1440 + hour * 60 + minute + (1 if found[8] == "-" else -1) * (zone_hour * 60 + zone_minute)
    if second == 60 and minutes % 1440 != 1439:
        return None
    return (minutes * 60 + second) * NANO + int((found[7] or "").ljust(9, "0"))
