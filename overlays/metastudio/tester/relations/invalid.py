"""Relations of invalid values: refused, ignored or clamped, as `invalid` of `x-list` says for each parameter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck
from metastudio.tester.relations.list_client import ListClient, Snapshot, is_refusal
from metastudio.tester.verdicts import Property, Suite

_MADE_UP = "no-such-value"


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relation of each parameter whose invalid values the contract speaks of."""
    rules = tested.rules
    for name, parameter in tested.operation.parameters.items():
        word = rules.when_invalid(name)
        values = invalid_values(tested, name)
        is_fixed = parameter.location != "query" or name in {**rules.constants, **rules.total_when}
        if not word or is_fixed or not values:
            continue
        at = f"/x-list/invalid/{name}" if name in rules.invalid else "/x-list/invalid"
        verb = {"refuse": "is refused", "ignore": "is ignored", "clamp": "counts as the maximum if it is above it"}
        sentence = f"An invalid {name} {verb[word]}." if word in verb else f"The effect of an invalid {name}."
        property_ = Property(tested.name, Suite.MEANING, f"invalid.{name}", sentence, tested.location(at))
        yield Relation(property_, partial(_check, name, word), stated=word != "unstated", filters=(name,))


def invalid_values(tested: OperationUnderTest, name: str) -> dict[str, str | None]:
    """Return invalid values of a query parameter, each with the maximum that it exceeds; None for other values."""
    rules, parameter = tested.rules, tested.operation.parameters[name]
    schema = parameter.schema.get("items", parameter.schema)
    if rules.order and name == rules.order.parameter:
        return {_MADE_UP: None}
    if name == rules.offset and rules.paging.style == "cursor":
        return {_MADE_UP: None}
    if schema.get("type") in ("integer", "number"):
        found: dict[str, str | None] = {_MADE_UP: None}
        if isinstance(schema.get("maximum"), int):
            found[str(schema["maximum"] + 1)] = str(schema["maximum"])
        if isinstance(schema.get("minimum"), int):
            found[str(schema["minimum"] - 1)] = None
        return found
    is_open = schema.get("type") == "string" and "enum" not in schema and "format" not in schema
    return {} if is_open or "anyOf" in schema else {_MADE_UP: None}


def _check(name: str, word: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    size = client.sized(min(10, client.page_length))
    for value, nearest in invalid_values(client.tested, name).items():
        if word == "clamp" and nearest is None:
            continue
        order = client.rules.order
        keyed = {order.parameter: next(iter(order.keys))} if order and name == order.direction and order.keys else {}
        response = client.send({**size, **keyed, name: value})
        seen = f"status {response.status}"
        if word == "unstated":
            check.observe(f"{name}={value}: {seen}")
        elif word == "refuse":
            check.holds(is_refusal(response), f"a refusal of {name}={value}", seen, response, certain=True)
        else:
            kept = {} if name == client.rules.limit else size
            query = {**kept, name: nearest} if nearest and word == "clamp" else kept
            page, plain = client.parse_page(response, counted=True), client.fetch_page(query)
            same = (page.identities, page.total) == (plain.identities, plain.total)
            how = f"the page of {name}={nearest}" if word == "clamp" else f"the page without {name}"
            check.holds(same, how, "other items, or another total", plain.response, response)
    if not check.exercised and not check.observed:
        check.skip(f"the schema of {name} has no maximum")
