"""Filter values to test with: values of items, near misses, boundary values and unused values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from metastudio.contract.operation import Filter, Parameter
from metastudio.tester.relations.list_client import Snapshot, raw_values
from metastudio.tester.values import NANO, format_instant, is_time, parse_instant, query_text

MAX_SEEN = 6
MAX_LENGTH = 2000
"""Maximum length of a value in a query."""
UNUSED_VALUE = "no-such-value-ever-7f3a"
PLAIN_TEXT = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""Texts that are valid under any restriction on length or characters."""
_WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def seen_values(rule: Filter, snapshot: Snapshot) -> list[Any]:
    """Return values of items, the most useful ones first: frequent, substring of another, unusual characters, rare."""
    counted: Counter[Any] = Counter()
    for item in snapshot.items.values():
        counted.update(tuple(dict.fromkeys(_hashable(raw_values(item, rule.property or "")))))
    by_count = [value for value, _ in counted.most_common()]
    inside = [v for v in by_count if isinstance(v, str) and any(_part_of(v, w) for w in by_count)]
    folded = Counter(v.casefold() for v in by_count if isinstance(v, str))
    cases = [v for v in by_count if isinstance(v, str) and folded[v.casefold()] > 1]
    odd = [v for v in by_count if isinstance(v, str) and not PLAIN_TEXT.fullmatch(v)]
    chosen = [*by_count[:2], *inside[:1], *cases[:2], *odd[:1], *by_count[-1:], *by_count[2:]]
    return list(dict.fromkeys(chosen))[:MAX_SEEN]


def near_misses(value: str, others: Iterable[str]) -> Iterator[str]:
    """Yield texts that are similar to a value: parts, other case, extensions, wildcards.

    No text differs only by blanks at its ends, because a server may trim them.
    """
    middle = value[len(value) // 3 : -max(1, len(value) // 3)] if len(value) > 3 else ""
    for text in (value[:-1], value[1:], middle, value + "x", value.swapcase()):
        if text and text == text.strip() and text != value:
            yield text
    if len(value) > 1:
        yield from (f"{value[0]}%", f"{value[0]}*", "_" * len(value))
    yield from (f"{value},{other}" for other in list(others)[:1])
    yield "%"


def boundary_values(rule: Filter, schema: Mapping[str, Any], snapshot: Snapshot) -> list[Any]:
    """Return the smallest, middle and largest value of items, each also one below and one above (seconds for times)."""
    pointer = rule.property or ""
    keys = sorted({v for item in snapshot.items.values() for v in item.values[pointer] if isinstance(v, int | float)})
    marks = list(dict.fromkeys([keys[0], keys[len(keys) // 2], keys[-1]])) if keys else []
    if is_time(schema):
        return list(_times(int(mark) + step * NANO for mark in marks for step in (-1, 0, 1)))
    return [mark + step for mark in marks for step in (-1, 0, 1)]


def in_other_zones(value: str) -> list[str]:
    """Return the same instant in other time zones."""
    moment = parse_instant(value)
    return [] if moment is None else [text for minutes in (480, -330) for text in _times([moment], minutes)]


def query_value(parameter: Parameter, values: Iterable[Any]) -> str | tuple[str, ...]:
    """Return values as a query parameter, joined or repeated according to the contract."""
    written_values = tuple(query_text(each) for each in values)
    return written_values if parameter.is_array and not parameter.joined else ",".join(written_values)


def must_accept_value(parameter: Parameter, value: Any) -> bool:
    """Whether a server must accept a value of an item.

    It may refuse values that the parameter schema forbids, and texts under a restriction that this contract chose.
    """
    from openapi_schema_validator import OAS30WriteValidator

    schema = parameter.schema.get("items", parameter.schema)
    if not OAS30WriteValidator(schema).is_valid(value):
        return False
    if not isinstance(value, str):
        return True
    if parameter.is_time:
        return _WHOLE_SECONDS.fullmatch(value) is not None
    return value in parameter.values if parameter.values else PLAIN_TEXT.fullmatch(value) is not None


def broken_bounds(schema: Mapping[str, Any], values: Sequence[Any]) -> list[str]:
    """Return the keywords of an array schema that forbid this number of values, or a repeated one."""
    broken = {
        "minItems": len(values) < schema.get("minItems", 0),
        "maxItems": len(values) > schema.get("maxItems", len(values)),
        "uniqueItems": bool(schema.get("uniqueItems")) and len(set(values)) < len(values),
    }
    return [keyword for keyword, is_broken in broken.items() if is_broken]


def _part_of(value: str, other: Any) -> bool:
    return isinstance(other, str) and value != other and value in other


def _times(moments: Iterable[int], offset_minutes: int = 0) -> Iterator[str]:
    """Format times, except those outside the years 1 to 9999."""
    for moment in moments:
        with suppress(OverflowError):
            yield format_instant(moment, offset_minutes)


def _hashable(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the values that fit into a URL."""
    return (each for each in values if isinstance(each, str | int | float | bool) and len(str(each)) <= MAX_LENGTH)
