"""Asks with filters, and compares what is kept with what should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metastudio import redaction
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_oracle import keeps
from metastudio.tester.relations.judge import Check
from metastudio.tester.relations.list_client import Bench, Item, Query, Snapshot, Walk, texts

Asked = Mapping[str, Sequence[Any]]
"""Filters and the values that they are asked with."""


def expected(bench: Bench, snapshot: Snapshot, asked: Asked) -> tuple[set[str], set[str]]:
    """Return who must be kept, and who may be."""

    def test(item: Item) -> bool | None:
        verdicts = [_keeps(bench, name, item, values) for name, values in asked.items()]
        return False if False in verdicts else None if None in verdicts else True

    return snapshot.keeping(test)


def _keeps(bench: Bench, name: str, item: Item, values: Sequence[Any]) -> bool | None:
    rule = bench.rules.filters[name]
    return keeps(rule, bench.schema(rule.property or ""), item, values)


def query_of(bench: Bench, asked: Asked) -> Query:
    """Return the parameters that ask with filters."""
    parameters = bench.subject.operation.parameters
    return {name: sample_values.asked(parameters[name], values) for name, values in asked.items()}


def compare(
    bench: Bench, snapshot: Snapshot, check: Check, asked: Asked, *, may_refuse: bool, more: Query | None = None
) -> Walk | None:
    """Ask with filters and compare what is kept with what should be. Return the walk, None where it was refused."""
    query = {**query_of(bench, asked), **(more or {})}
    shown = "&".join(f"{name}={_shown(name, value)}" for name, value in query.items())
    answer = bench.first(query)
    if may_refuse and 400 <= answer.status < 500:
        check.observe(f"{shown}: refused with {answer.status}")
        return None
    walk = bench.walk(query, first=answer)
    strays = [item for item in walk.items if any(_keeps(bench, name, item, v) is False for name, v in asked.items())]
    strays = _without_defaults(bench, strays, asked, check)
    first = strays[0] if strays else None
    check.holds(
        first is None, f"only items that {shown} keeps", _describe(bench, first, asked) if first else "just that",
        *[page.answer for page in walk.pages if first in page.items][:1], telling=True,
    )  # fmt: skip
    if not snapshot.whole or not walk.whole:
        return walk
    must, may = expected(bench, snapshot, asked)
    missing = must - set(walk.identities)
    check.holds(
        not missing, f"all {len(must)} items that {shown} keeps",
        f"{len(must) - len(missing)} of them; item {min(missing, default='')} is missing", *walk.answers,
    )  # fmt: skip
    extra = len(set(walk.identities) & may) + len({each.identity for each in walk.items} - must - may)
    if walk.total is not None:
        low, high = len(must), len(must) + max(len(may), extra)
        fine = low <= walk.total <= high
        check.holds(fine, f"a total of {low}", f"a total of {walk.total}", *walk.answers[:1])
        same = walk.total == len(set(walk.identities))
        check.holds(same, f"as many items on all pages as the total, {walk.total}",
                    f"{len(set(walk.identities))} items", *walk.answers)  # fmt: skip
    return walk


def is_sure(bench: Bench, name: str, value: Any) -> bool:
    """Whether a server must accept a value that an item has."""
    return sample_values.must_be_accepted(bench.subject.operation.parameters[name], value)


def is_refusable(bench: Bench, asked: Asked) -> bool:
    """Whether a server may refuse one of the values."""
    return not all(is_sure(bench, name, value) for name, values in asked.items() for value in values)


def _without_defaults(bench: Bench, strays: list[Item], asked: Asked, check: Check) -> list[Item]:
    """Leave out items that lack the property, where the server may take its absence for the value asked for.

    The page speaks of defaults that its own examples do not show (facts 5.2), so for a property with listed values
    this is nobody's fault as long as one value only is meant by absence.
    """
    for name, values in asked.items():
        rule = bench.rules.filters[name]
        listed = bench.subject.operation.parameters[name].values
        if rule.op == "eq" and listed and len(values) == 1 and values[0] in listed:
            absent = [item for item in strays if not item.facts[rule.property or ""]]
            meant = bench.absent_means.setdefault(name, values[0]) if absent else None
            if absent and meant == values[0]:
                check.observe(
                    f"{name}={values[0]} keeps items without {rule.property} too, as if that were its default"
                )
                strays = [item for item in strays if item not in absent]
    return strays


def _describe(bench: Bench, item: Item, asked: Asked) -> str:
    parts = []
    for name in asked:
        pointer = bench.rules.filters[name].property or ""
        values = list(texts(item, pointer))
        parts.append(f"{pointer} {_shown(pointer.rpartition('/')[2], values[:3]) if values else 'absent'}")
    return f"item {item.identity} with {', '.join(parts)}"


def _shown(name: str, value: Any) -> str:
    return (
        redaction.MASK if redaction.is_sensitive(name) else ",".join(value) if isinstance(value, tuple) else str(value)
    )
