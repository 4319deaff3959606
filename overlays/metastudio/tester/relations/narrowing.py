"""Narrows a list that is too long to be read completely to a part that is not, by one of its filters.

The relations then hold for the part. Those of the filter that narrows it are checked on another part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from metastudio.contract.instants import NANO
from metastudio.contract.operation import Filter
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_assertions import filter_query
from metastudio.tester.relations.filter_oracle import ORDERED
from metastudio.tester.relations.judge import Relation
from metastudio.tester.relations.list_client import ListClient, Snapshot, UnexpectedResponseError, raw_values
from metastudio.tester.values import ValueKind

FEWEST, MOST = 20, 300
"""Length of a useful part: it differs in most properties, and is read with a few requests."""
MAX_STEPS = 40
MAX_VALUES = 8
_NEVER = ("unstated", "exists", "absent", "between")
"""Ops by which no list is narrowed."""
Part = tuple[ListClient, Snapshot]


def parts(client: ListClient, snapshot: Snapshot) -> list[Part]:
    """Return up to two parts of a list, narrowed by different filters."""
    found: list[Part] = []
    for rule in client.rules.filters.values():
        if len(found) < 2 and rule.op not in _NEVER and rule.property:
            with suppress(UnexpectedResponseError):  # it may refuse the bound, and then another filter serves
                found += filter(None, [_part(client, snapshot, rule)])
    return found


def part_for(relation: Relation, whole: Part, narrowed: Sequence[Part]) -> Part:
    """Return the part of the list on which a relation is checked."""
    usable = [part for part in narrowed if not set(relation.filters) & part[0].fixed_query.keys()]
    return usable[0] if usable and not relation.whole else whole


def _part(client: ListClient, snapshot: Snapshot, rule: Filter) -> Part | None:
    is_ordered = rule.op in ORDERED
    for value in _bounds(client, snapshot, rule) if is_ordered else _common_values(client, snapshot, rule):
        part = client.narrowed({rule.parameter: value})
        narrowed = part.snapshot()
        if narrowed.complete and FEWEST <= len(narrowed.items) <= MOST:
            return part, narrowed
    return None


def _common_values(client: ListClient, snapshot: Snapshot, rule: Filter) -> Iterator[str]:
    """Yield values that match a useful number of items."""
    parameter, counted = client.tested.operation.parameters[rule.parameter], Counter[Any]()
    for item in snapshot.items.values():
        counted.update(set(sample_values.sendable(raw_values(item, rule.property or ""))))
    for value, _ in counted.most_common(MAX_VALUES):
        text = filter_query(client, {rule.parameter: [value]})[rule.parameter]
        must_accept = sample_values.must_accept(parameter, [value], rule.template)
        if isinstance(text, str) and must_accept and _is_useful(client, rule, text):
            yield text


def _bounds(client: ListClient, snapshot: Snapshot, rule: Filter) -> Iterator[str]:
    """Yield a bound that matches a useful number of items, found by bisection with the totals."""
    type_ = client.value_type(rule.property or "")
    keys = sorted(v for item in snapshot.items.values() for v in item.values[rule.property or ""] if v is not None)
    if not keys or type_.kind in (ValueKind.TEXT, ValueKind.OTHER):
        return
    unit = NANO if type_.kind is ValueKind.INSTANT else 1
    sign = 1 if rule.op in ("ge", "gt") else -1
    many, few = (keys[0] // unit, keys[-1] // unit)[::sign]
    width = max(abs(few - many), 1)
    for _ in range(MAX_STEPS):  # until the bound matches few items
        count = _count(client, rule, few * unit)
        if count is None:
            return
        if count <= MOST:
            break
        many, few, width = few, few + sign * width, 2 * width
    middle = few
    for _ in range(MAX_STEPS):
        count = _count(client, rule, middle * unit)
        if count is not None and FEWEST <= count <= MOST:
            yield sample_values.bound_text(rule, type_, middle * unit) or ""
            return
        many, few = (middle, few) if count is not None and count > MOST else (many, middle)
        middle = (many + few) // 2


def _is_useful(client: ListClient, rule: Filter, text: str) -> bool:
    total = client.fetch_page({rule.parameter: text, **client.sized(1)}).total
    return total is None or FEWEST <= total <= MOST


def _count(client: ListClient, rule: Filter, bound: Any) -> int | None:
    """Return the total for a bound, None if there is none or the bound cannot be written."""
    text = sample_values.bound_text(rule, client.value_type(rule.property or ""), bound)
    return client.fetch_page({rule.parameter: text, **client.sized(1)}).total if text else None
