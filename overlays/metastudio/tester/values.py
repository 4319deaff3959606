"""Values of items: selected by JSON pointer, compared as their schema says, formatted as query parameters.

Times are compared as instants, independent of zone and fraction, dates as days, numbers by value even if they are
texts. Texts can be compared for equality; they have an order only if their schema states it with `x-collation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from metastudio.contract import instants, json_pointer
from metastudio.contract.instants import NANO

_ZONE = re.compile(r"Z|[+-]\d{2}:\d{2}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMERIC_FORMATS = ("decimal", "number", "integer", "int32", "int64", "uint32", "uint64", "float", "double")
_MAX_DIGITS = 60
"""Numbers with more digits than this are not compared."""
COLLATIONS: Mapping[str, Callable[[str], str]] = {"codepoint": str, "case-insensitive": str.casefold}
"""Values of `x-collation`: how a schema orders its texts."""


class ValueKind(StrEnum):
    """How the values of a schema are compared."""

    INSTANT = "instant"
    DATE = "date"
    NUMBER = "number"
    TEXT = "text"
    OTHER = "other"


def values_at(value: Any, pointer: str) -> list[Any]:
    """Return the values at a JSON pointer, with `*` for every array element. Skip absent values and null."""
    return [each for each in json_pointer.values_at(value, pointer) if each is not None]


def parse_instant(text: Any, default_zone: str = "") -> int | None:
    """Return an RFC 3339 time as nanoseconds since 1970, None if it is malformed.

    Args:
        text: the time.
        default_zone: zone of a time without one, such as `Z` or `+08:00`; empty if the contract states none.
    """
    return instants.parse_instant(text, default_zone) if isinstance(text, str) else None


def format_instant(moment: int, offset_minutes: int = 0) -> str:
    """Format nanoseconds since 1970 as RFC 3339, in the zone `offset_minutes` ahead of UTC."""
    zone = timezone(timedelta(minutes=offset_minutes))
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment // NANO)
    fraction = f".{moment % NANO:09d}".rstrip("0") if moment % NANO else ""
    shift = when.astimezone(zone).isoformat()[19:] if offset_minutes else "Z"
    return f"{when.astimezone(zone):%Y-%m-%dT%H:%M:%S}{fraction}{shift}"


@dataclass(frozen=True)
class ValueType:
    """How the values of a schema are compared.

    Args:
        kind: the kind of the values.
        in_text: whether they are texts.
        zone: zone of a time without one; empty if the schema states none.
        collation: order of texts, a key of `COLLATIONS`; empty if the schema states none.
        ranks: the words of an enum in their order, if that is the order of the texts.
    """

    kind: ValueKind
    in_text: bool = True
    zone: str = ""
    collation: str = ""
    ranks: tuple[str, ...] = ()

    @property
    def has_order(self) -> bool:
        """Whether the schema says which of two values is the greater one."""
        if self.kind is ValueKind.TEXT:
            return self.collation in COLLATIONS or bool(self.ranks)
        return self.kind is not ValueKind.OTHER

    def comparable(self, value: Any) -> Any:
        """Return a value in comparable form, None if the schema does not say how to compare it."""
        match self.kind:
            case ValueKind.INSTANT:
                return parse_instant(value, self.zone)
            case ValueKind.DATE:
                return _parse_date(value)
            case ValueKind.NUMBER:
                return _parse_number(value)
            case _:
                return query_text(value) if isinstance(value, str | int | float) else None

    def order_key(self, value: Any) -> Any:
        """Return the sort key of a comparable value, None if the schema states no order for it."""
        if self.ranks:
            return self.ranks.index(value) if value in self.ranks else None
        if self.kind is ValueKind.TEXT:
            return COLLATIONS[self.collation](value) if self.has_order and value is not None else None
        return value if self.has_order else None

    def neighbours(self, value: Any) -> list[str]:
        """Return the next smaller value, a comparable value and the next greater one, as query parameters."""
        step: Any = NANO if self.kind is ValueKind.INSTANT else 1
        if self.kind in (ValueKind.TEXT, ValueKind.OTHER):
            return [query_text(value)]
        if self.kind is ValueKind.NUMBER and self.in_text:
            step = Decimal(1).scaleb(min(0, int(value.as_tuple().exponent)))
        texts = (self.written(each) for each in (value - step, value, value + step))
        return [text for text in texts if text is not None]

    def written(self, value: Any) -> str | None:
        """Format a comparable value as a query parameter, None for a time outside the years 1 to 9999."""
        try:
            match self.kind:
                case ValueKind.INSTANT:
                    return format_instant(value)
                case ValueKind.DATE:
                    return date.fromordinal(value).isoformat()
                case ValueKind.NUMBER:
                    return format(value, "f")
                case _:
                    return query_text(value)
        except (OverflowError, ValueError):
            return None


def value_type(schema: Mapping[str, Any]) -> ValueType:
    """Return how the values of a schema are compared."""
    for each in schema.get("anyOf", schema.get("oneOf", schema.get("allOf", []))):
        if (found := value_type(each)).kind is not ValueKind.TEXT:
            return found
    wanted, written = schema.get("type", "string"), schema.get("format")
    kind = ValueKind.NUMBER if wanted in ("integer", "number") else ValueKind.OTHER
    if wanted == "string":
        numeric = dict.fromkeys(_NUMERIC_FORMATS, ValueKind.NUMBER)
        kinds = {"date-time": ValueKind.INSTANT, "date": ValueKind.DATE, **numeric}
        kind = kinds.get(str(written), ValueKind.TEXT)
    zone, collation = str(schema.get("x-time-zone", "")), str(schema.get("x-collation", ""))
    words = schema.get("enum", ()) if collation == "enum" and kind is ValueKind.TEXT else ()
    ranks = tuple(str(word) for word in words if word is not None)
    return ValueType(kind, wanted == "string", zone if _ZONE.fullmatch(zone) else "", collation, ranks)


def _parse_date(text: Any) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() if isinstance(text, str) and _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _parse_number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > _MAX_DIGITS:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MAX_DIGITS // 2 else None


def query_text(value: Any) -> str:
    """Format a value of an item as a query parameter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
