"""Values of items: selected by JSON pointer, compared, formatted as query parameters.

RFC 3339 times are compared as instants, independent of zone and fraction.
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


def values_at(value: Any, pointer: str) -> list[Any]:
    """Return the values at a JSON pointer, with `*` for every array element. Skip absent values and null."""
    found = [value]
    for token in _tokens(pointer):
        if token == "*":  # noqa: S105 - a JSON pointer's token, no secret
            found = [element for each in found if isinstance(each, list) for element in each]
        else:
            found = [each[token] for each in found if isinstance(each, dict) and token in each]
    return [each for each in found if each is not None]


_tokens = lru_cache(maxsize=256)(split)


def parse_instant(text: Any) -> int | None:
    """Return an RFC 3339 time as nanoseconds since 1970, None if it is malformed."""
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


def format_instant(moment: int, offset_minutes: int = 0) -> str:
    """Format nanoseconds since 1970 as RFC 3339, in the zone `offset_minutes` ahead of UTC."""
    zone = timezone(timedelta(minutes=offset_minutes))
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // NANO)
    fraction = f".{moment % NANO:09d}".rstrip("0") if moment % NANO else ""
    shift = when.astimezone(zone).isoformat()[19:] if offset_minutes else "Z"
    return f"{when.astimezone(zone):%Y-%m-%dT%H:%M:%S}{fraction}{shift}"


def comparable(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value in comparable form: an instant for a time (None if malformed), else the value itself."""
    if is_time(schema):
        return parse_instant(value)
    return value


def is_time(schema: Mapping[str, Any]) -> bool:
    """Whether a schema describes a time."""
    return schema.get("format") == "date-time" or any(is_time(each) for each in schema.get("anyOf", []))


def query_text(value: Any) -> str:
    """Format a value of an item as a query parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
