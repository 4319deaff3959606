"""Requests made on purpose: values that each parameter must accept or refuse, and queries that meet items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.list_client import Bench, Snapshot, texts
from metastudio.tester.shapes import requests
from metastudio.tester.shapes.requests import Reading

CANDIDATES = (
    "-1", "0", "1", "2", "abc", "1.5", "12abc", "sideways", "maybe", "true", "yesterday", "not a time",
    "2023-13-01T00:00:00Z", "2023-12-01T00:00:00Z", "plain-Text_1",
)  # fmt: skip
"""Values that mean something for one type of parameter and nothing for another."""
MOST_AIMS, MOST_ACCEPTED = 40, 24
Pairs = list[tuple[str, str]]


def made(subject: Subject) -> Iterator[Pairs]:
    """Yield requests for each parameter: values that it must accept, and values that it must refuse."""
    yield []
    rules = subject.operation.list_rules
    for where, name in subject.parameter_places:
        if where != "query":
            continue
        parameter = subject.operation.parameters[name]
        extra: Pairs = []
        if rules and rules.order and name == rules.order.direction:
            extra = [(rules.order.parameter, next(iter(rules.order.keys)))]
        largest = [str(rules.max_limit)] if rules and name == rules.limit and rules.max_limit else []
        tried = dict.fromkeys((*parameter.values, *largest, *CANDIDATES))
        readings = {text: requests.judge(subject, [*extra, (name, text)]).reading for text in tried}
        promised = [text for text in tried if readings[text] is Reading.PROMISED]
        forbidden = [text for text in tried if readings[text] is Reading.FORBIDDEN]
        for text in [*promised[:MOST_ACCEPTED], *forbidden]:
            yield [*extra, (name, text)]
        if parameter.is_array and parameter.joined and len(parameter.values) > 1:
            yield [*extra, (name, ",".join(parameter.values))]
    yield [("x-unknown-parameter", "1")]


def required_query(subject: Subject) -> Pairs:
    """Return a value for each query parameter that must be there: the contract's example, or one it allows."""
    found: Pairs = []
    for (where, name), at in subject.parameter_places.items():
        parameter = subject.operation.parameters[name]
        if where == "query" and parameter.required:
            tried = [text for text in CANDIDATES if requests.judge(subject, [(name, text)]).reading is Reading.PROMISED]
            example = (subject.document.at(at) or {}).get("example")
            found.append((name, str(example) if example is not None else [*parameter.values, *tried, "1"][0]))
    return found


def a_right_query(subject: Subject) -> Pairs:
    """Return a query that the contract allows, empty where it has no parameter that is sure to be accepted."""
    return next((q for q in made(subject) if q and requests.judge(subject, q).reading is Reading.PROMISED), [])


def aims(bench: Bench | None, snapshot: Snapshot | None, seed: int) -> Iterator[Mapping[str, Any]]:
    """Yield queries that meet items: one or two filters with values of an item, perhaps in order, perhaps a page."""
    if bench is None or snapshot is None or not snapshot.items:
        return
    random, rules = Random(seed), bench.rules  # noqa: S311 - spreads requests, no secret
    items, parameters = list(snapshot.items.values()), bench.subject.operation.parameters
    for _ in range(MOST_AIMS):
        item, aim = random.choice(items), dict[str, Any]()
        stated = [r for r in rules.filters.values() if r.op in ("eq", "ge", "le") and item.facts[r.property or ""]]
        for rule in random.sample(stated, min(len(stated), random.choice((1, 1, 2)))):
            value = next(texts(item, rule.property or ""))
            if sample_values.must_be_accepted(parameters[rule.parameter], value):
                aim[rule.parameter] = [value] if parameters[rule.parameter].is_array else value
        if rules.order and random.random() < 0.6:
            aim[rules.order.parameter] = random.choice(list(rules.order.keys))
            if rules.order.direction:
                aim[rules.order.direction] = random.choice((rules.order.asc, rules.order.desc))
        if random.random() < 0.5:
            aim |= {rules.limit: random.randint(1, bench.page_length), rules.offset: random.randint(0, 3)}
        yield aim
