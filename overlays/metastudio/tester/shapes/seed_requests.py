"""Seed requests: values that each parameter must accept or refuse, and queries that match items of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.list_client import ListClient, Snapshot, raw_values
from metastudio.tester.relations.orders import query as ordered
from metastudio.tester.shapes import request_validity
from metastudio.tester.shapes.request_validity import Validity

CANDIDATES = (
    "-1", "0", "1", "2", "abc", "1.5", "12abc", "sideways", "maybe", "true", "yesterday", "not a time",
    "2023-13-01T00:00:00Z", "2023-12-01T00:00:00Z", "plain-Text_1",
)  # fmt: skip
"""Values that are valid for one type of parameter and invalid for another."""
TEXT_PROBES = ("a'b", 'a"b', "a\\b", "a;b", "a%b", "a_b", "a\0b", "a\N{GRINNING FACE}b", "a" * 5000)
"""Texts that break servers which quote, escape, decode or store them wrongly."""
INTEGER_PROBES = (str(10**30),)
MAX_SEED_QUERIES, MAX_VALID_VALUES = 40, 24
Pairs = list[tuple[str, str]]


def seed_requests(tested: OperationUnderTest) -> Iterator[Pairs]:
    """Yield queries with valid, invalid and probing values of each parameter, one parameter at a time."""
    needed = required_query(tested)
    yield needed
    rules = tested.operation.list_rules
    for where, name in tested.parameter_pointers:
        if where != "query":
            continue
        parameter = tested.operation.parameters[name]
        extra = [each for each in needed if each[0] != name]
        if rules and rules.order and name == rules.order.direction:
            extra += [(rules.order.parameter, next(iter(rules.order.keys)))]
        largest = [str(rules.max_limit)] if rules and name == rules.limit and rules.max_limit else []
        tried = dict.fromkeys((*parameter.values, *largest, *CANDIDATES))
        validities = {text: request_validity.assess(tested, [*extra, (name, text)]).validity for text in tried}
        valid = [text for text in tried if validities[text] is Validity.VALID]
        invalid = [text for text in tried if validities[text] is Validity.INVALID]
        if name in tested.unstated:
            valid = [text for text in tried if request_validity.fits(tested, name, text)]
        for text in dict.fromkeys((*valid[:MAX_VALID_VALUES], *invalid, *_probes(parameter))):
            yield [*extra, (name, text)]
        if parameter.is_array and parameter.joined and len(parameter.values) > 1:
            yield [*extra, (name, ",".join(parameter.values))]
    yield [*needed, ("x-unknown-parameter", "1")]


def _probes(parameter: Parameter) -> tuple[str, ...]:
    schema = parameter.schema.get("items", parameter.schema)
    kinds = {each.get("type", "string") for each in schema.get("anyOf", [schema])}
    return (TEXT_PROBES if "string" in kinds else ()) + (INTEGER_PROBES if "integer" in kinds else ())


def required_query(tested: OperationUnderTest) -> Pairs:
    """Return a value for each required query parameter: the example in the contract, or a valid value."""
    found: Pairs = []
    rules = tested.operation.list_rules
    constants = {**rules.constants, **rules.total_when} if rules else {}
    for (where, name), at in tested.parameter_pointers.items():
        parameter = tested.operation.parameters[name]
        if where == "query" and name in constants:
            found.append((name, constants[name]))
        elif where == "query" and parameter.required:
            tried = [text for text in CANDIDATES if request_validity.fits(tested, name, text)]
            found.append((name, _example(tested, at) or [*parameter.values, *tried, "1"][0]))
    return found


def required_headers(tested: OperationUnderTest) -> Pairs:
    """Return a value for each required header and cookie, and what the operation accepts unless it is plain JSON."""
    headers: Pairs = []
    cookies: list[str] = []
    for (where, name), at in tested.parameter_pointers.items():
        parameter = tested.operation.parameters[name]
        if where in ("header", "cookie") and parameter.required:
            is_number = parameter.schema.get("type") in ("integer", "number")
            value = _example(tested, at) or [*parameter.values, "1" if is_number else "plain-Text_1"][0]
            headers += [(name, value)] if where == "header" else []
            cookies += [f"{name}={value}"] if where == "cookie" else []
    headers += [("Cookie", "; ".join(cookies))] if cookies else []
    return [*headers, *([("Accept", tested.accept)] if tested.accept != "application/json" else [])]


def _example(tested: OperationUnderTest, at: str) -> str:
    """Return the example of a parameter, "" for none."""
    raw = tested.document.at(at) or {}
    example = raw.get("example", (raw.get("schema") or {}).get("example"))
    return "" if example is None else str(example)


def valid_query(tested: OperationUnderTest) -> Pairs:
    """Return a valid query, empty if no parameter has a value that is certainly valid."""
    return next(
        (q for q in seed_requests(tested) if q and request_validity.assess(tested, q).validity is Validity.VALID), []
    )


def probing_query(tested: OperationUnderTest) -> Pairs:
    """Return a valid query that has a short response."""
    if not tested.is_list:
        return valid_query(tested)
    needed = [each for each in required_query(tested) if each[0] != tested.rules.limit]
    return [*needed, (tested.rules.limit, str(tested.shortest_page))]


def seed_queries(client: ListClient | None, snapshot: Snapshot | None, seed: int) -> Iterator[Mapping[str, Any]]:
    """Yield queries that match items: one or two filters with values of an item, sometimes with order and page."""
    if client is None or snapshot is None or not snapshot.items:
        return
    random, rules = Random(seed), client.rules  # noqa: S311 - spreads requests, no secret
    items, parameters = list(snapshot.items.values()), client.tested.operation.parameters
    for _ in range(MAX_SEED_QUERIES):
        item, query = random.choice(items), dict[str, Any]()
        filters = [r for r in rules.filters.values() if r.op in ("eq", "ge", "le") and not r.template]
        stated = [r for r in filters if item.values[r.property or ""]]
        for rule in random.sample(stated, min(len(stated), random.choice((1, 1, 2)))):
            value = next(sample_values.sendable(raw_values(item, rule.property or "")), None)
            if value is not None and sample_values.must_accept(parameters[rule.parameter], [value]):
                query[rule.parameter] = [value] if parameters[rule.parameter].is_array else value
        if rules.order and random.random() < 0.6:
            key, direction = random.choice(list(rules.order.keys)), random.choice((rules.order.asc, rules.order.desc))
            query |= ordered(rules.order, (key, direction))
        if random.random() < 0.5:
            size, page = random.randint(client.shortest, client.page_length), random.randint(0, 3)
            query[rules.limit] = size
            if client.pager.is_random:
                query[rules.offset] = rules.paging.first + page * (rules.paging.stride or size)
        yield query
