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
from metastudio.tester.relations.filter_oracle import ORDERED, filter_query
from metastudio.tester.relations.judge import Relation
from metastudio.tester.relations.list_client import ListClient, Snapshot, UnexpectedResponseError
from metastudio.tester.relations.sample_values import must_accept, values_of
from metastudio.tester.values import ValueKind

FEWEST, MOST = 20, 300
"""Length of a useful part: it differs in most properties, and is read with a few requests."""
MAX_STEPS = 80
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
    values = _bounds if rule.op in ORDERED else _common_values
    for value in values(client, snapshot, rule):
        part = client.narrowed({rule.parameter: value})
        narrowed = part.snapshot()
        if narrowed.complete and FEWEST <= len(narrowed.items) <= MOST:
            return part, narrowed
    return None


def _common_values(client: ListClient, snapshot: Snapshot, rule: Filter) -> Iterator[str]:
    """Yield values that match a useful number of items."""
    parameter = client.tested.operation.parameters[rule.parameter]
    counted = Counter[Any](each for item in snapshot.items.values() for each in set(values_of(rule, item)))
    for value, _ in counted.most_common(MAX_VALUES):
        text = filter_query(client, {rule.parameter: [value]})[rule.parameter]
        if isinstance(text, str) and must_accept(parameter, [value], rule.template):
            total = _total(client, rule, text)
            if total is None or FEWEST <= total <= MOST:
                yield text


def _bounds(client: ListClient, snapshot: Snapshot, rule: Filter) -> Iterator[str]:
    """Yield a bound that matches a useful number of items, found by bisection with the totals."""
    type_, pointer = client.value_type(rule.property or ""), rule.property or ""
    keys = sorted(v for item in snapshot.items.values() for v in item.values[pointer] if v is not None)
    if not keys or type_.kind in (ValueKind.TEXT, ValueKind.OTHER):
        return
    unit = NANO if type_.kind is ValueKind.INSTANT else 1

    sign, few = 1 if rule.op in ("ge", "gt") else -1, None
    many, step = (keys[0] if sign == 1 else keys[-1]) // unit, max(keys[-1] // unit - keys[0] // unit, 1)
    for _ in range(MAX_STEPS):
        bound = many + sign * step if few is None else (many + few) // 2
        text = type_.written(bound * unit)
        text = (rule.template or "{}").replace("{}", text) if text else ""
        total = _total(client, rule, text) if text else None
        if total is None and few is None:
            return
        if total is not None and total > MOST:
            many, step = bound, 2 * step
        elif total is not None and total >= FEWEST:
            yield text
            return
        else:
            few = bound


def _total(client: ListClient, rule: Filter, text: str) -> int | None:
    return client.fetch_page({rule.parameter: text, **client.sized(1)}).total
