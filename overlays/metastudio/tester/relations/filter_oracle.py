"""The expected result of a filter: each `op` of `x-list`, evaluated in Python.

The result is True, False, or None if the contract does not specify it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.list_client import ListItem
from metastudio.tester.values import ValueType

_ORDERED = {"ge": (0, 1), "gt": (1,), "le": (0, -1), "lt": (-1,)}


def matcher(rule: Filter, type_: ValueType, wanted: Sequence[Any]) -> Callable[[ListItem], bool | None]:
    """Return a function that says whether an item matches a filter, or None if the contract does not specify it.

    An item without the property matches no comparison. Unspecified are: such an item with `ne`, the letter case of
    `substring` and `prefix`, an empty array with `exists`, and values that the schema of the property does not compare.

    Args:
        rule: the filter.
        type_: how the values of the property are compared.
        wanted: filter values, of which one must match.
    """
    assert rule.property is not None
    pointer, asked = rule.property, tuple(map(type_.comparable, wanted))
    if rule.op in _ORDERED:
        asked = tuple(map(type_.order_key, asked))

    def matches(item: ListItem) -> bool | None:
        have = item.values[pointer]
        if rule.op == "exists":
            return _exists(have, wanted)
        if rule.op == "ne":
            is_known = have and None not in (*have, *asked)
            return not set(have) & set(asked) if is_known else None
        if rule.op in _ORDERED:
            have = tuple(map(type_.order_key, have))
        verdicts = [_compare(rule.op, value, each) for value in have for each in asked]
        return True if True in verdicts else None if None in verdicts else False

    return matches


def bounds_contradict(tested: OperationUnderTest, given: Mapping[str, Any]) -> bool:
    """Whether bounds of one property exclude each other. A server may refuse them."""
    bounds: dict[str, dict[str, list[Any]]] = {}
    for name, rule in tested.rules.filters.items():
        if name in given and rule.property and rule.op in _ORDERED:
            type_ = tested.value_type(rule.property)
            key = type_.order_key(type_.comparable(given[name]))
            if key is not None:
                bounds.setdefault(rule.property, {}).setdefault(rule.op[0], []).append(key)
    return any(max(each["g"]) > min(each["l"]) for each in bounds.values() if len(each) == 2)


def _compare(op: str, value: Any, wanted: Any) -> bool | None:
    if value is None or wanted is None:
        return None
    if op == "eq":
        return bool(value == wanted)
    if op in _ORDERED:
        return (value > wanted) - (value < wanted) in _ORDERED[op]
    text, part = str(value), str(wanted)
    inside = text.startswith if op == "prefix" else text.__contains__
    if inside(part):
        return True
    folded = text.casefold().startswith if op == "prefix" else text.casefold().__contains__
    return None if folded(part.casefold()) else False


def _exists(have: tuple[Any, ...], asked: Sequence[Any]) -> bool | None:
    wanted = set(asked)
    if wanted == {True}:
        return True if have else None
    return None if wanted != {False} else not have
