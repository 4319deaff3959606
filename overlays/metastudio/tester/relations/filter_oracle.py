"""Sends filters and compares the returned items with the expected ones: each `op` of `x-list`, evaluated in Python.

Whether an item matches is True, False, or None if the contract does not specify it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from metastudio import redaction
from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.judge import RelationCheck
from metastudio.tester.relations.list_client import (
    AS_EXPECTED,
    ListClient,
    ListItem,
    PagedListing,
    Query,
    Snapshot,
    raw_values,
)
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
FilterValues = Mapping[str, Sequence[Any]]
"""Filter values by parameter name."""
Matcher = Callable[[ListItem], bool | None]


def matcher(rule: Filter, type_: ValueType, wanted: Sequence[Any]) -> Matcher:
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
            exists = {each is (rule.op == "exists") for each in wanted}
            return (True if have else None) if exists == {True} else not have if exists == {False} else None
        if rule.op == "ne":
            is_known = have and None not in (*have, *asked)
            return (
                _not(_any_of([_compare(rule, value, each) for value in have for each in asked])) if is_known else None
            )
        if has_order:
            have = tuple(map(type_.order_key, have))
        verdicts = [_any_of([_compare(rule, value, each) for value in have]) for each in asked]
        return _any_of(verdicts) if rule.several == "any" else _all_of(verdicts)

    return matches


def _any_of(verdicts: Sequence[bool | None]) -> bool | None:
    return True if True in verdicts else None if None in verdicts else False


def _all_of(verdicts: Sequence[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _not(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict


def _compare(rule: Filter, value: Any, wanted: Any) -> bool | None:
    """Compare one value of an item with one filter value, or with the two bounds of `between`."""
    if rule.op == "between":
        is_known = value is not None and len(wanted) == 2 and None not in wanted
        return bool(wanted[0] <= value <= wanted[1]) if is_known else None
    if value is None or wanted is None:
        return None
    if rule.op in ORDERED:
        return (value > wanted) - (value < wanted) in ORDERED[rule.op]
    if not isinstance(value, str) or not isinstance(wanted, str):
        return bool(value == wanted)
    readings = {_compare_texts(rule, value, each) for each in (wanted, wanted.strip())}  # a server may trim
    return readings.pop() if len(readings) == 1 else None


def _compare_texts(rule: Filter, value: str, wanted: str) -> bool | None:
    """Compare a text of an item with a filter value. None: the contract leaves it open."""
    if rule.wildcards and set(wanted) & _ESCAPES[rule.wildcards]:
        return None
    case = rule.case or ("unstated" if rule.op in ("substring", "prefix") else "exact")
    exact = _matches_text(rule, value, wanted)
    folded = {_matches_text(rule, fold(value), fold(wanted)) for fold in _FOLDS} if case != "exact" else {exact}
    if case == "unstated":
        return exact if folded == {exact} else None
    return folded.pop() if len(folded) == 1 else None


def _matches_text(rule: Filter, text: str, wanted: str) -> bool:
    """Match a text. As in `fnmatch`, atomic groups keep the pattern from trying every split of a long text."""
    special, parts = _WILDCARDS.get(rule.wildcards, {}), [""]
    for each in wanted:
        if special.get(each) == ".*":
            parts.append("")
        else:
            parts[-1] += special.get(each, re.escape(each))
    pattern, *middle = parts
    if middle:
        pattern += "".join(f"(?>.*?{each})" for each in middle[:-1]) + ".*" + middle[-1]
    match = {"substring": re.search, "prefix": re.match}.get(rule.op, re.fullmatch)
    return match(pattern, text, re.DOTALL) is not None


def matcher_of_all(client: ListClient, given: FilterValues) -> Matcher:
    """Return a function that says whether an item matches all filters."""
    rules = [client.filter_rule(name) for name in given]
    matchers = [matcher(rule, client.value_type(rule.property or ""), given[rule.parameter]) for rule in rules]
    return lambda item: _all_of([matches(item) for matches in matchers])


def filter_query(client: ListClient, given: FilterValues) -> Query:
    """Return the query parameters of filters."""
    parameters, rules = client.tested.operation.parameters, client.rules.filters
    return {n: sample_values.query_value(parameters[n], each, rules[n].template) for n, each in given.items()}


def check_filter(
    client: ListClient,
    snapshot: Snapshot,
    check: RelationCheck,
    given: FilterValues,
    *,
    may_refuse: bool = False,
    more: Query | None = None,
) -> PagedListing | None:
    """Send filters and compare the returned items with the expected ones.

    Args:
        client: the list.
        snapshot: the unfiltered list.
        check: receives the comparisons.
        given: the filters.
        may_refuse: whether the server may refuse the values, although `may_be_refused` does not say so.
        more: further query parameters.

    Returns:
        The filtered list, None if it was refused, or not requested because the contract forbids the number of values.
    """
    for name, values in given.items():
        parameter = client.tested.operation.parameters[name]
        if parameter.is_array and sample_values.broken_bounds(parameter.schema, values):
            check.skipped.append(f"the bounds of {name} forbid {len(values)} of these values")
            return None
    query = {**filter_query(client, given), **(more or {})}
    shown = "&".join(f"{name}={_shown(name, value)}" for name, value in query.items())
    response = client.send_first(query)
    if 400 <= response.status < 500 and (may_refuse or may_be_refused(client, given)):
        check.observed.append(f"{shown}: refused with status {response.status}")
        return None
    listing, test = client.fetch_all(query, first=response), matcher_of_all(client, given)
    strays = _without_defaults(client, [item for item in listing.items if test(item) is False], given, check)
    first = strays[0] if strays else None
    check.holds(
        first is None, f"only items that match {shown}", _describe(client, first, given) if first else AS_EXPECTED,
        *[page.response for page in listing.pages if first in page.items][:1], probable=True,
    )  # fmt: skip
    if not snapshot.complete or not listing.complete:
        return listing
    (must, may), found, responses = snapshot.select(test), set(listing.identities), listing.responses
    missing = must - found
    seen = f"{len(must) - len(missing)} of them; item {min(missing, default='')} is missing"
    check.holds(not missing, f"all {len(must)} items that match {shown}", seen, *responses)
    if listing.total is not None:
        high = len(must) + max(len(may), len(found & may) + len(found - must - may))
        fine = len(must) <= listing.total <= high
        check.holds(fine, f"total {len(must)}", f"total {listing.total}", *responses[:1])
        count = f"as many items on all pages as the total {listing.total}"
        check.holds(listing.total == len(found), count, f"{len(found)} items", *responses)
    return listing


def may_be_refused(client: ListClient, given: FilterValues) -> bool:
    """Whether a server may refuse the filters: one of their values, or bounds that exclude each other."""
    parameters, rules = client.tested.operation.parameters, client.rules.filters
    if not all(sample_values.must_accept(parameters[n], each, rules[n].template) for n, each in given.items()):
        return True
    return may_contradict(client.tested, {**client.fixed_query, **{n: values[0] for n, values in given.items()}})


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


def excluded(tested: OperationUnderTest, given: Collection[str]) -> bool:
    """Whether filters are given that may not be sent together."""
    return any(name in given and set(rule.excludes) & set(given) for name, rule in tested.rules.filters.items())


def _without_defaults(
    client: ListClient, strays: list[ListItem], given: FilterValues, check: RelationCheck
) -> list[ListItem]:
    """Drop items without the property if the server may treat absence as the value given for.

    The API reference names defaults that its examples do not show
    (docs/service-notes.md#contradictions-in-the-reference-page). So for a property with listed values, absence may
    stand for one value.
    """
    for name, values in given.items():
        rule = client.filter_rule(name)
        listed = client.tested.operation.parameters[name].values
        if rule.op == "eq" and listed and len(values) == 1 and values[0] in listed:
            absent = [item for item in strays if not item.values[rule.property or ""]]
            if absent and client.assumed_defaults.setdefault(name, values[0]) == values[0]:
                how = f"also matches items without {rule.property}, as if it were the default"
                check.observed.append(f"{name}={values[0]} {how}")
                strays = [item for item in strays if item not in absent]
    return strays


def _describe(client: ListClient, item: ListItem, given: FilterValues) -> str:
    pointers = [client.rules.filters[name].property or "" for name in given]
    found = {pointer: [*raw_values(item, pointer)][:3] for pointer in pointers}
    shown = {at: _shown(at.rpartition("/")[2], values) if values else "absent" for at, values in found.items()}
    return f"item {item.identity} with {', '.join(f'{pointer} {shown[pointer]}' for pointer in pointers)}"


def _shown(name: str, value: Any) -> str:
    if redaction.is_sensitive(name):
        return redaction.MASK
    return ",".join(value) if isinstance(value, tuple) else str(value)
