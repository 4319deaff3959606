"""The expected result of a filter: each `op` of `x-list`, evaluated in Python.

The result is True, False, or None if the contract does not specify it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.relations.list_client import ListItem
from metastudio.tester.values import comparable

_ORDERED = {"ge": (0, 1), "gt": (1,), "le": (0, -1), "lt": (-1,)}


def matches(rule: Filter, schema: Mapping[str, Any], item: ListItem, wanted: Sequence[Any]) -> bool | None:
    """Whether an item matches a filter.

    An item without the property matches no comparison. Unspecified are: such an item with `ne`, the letter case of
    `substring` and `prefix`, and an empty array with `exists`.

    Args:
        rule: the filter.
        schema: schema of the property.
        item: the item.
        wanted: filter values, of which one must match.

    Returns:
        True or False, None if the contract does not specify it.
    """
    assert rule.property is not None
    have = item.values[rule.property]
    asked = [comparable(each, schema) for each in wanted]
    if rule.op == "exists":
        return _exists(have, asked)
    if rule.op == "ne":
        return None if not have else not any(_equal(value, each) for value in have for each in asked)
    verdicts = [_compare(rule.op, value, each) for value in have for each in asked]
    if True in verdicts:
        return True
    return None if None in verdicts else False


def _compare(op: str, value: Any, wanted: Any) -> bool | None:
    if value is None or wanted is None:
        return None
    if op == "eq":
        return _equal(value, wanted)
    if op in _ORDERED:
        try:
            return (value > wanted) - (value < wanted) in _ORDERED[op]
        except TypeError:
            return None
    text, part = str(value), str(wanted)
    inside = text.startswith if op == "prefix" else text.__contains__
    if inside(part):
        return True
    folded = text.casefold().startswith if op == "prefix" else text.casefold().__contains__
    return None if folded(part.casefold()) else False


def _equal(value: Any, wanted: Any) -> bool:
    return (type(value) is type(wanted) and bool(value == wanted)) or (
        isinstance(value, int | float)
        and isinstance(wanted, int | float)
        and not isinstance(value, bool)
        and not isinstance(wanted, bool)
        and value == wanted
    )


def _exists(have: tuple[Any, ...], asked: Sequence[Any]) -> bool | None:
    wanted = set(asked)
    if wanted == {True}:
        return True if have else None
    return None if wanted != {False} else not have
