"""Values of items: found by pointers, made comparable, written as parameters.

Times are compared as instants, whatever zone and fraction they are written with (RFC 3339).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from metastudio.contract.json_pointer import split

NANO = 1_000_000_000
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def pick(value: Any, pointer: str) -> list[Any]:
    """Return what a JSON pointer names in a value, `*` being any element. Absent and null give nothing."""
    found = [value]
    for token in _tokens(pointer):
        if token == "*":  # noqa: S105 - a JSON pointer's token, no secret
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[token] for each in found if isinstance(each, dict) and token in each]
    return [each for each in found if each is not None]


_tokens = lru_cache(maxsize=256)(split)


def instant(text: Any) -> int | None:
    """Return a time as nanoseconds since 1970, or None for what RFC 3339 does not allow."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    zone = UTC
    if found[8] not in "Zz":
        hours, minutes = int(found[8][1:3]), int(found[8][4:6])
        if hours > 23 or minutes > 59:
            return None
        zone = timezone((1 if found[8][0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))
    second = int(found[6])
    try:
        year, month, day, hour, minute = (int(found[n]) for n in range(1, 6))
        when = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None
    whole = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) + (second - min(second, 59))
    return None if second > 60 else whole * NANO + int((found[7] or "0").ljust(9, "0"))


def written(moment: int, offset_minutes: int = 0) -> str:
    """Write nanoseconds since 1970 as RFC 3339, in the zone that is so many minutes ahead of UTC."""
    zone = timezone(timedelta(minutes=offset_minutes))
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // NANO)
    fraction = f".{moment % NANO:09d}".rstrip("0") if moment % NANO else ""
    shift = when.astimezone(zone).isoformat()[19:] if offset_minutes else "Z"
    return f"{when.astimezone(zone):%Y-%m-%dT%H:%M:%S}{fraction}{shift}"


def comparable(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value in the form that its schema's values are compared in, None where it has none."""
    if is_time(schema):
        return instant(value)
    return value


def is_time(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is that of a time."""
    return schema.get("format") == "date-time" or any(is_time(each) for each in schema.get("anyOf", []))


def wire(value: Any) -> str:
    """Write a value of an item as a query parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
