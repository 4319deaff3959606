"""Filters, order and pages of `x-list`, as SQL.

A filter compares the value at a JSON pointer into the item; if the pointer has a `*`, one matching element is enough.
An item without the value matches no comparison, only `exists: false`. Several values in one parameter mean any of them;
for `ne`, none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metastudio.contract.operation import Filter, ListRules, Order
from metastudio.sandbox.instants import instant
from metastudio.sandbox.listing import Listing, StoreColumn

_LARGEST = 2**63 - 1
_COMPARISONS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


@dataclass(frozen=True)
class Condition:
    """A part of a WHERE clause, and the arguments of its placeholders."""

    sql: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class PageWindow:
    """A page of a list: `skip` items are skipped, then at most `take` are returned."""

    skip: int
    take: int


@dataclass(frozen=True)
class StoreQuery:
    """A query of the store: WHERE, ORDER BY, and the page."""

    conditions: tuple[Condition, ...]
    order: str
    window: PageWindow


def condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
    """Return the condition of a filter, or None if it matches everything.

    A filter whose comparison is `unstated` compares as its `sandbox` key says, and matches everything without one.
    """
    op = rule.op if rule.op != "unstated" else rule.sandbox
    if op is None or column is None:
        return None
    if op == "exists":
        return _existence(column, values)
    bound = tuple(stored(column, value) for value in values)
    return _of_any(column, lambda value: _comparison(op, value, len(bound)), bound)


def scope(rules: ListRules, columns: Mapping[str, StoreColumn], path: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions that select the items of the path, such as those of its project."""
    return [
        Condition(f"{columns[pointer].name} = ?", (stored(columns[pointer], path[parameter]),))
        for parameter, pointer in rules.scope.items()
    ]


def order(
    rules: Order | None, columns: Mapping[str, StoreColumn], identity: StoreColumn | None, key: Any, direction: Any
) -> str:
    """Return an ORDER BY clause.

    Items with equal keys are sorted by their identity, so that the same request always gets the same response. Without
    a known key the list is in insertion order, whatever the direction.

    Args:
        rules: Order rules of the list, if it can be ordered.
        columns: Columns of the store, by JSON pointer.
        identity: StoreColumn of the item's identity, if it has one.
        key: Value of the sort key parameter, None if it is absent.
        direction: Value of the sort direction parameter, None if it is absent.
    """
    pointer = rules.keys.get(key) if rules else None
    if rules is None or pointer is None or columns[pointer].many:
        return "seq"
    descending = direction == rules.desc if direction is not None else rules.default == "desc"
    word = "DESC" if descending else "ASC"
    return f"{columns[pointer].name} {word}, {identity.name if identity else 'seq'} {word}"


def window(offset: int | None, limit: int | None, listing: Listing) -> PageWindow:
    """Return the page of the paging parameters, which are None if they are absent."""
    return PageWindow(min(offset or 0, _LARGEST), min(listing.default_limit if limit is None else limit, _LARGEST))


def stored(column: StoreColumn, value: Any) -> Any:
    """Convert a value to the form stored in a column: a sortable text for a time, 0 or 1 for a boolean.

    Returns None if the column cannot hold the value.
    """
    if isinstance(value, str):
        return instant(value) if column.time else value
    if not isinstance(value, (bool, int, float)):
        return None
    if isinstance(value, bool):
        return int(value)
    return value if abs(value) <= _LARGEST else math.copysign(math.inf, value)


def _comparison(op: str, value: str, count: int) -> str:
    if op in ("eq", "ne"):
        return f"{value} {'IN' if op == 'eq' else 'NOT IN'} ({', '.join('?' * count)})"
    if op in ("substring", "prefix"):
        return " OR ".join([f"instr({value}, ?) {'>= 1' if op == 'substring' else '= 1'}"] * count)
    return " OR ".join([f"{value} {_COMPARISONS[op]} ?"] * count)


def _existence(column: StoreColumn, values: Sequence[Any]) -> Condition:
    wanted = {value is not False for value in values}
    if wanted == {True, False}:
        return Condition("1")
    found = _of_any(column, lambda value: f"{value} IS NOT NULL", ())
    return found if wanted == {True} else Condition(f"NOT ({found.sql})")


def _of_any(column: StoreColumn, test: Callable[[str], str], arguments: tuple[Any, ...]) -> Condition:
    if column.many:
        return Condition(f"seq IN (SELECT seq FROM {column.name} WHERE {test('value')})", arguments)  # noqa: S608
    return Condition(f"({test(column.name)})", arguments)
