"""What `x-list` means, in SQL: what is kept, in which order, and which part of it is a page.

A rule compares an item's value; with `*` in the pointer, any of them. An item without the value is kept by no
comparison, only by `exists: false`. Several values in one parameter mean any of them, for `ne` that all differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metastudio.contract.operation import Filter, ListRules, Order
from metastudio.sandbox.instants import instant
from metastudio.sandbox.listing import Column, Listing

_LARGEST = 2**63 - 1
_COMPARISONS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


@dataclass(frozen=True)
class Condition:
    """A part of a WHERE clause, and the arguments for its question marks."""

    sql: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Window:
    """Which part of a list is answered: `skip` items are left out, then at most `take` are given."""

    skip: int
    take: int


@dataclass(frozen=True)
class Selection:
    """What a request asks of a table."""

    conditions: tuple[Condition, ...]
    order: str
    window: Window


def condition(rule: Filter, column: Column | None, values: Sequence[Any]) -> Condition | None:
    """Return what a filter keeps, None where it keeps everything.

    Where the contract leaves open how a filter compares, it is what the contract's `sandbox` says, or nothing.
    """
    op = rule.op if rule.op != "unstated" else rule.sandbox
    if op is None or column is None:
        return None
    if op == "exists":
        return _existence(column, values)
    bound = tuple(stored(column, value) for value in values)
    return _of_any(column, lambda value: _comparison(op, value, len(bound)), bound)


def scope(rules: ListRules, columns: Mapping[str, Column], path: Mapping[str, Any]) -> list[Condition]:
    """Return what keeps the items that belong to the path: those of the project, above all."""
    return [
        Condition(f"{columns[pointer].name} = ?", (stored(columns[pointer], path[parameter]),))
        for parameter, pointer in rules.scope.items()
    ]


def order(rules: Order | None, columns: Mapping[str, Column], identity: Column, key: Any, direction: Any) -> str:
    """Return an ORDER BY clause. `key` and `direction` are the values of their parameters, None where absent.

    Items with equal keys stand in the order of their identity, so that one request is always answered alike.
    Without a known key the list stands in the order in which its items came, whatever the direction.
    """
    pointer = rules.keys.get(key) if rules else None
    if rules is None or pointer is None or columns[pointer].many:
        return "seq"
    descending = direction == rules.desc if direction is not None else rules.default == "desc"
    word = "DESC" if descending else "ASC"
    return f"{columns[pointer].name} {word}, {identity.name} {word}"


def window(offset: int | None, limit: int | None, listing: Listing) -> Window:
    """Return the page that the paging parameters ask for, None where they are absent."""
    return Window(min(offset or 0, _LARGEST), min(listing.page_length if limit is None else limit, _LARGEST))


def stored(column: Column, value: Any) -> Any:
    """Return a value as the column holds it: times as sortable text, truth as 0 or 1, None for what cannot be there."""
    if isinstance(value, str):
        return instant(value) if column.time else value
    if column.time or not isinstance(value, (bool, int, float)):
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


def _existence(column: Column, values: Sequence[Any]) -> Condition:
    wanted = {value is not False for value in values}
    if wanted == {True, False}:
        return Condition("1")
    found = _of_any(column, lambda value: f"{value} IS NOT NULL", ())
    return found if wanted == {True} else Condition(f"NOT ({found.sql})")


def _of_any(column: Column, test: Callable[[str], str], arguments: tuple[Any, ...]) -> Condition:
    if column.many:
        return Condition(f"seq IN (SELECT seq FROM {column.name} WHERE {test('value')})", arguments)  # noqa: S608
    return Condition(f"({test(column.name)})", arguments)
