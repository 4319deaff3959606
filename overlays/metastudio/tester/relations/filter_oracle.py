"""The expected result of a filter: each `op` of `x-list`, evaluated in Python.

The result is True, False, or None if the contract does not specify it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.list_client import ListItem
from metastudio.tester.values import ValueType

ORDERED = {"ge": (0, 1), "gt": (1,), "le": (0, -1), "lt": (-1,)}
"""Ops that compare the order of values, and the signs of the differences that match."""
_WILDCARDS = {"like": {"%": ".*", "_": "."}, "glob": {"*": ".*", "?": "."}}
_ESCAPES = {"like": frozenset("\\[*"), "glob": frozenset("\\[")}
"""Characters that have a meaning of their own in some dialects of the wildcards."""
_FOLDS: tuple[Callable[[str], str], ...] = (
    str.casefold,
    str.lower,
    lambda text: "".join(each.lower() if each.isascii() else each for each in text),
)
"""How servers ignore case. They differ outside ASCII."""


def matcher(rule: Filter, type_: ValueType, wanted: Sequence[Any]) -> Callable[[ListItem], bool | None]:
    """Return a function that says whether an item matches a filter, or None if the contract does not specify it.

    An item without the property matches no comparison. Unspecified are: such an item with `ne`, the letter case if the
    rule leaves it open, an empty array with `exists`, and values that the schema of the property does not compare.

    Args:
        rule: the filter.
        type_: how the values of the property are compared.
        wanted: filter values, of which one must match, or all; the two bounds of `between`.
    """
    assert rule.property is not None
    pointer, asked = rule.property, tuple(map(type_.comparable, wanted))
    has_order = rule.op in ORDERED or rule.op == "between"
    if has_order:
        asked = tuple(map(type_.order_key, asked))
    if rule.op == "between":
        asked = (asked,)

    def matches(item: ListItem) -> bool | None:
        have = item.values[pointer]
        if rule.op in ("exists", "absent"):
            return _exists(have, wanted, exists=rule.op == "exists")
        if rule.op == "ne":
            is_known = have and None not in (*have, *asked)
            return _none_of([_compare(rule, value, each) for value in have for each in asked]) if is_known else None
        if has_order:
            have = tuple(map(type_.order_key, have))
        verdicts = [_any_of([_compare(rule, value, each) for value in have]) for each in asked]
        return _any_of(verdicts) if rule.several == "any" else _none_of([_not(each) for each in verdicts])

    return matches


def _any_of(verdicts: Sequence[bool | None]) -> bool | None:
    return True if True in verdicts else None if None in verdicts else False


def _none_of(verdicts: Sequence[bool | None]) -> bool | None:
    return _not(_any_of(verdicts))


def _not(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict


def excluded(tested: OperationUnderTest, given: Collection[str]) -> bool:
    """Whether filters are given that may not be sent together."""
    return any(name in given and set(rule.excludes) & set(given) for name, rule in tested.rules.filters.items())


def may_contradict(tested: OperationUnderTest, given: Mapping[str, Any]) -> bool:
    """Whether filters exclude each other, or bounds of one property do. A server may refuse them."""
    bounds: dict[str, dict[str, list[Any]]] = {}
    for name, rule in tested.rules.filters.items():
        if name in given and rule.property and rule.op in ORDERED and not rule.template:
            type_ = tested.value_type(rule.property)
            key = type_.order_key(type_.comparable(given[name]))
            if key is not None:
                bounds.setdefault(rule.property, {}).setdefault(rule.op[0], []).append(key)
    is_empty = any(max(each["g"]) > min(each["l"]) for each in bounds.values() if len(each) == 2)
    return is_empty or excluded(tested, given)


def _compare(rule: Filter, value: Any, wanted: Any) -> bool | None:
    """Compare one value of an item with one filter value."""
    if rule.op == "between":
        return _between(value, wanted)
    if value is None or wanted is None:
        return None
    if rule.op in ORDERED:
        return (value > wanted) - (value < wanted) in ORDERED[rule.op]
    if not isinstance(value, str) or not isinstance(wanted, str):
        return bool(value == wanted)
    if rule.wildcards and set(wanted) & _ESCAPES[rule.wildcards]:
        return None
    test, is_part = _text_test(rule), rule.op in ("substring", "prefix")
    case = rule.case or ("unstated" if is_part else "exact")
    exact = test(value, wanted)
    folded = {test(fold(value), fold(wanted)) for fold in _FOLDS} if case != "exact" else {exact}
    if case == "unstated":
        return exact if folded == {exact} else None
    return folded.pop() if len(folded) == 1 else None


def _text_test(rule: Filter) -> Callable[[str, str], bool]:
    special = _WILDCARDS.get(rule.wildcards, {})

    def test(text: str, wanted: str) -> bool:
        pattern = _pattern(wanted, special)
        if rule.op == "substring":
            return re.search(pattern, text, re.DOTALL) is not None
        return (re.match if rule.op == "prefix" else re.fullmatch)(pattern, text, re.DOTALL) is not None

    return test


def _pattern(wanted: str, special: Mapping[str, str]) -> str:
    """Return a regular expression. As in `fnmatch`, atomic groups keep it from trying every split of a long text."""
    parts = [""]
    for each in wanted:
        if special.get(each) == ".*":
            parts.append("")
        else:
            parts[-1] += special.get(each, re.escape(each))
    first, *middle = parts
    if not middle:
        return first
    return first + "".join(f"(?>.*?{each})" for each in middle[:-1]) + ".*" + middle[-1]


def _between(value: Any, bounds: Sequence[Any]) -> bool | None:
    if value is None or len(bounds) != 2 or None in bounds:
        return None
    return bool(bounds[0] <= value <= bounds[1])


def _exists(have: tuple[Any, ...], asked: Sequence[Any], *, exists: bool) -> bool | None:
    wanted = {each is exists for each in asked}
    if wanted == {True}:
        return True if have else None
    return None if wanted != {False} else not have
