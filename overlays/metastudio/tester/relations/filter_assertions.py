"""Sends filters and compares the returned items with the expected ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metastudio import redaction
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_oracle import matcher, may_contradict
from metastudio.tester.relations.judge import RelationCheck
from metastudio.tester.relations.list_client import (
    AS_EXPECTED,
    ListClient,
    ListItem,
    PagedListing,
    Snapshot,
    raw_values,
)
from metastudio.tester.relations.pagers import Query

FilterValues = Mapping[str, Sequence[Any]]
"""Filter values by parameter name."""


def expected(client: ListClient, snapshot: Snapshot, given: FilterValues) -> tuple[set[str], set[str]]:
    """Return the identities that must match the filters, and those that may match."""
    return snapshot.select(_matcher(client, given))


def _matcher(client: ListClient, given: FilterValues) -> Callable[[ListItem], bool | None]:
    rules = [client.filter_rule(name) for name in given]
    matchers = [matcher(rule, client.value_type(rule.property or ""), given[rule.parameter]) for rule in rules]

    def test(item: ListItem) -> bool | None:
        verdicts = [matches(item) for matches in matchers]
        return False if False in verdicts else None if None in verdicts else True

    return test


def filter_query(client: ListClient, given: FilterValues) -> Query:
    """Return the query parameters of filters."""
    parameters = client.tested.operation.parameters
    templates = {name: client.rules.filters[name].template for name in given}
    return {name: sample_values.query_value(parameters[name], each, templates[name]) for name, each in given.items()}


def check_filter(
    client: ListClient,
    snapshot: Snapshot,
    check: RelationCheck,
    given: FilterValues,
    *,
    may_refuse: bool,
    more: Query | None = None,
) -> PagedListing | None:
    """Send filters and compare the returned items with the expected ones.

    Args:
        client: the list.
        snapshot: the unfiltered list.
        check: receives the comparisons.
        given: the filters.
        may_refuse: whether the server may refuse the values.
        more: further query parameters.

    Returns:
        The filtered list, None if it was refused, or not requested because the contract forbids the number of values.
    """
    for name, values in given.items():
        parameter = client.tested.operation.parameters[name]
        if parameter.is_array and sample_values.broken_bounds(parameter.schema, values):
            check.skip(f"the bounds of {name} forbid {len(values)} of these values")
            return None
    query = {**filter_query(client, given), **(more or {})}
    shown = "&".join(f"{name}={_shown(name, value)}" for name, value in query.items())
    response = client.send_first(query)
    if may_refuse and 400 <= response.status < 500:
        check.observe(f"{shown}: refused with status {response.status}")
        return None
    listing = client.fetch_all(query, first=response)
    test = _matcher(client, given)
    strays = [item for item in listing.items if test(item) is False]
    strays = _without_defaults(client, strays, given, check)
    first = strays[0] if strays else None
    check.holds(
        first is None, f"only items that match {shown}", _describe(client, first, given) if first else AS_EXPECTED,
        *[page.response for page in listing.pages if first in page.items][:1], probable=True,
    )  # fmt: skip
    if not snapshot.complete or not listing.complete:
        return listing
    must, may = expected(client, snapshot, given)
    missing = must - set(listing.identities)
    check.holds(
        not missing, f"all {len(must)} items that match {shown}",
        f"{len(must) - len(missing)} of them; item {min(missing, default='')} is missing", *listing.responses,
    )  # fmt: skip
    extra = len(set(listing.identities) & may) + len({each.identity for each in listing.items} - must - may)
    if listing.total is not None:
        low, high = len(must), len(must) + max(len(may), extra)
        fine = low <= listing.total <= high
        check.holds(fine, f"total {low}", f"total {listing.total}", *listing.responses[:1])
        same = listing.total == len(set(listing.identities))
        check.holds(same, f"as many items on all pages as the total {listing.total}",
                    f"{len(set(listing.identities))} items", *listing.responses)  # fmt: skip
    return listing


def may_be_refused(client: ListClient, given: FilterValues) -> bool:
    """Whether a server may refuse the filters: one of their values, or bounds that exclude each other."""
    parameters, rules = client.tested.operation.parameters, client.rules.filters
    if not all(sample_values.must_accept(parameters[n], each, rules[n].template) for n, each in given.items()):
        return True
    return may_contradict(client.tested, {**client.fixed_query, **{n: values[0] for n, values in given.items()}})


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
            default = client.assumed_defaults.setdefault(name, values[0]) if absent else None
            if absent and default == values[0]:
                check.observe(
                    f"{name}={values[0]} also matches items without {rule.property}, as if it were the default"
                )
                strays = [item for item in strays if item not in absent]
    return strays


def _describe(client: ListClient, item: ListItem, given: FilterValues) -> str:
    parts = []
    for name in given:
        pointer = client.rules.filters[name].property or ""
        values = list(raw_values(item, pointer))
        parts.append(f"{pointer} {_shown(pointer.rpartition('/')[2], values[:3]) if values else 'absent'}")
    return f"item {item.identity} with {', '.join(parts)}"


def _shown(name: str, value: Any) -> str:
    return (
        redaction.MASK if redaction.is_sensitive(name) else ",".join(value) if isinstance(value, tuple) else str(value)
    )
