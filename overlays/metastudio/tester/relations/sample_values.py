"""Which values a filter is asked with: seen in the list, almost seen, and not seen at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from metastudio.contract.operation import Filter, Parameter
from metastudio.tester.relations.list_client import Snapshot, texts
from metastudio.tester.values import NANO, instant, is_time, wire, written

MOST_SEEN = 6
NEVER_SEEN = "no-such-value-ever-7f3a"
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""Texts that no decided rule about length or characters can refuse."""
_WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def seen(rule: Filter, snapshot: Snapshot) -> list[Any]:
    """Return values that items have, the telling ones first: frequent, rare, part of another one, odd characters."""
    counted: Counter[Any] = Counter()
    for item in snapshot.items.values():
        counted.update(tuple(dict.fromkeys(_hashable(texts(item, rule.property or "")))))
    by_count = [value for value, _ in counted.most_common()]
    inside = [v for v in by_count if isinstance(v, str) and any(_part_of(v, w) for w in by_count)]
    folded = Counter(v.casefold() for v in by_count if isinstance(v, str))
    cases = [v for v in by_count if isinstance(v, str) and folded[v.casefold()] > 1]
    odd = [v for v in by_count if isinstance(v, str) and not PLAIN.fullmatch(v)]
    chosen = [*by_count[:2], *inside[:1], *cases[:2], *odd[:1], *by_count[-1:], *by_count[2:]]
    return list(dict.fromkeys(chosen))[:MOST_SEEN]


def almost(value: str, others: Iterable[str]) -> Iterator[str]:
    """Yield texts that look like a value but are none: parts, other case, more, wildcards.

    Blanks at the ends are left alone, as a server may trim them.
    """
    middle = value[len(value) // 3 : -max(1, len(value) // 3)] if len(value) > 3 else ""
    for text in (value[:-1], value[1:], middle, value + "x", value.swapcase()):
        if text and text == text.strip() and text != value:
            yield text
    if len(value) > 1:
        yield from (f"{value[0]}%", f"{value[0]}*", "_" * len(value))
    yield from (f"{value},{other}" for other in list(others)[:1])
    yield "%"


def around(rule: Filter, schema: Mapping[str, Any], snapshot: Snapshot) -> list[Any]:
    """Return values at, one below and one above the smallest, middle and largest value that items have."""
    pointer = rule.property or ""
    keys = sorted({v for item in snapshot.items.values() for v in item.facts[pointer] if isinstance(v, int | float)})
    marks = list(dict.fromkeys([keys[0], keys[len(keys) // 2], keys[-1]])) if keys else []
    if is_time(schema):
        return [written(int(mark) + step * NANO) for mark in marks for step in (-1, 0, 1)]
    return [mark + step for mark in marks for step in (-1, 0, 1)]


def zones(value: str) -> list[str]:
    """Return the same instant written in other zones."""
    moment = instant(value)
    return [] if moment is None else [written(moment, minutes) for minutes in (480, -330)]


def asked(parameter: Parameter, values: Iterable[Any]) -> str | tuple[str, ...]:
    """Write values as one query parameter, joined or repeated as the contract says."""
    written_values = tuple(wire(each) for each in values)
    return written_values if parameter.is_array and not parameter.joined else ",".join(written_values)


def must_be_accepted(parameter: Parameter, value: Any) -> bool:
    """Whether refusing a value that an item has would be wrong: it holds nothing that a decided rule is about.

    An item may have values that the parameter does not take, and what lies one beside them may be out of bounds.
    """
    from openapi_schema_validator import OAS30WriteValidator

    schema = parameter.schema.get("items", parameter.schema)
    if not OAS30WriteValidator(schema).is_valid(value):
        return False
    if not isinstance(value, str):
        return True
    if parameter.is_time:
        return _WHOLE_SECONDS.fullmatch(value) is not None
    return value in parameter.values if parameter.values else PLAIN.fullmatch(value) is not None


def _part_of(value: str, other: Any) -> bool:
    return isinstance(other, str) and value != other and value in other


def _hashable(values: Iterable[Any]) -> Iterator[Any]:
    return (each for each in values if isinstance(each, str | int | float | bool))
