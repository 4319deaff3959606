"""Times as RFC 3339 writes them, made comparable."""

from __future__ import annotations

import re
from datetime import date

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_DAYS_IN_400_YEARS = 146_097


def instant(text: str) -> str | None:
    """Return a text that sorts as the instant does, whatever zone and fraction it is written with, or None.

    None is for what RFC 3339 does not allow: an impossible date, hour 24, a leap second at another time than the
    last minute of a day in UTC. A leap second is the same instant as the second after it.
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
        # The calendar repeats every 400 years; Python's begins with year 1, RFC 3339's with year 0.
        days = date(year % 400 + 400, month, day).toordinal() + year // 400 * _DAYS_IN_400_YEARS
    except ValueError:
        return None
    minutes = days * 1440 + hour * 60 + minute - sign * (zone_hour * 60 + zone_minute)
    if second == 60 and minutes % 1440 != 1439:
        return None
    whole = f"{minutes * 60 + second:012d}"
    return f"{whole}.{fraction}" if fraction else whole
