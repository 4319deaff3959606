"""Relations that hold for every response, between a list and its show operation, and of invalid values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial

from metastudio import redaction
from metastudio.contract.compiler import below, plain, success_schema
from metastudio.contract.json_pointer import join
from metastudio.tester.forgeries import fake_like
from metastudio.tester.http_client import HttpResponse
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck, meaning
from metastudio.tester.relations.list_client import ListClient, Snapshot, is_refusal, object_with
from metastudio.tester.relations.pages import orders
from metastudio.tester.values import query_text, values_at

REQUEST_ID = re.compile(r"(request|trace|correlation)-?id", re.IGNORECASE)
"""Names of headers with a unique value per response."""
REPEATS = 4
_MADE_UP = "no-such-value"


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations that hold for every response."""
    rules, of, at = tested.rules, partial(meaning, tested), tested.location
    sentence = "The same request gets the same response: the same items and total, in the same order including ties."
    yield Relation(of("repeatable", sentence, at("/x-list/order" if rules.order else "/x-list")), _repeatable)
    once = f"Each {rules.identity} occurs once per response."
    yield Relation(of("identity", once, at("/x-list/identity", rules.sources["identity"])), _identity)
    for parameter, pointer in rules.scope.items():
        sentence = f"The {pointer} of every item equals {parameter} in the path: no items of other tenants."
        location = at(f"/x-list/scope/{parameter}", rules.sources["scope"])
        yield Relation(of(f"scope.{parameter}", sentence, location), partial(_scope, parameter, pointer))
    for status in tested.operation.success:
        pointer, response = tested.response(status) or ("", {})
        for name, raw in response.get("headers", {}).items():
            header, place = tested.document.resolve(raw, f"{pointer}/headers/{name}")
            if header.get("required") and REQUEST_ID.search(name):
                sentence = f"Every success response has a unique {name}."
                yield Relation(of(f"header.{name}", sentence, tested.location_at(place)), partial(_request_ids, name))


def show_relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations between a list and the operation that shows one of its items."""
    show, of = tested.show, partial(meaning, tested)
    body = success_schema(tested.document, show.pointer) if show else None
    if show is None or not body or not _has_item(tested, body[1]):
        return
    parameters = show.operation.parameters.values()
    needed = {p.name for p in parameters if p.required} - {show.operation.item_parameter}
    if not needed <= {name for where, name in tested.parameter_pointers if where == "path"}:
        return
    sentence = f"{show.name} returns the item with the values that the list has."
    yield Relation(of("show.same", sentence, show.location("/responses")), partial(_shown, show))
    if show.document.at(f"{show.pointer}/responses/404") is not None:
        sentence = f"{show.name} answers 404 to an unknown ID."
        yield Relation(of("show.unknown", sentence, show.location("/responses/404")), partial(_unknown, show))


def _has_item(tested: OperationUnderTest, schema: str) -> bool:
    """Whether a schema has the identity of the list's items, at most one level down."""
    places = ["", *(join([name]) for name in plain(tested.document, schema).get("properties", {}))]
    return any(below(tested.document, schema, f"{at}{tested.rules.identity}") is not None for at in places)


def _shown(show: OperationUnderTest, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    items = list(snapshot.items.values())
    check.need(items, "needs an item")
    for index in sorted({0, len(items) // 2, len(items) - 1}):
        listed = items[index]
        response = _send_show(show, client, query_text(json.loads(listed.identity)))
        expected = f"item {listed.identity}, which is in the list"
        if not check.holds(response.status in show.operation.success, expected, f"status {response.status}", response):
            continue
        shown = client.parse_item(object_with(response, client.rules.identity or ""), response)
        other = [at for at in client.pointers if shown.values[at] and shown.values[at] != (listed.values[at] or None)]
        other += ["its identity"] if shown.identity != listed.identity else []
        expected = f"the values that item {listed.identity} has in the list"
        check.holds(not other, expected, f"other values of {', '.join(other)}", *snapshot.responses[:1], response)


def _unknown(show: OperationUnderTest, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    check.need(snapshot.items, "needs an item, to make up an ID of the same form")
    response = _send_show(show, client, fake_like(query_text(json.loads(next(iter(snapshot.items))))))
    check.holds(response.status == 404, "status 404, as there is no such item", f"status {response.status}", response)


def _send_show(show: OperationUnderTest, client: ListClient, identity: str) -> HttpResponse:
    values = {**client.path_values, show.operation.item_parameter or "": identity}
    return client.http.send(show.path_with(values))


def _repeatable(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    check.need(snapshot.items, "needs an item")
    for query in list(orders(client)):
        first, *others = client.comparable(*(client.fetch_page({**query, **client.sized()}) for _ in range(REPEATS)))
        for page in others:
            responses, same = (first.response, page.response), page.identities == first.identities
            seen = "other items" if set(page.identities) != set(first.identities) else "another order"
            check.holds(same, "the same items in the same order", seen, *responses)
            check.holds(page.total == first.total, f"the same total, {first.total}", f"{page.total}", *responses)
            same = [item.values for item in page.items] == [item.values for item in first.items]
            check.holds(same, "the same values in the items", "other values", *responses)


def _identity(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    for page in client.pages:
        repeated = [each for each, count in Counter(page.identities).items() if count > 1]
        if page.items:
            expected, seen = "each item once", f"{min(repeated, default='')} more than once"
            check.holds(not repeated, expected, seen, page.response, certain=True)
    check.need(check.exercised, "needs an item")


def _scope(parameter: str, pointer: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    own, masked, holds = client.path_values[parameter], 0, partial(check.holds, certain=True)
    for page in client.pages:
        values = [str(value) for item in page.items for value in values_at(item.raw, pointer)]
        without = sum(not values_at(item.raw, pointer) for item in page.items)
        masked += sum(not value.strip("*") for value in values)
        foreign = next((value for value in values if value != own and value.strip("*")), None)
        if page.items:
            holds(foreign is None, f"{pointer} {own} in every item", f"{pointer} {foreign}", page.response)
            holds(not without, f"{pointer} in every item", f"{without} items without it", page.response)
    if masked:
        check.observed.append(f"{masked} items have a masked {pointer} (asterisks), which cannot be compared")
    check.need(check.exercised, "needs an item")


def _request_ids(name: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    seen = set[str]()
    for page in client.pages:
        value = page.response.headers.get(name)
        check.holds(bool(value), f"header {name}", "missing or empty", page.response, certain=True)
        if value:
            repeated = f"{redaction.mask(value)}, as in an earlier response"
            check.holds(value not in seen, f"a unique {name}", repeated, page.response, certain=True)
            seen.add(value)


def invalid_relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relation of each parameter whose invalid values the contract speaks of."""
    rules = tested.rules
    for name, parameter in tested.operation.parameters.items():
        word = rules.when_invalid(name)
        is_fixed = parameter.location != "query" or name in {**rules.constants, **rules.total_when}
        if not word or is_fixed or not _invalid_values(tested, name):
            continue
        location = tested.location(f"/x-list/invalid/{name}" if name in rules.invalid else "/x-list/invalid")
        verb = {"refuse": "is refused", "ignore": "is ignored", "clamp": "counts as the maximum if it is above it"}
        sentence = f"An invalid {name} {verb[word]}." if word in verb else f"The effect of an invalid {name}."
        check = partial(_invalid, name, word)
        property_ = meaning(tested, f"invalid.{name}", sentence, location)
        yield Relation(property_, check, stated=word != "unstated", filters=(name,))


def _invalid_values(tested: OperationUnderTest, name: str) -> dict[str, str | None]:
    """Return invalid values of a query parameter, each with the maximum that it exceeds; None for other values."""
    rules, parameter = tested.rules, tested.operation.parameters[name]
    schema, made_up = parameter.schema.get("items", parameter.schema), dict[str, str | None].fromkeys([_MADE_UP])
    is_cursor = name == rules.offset and rules.paging.style == "cursor"
    if is_cursor or (rules.order and name == rules.order.parameter):
        return made_up
    if schema.get("type") in ("integer", "number"):
        least, most = schema.get("minimum"), schema.get("maximum")
        above = {str(most + 1): str(most)} if isinstance(most, int) else {}
        return {**made_up, **above, **({str(least - 1): None} if isinstance(least, int) else {})}
    is_open = schema.get("type") == "string" and "enum" not in schema and "format" not in schema
    return {} if is_open or "anyOf" in schema else made_up


def _invalid(name: str, word: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    size, order = client.sized(min(10, client.page_length)), client.rules.order
    keyed = {order.parameter: next(iter(order.keys))} if order and name == order.direction and order.keys else {}
    for value, nearest in _invalid_values(client.tested, name).items():
        if word == "clamp" and nearest is None:
            continue
        response = client.send({**size, **keyed, name: value})
        seen = f"status {response.status}"
        if word == "unstated":
            check.observed.append(f"{name}={value}: {seen}")
        elif word == "refuse":
            check.holds(is_refusal(response), f"a refusal of {name}={value}", seen, response, certain=True)
        else:
            kept = {} if name == client.rules.limit else size
            query = {**kept, name: nearest} if nearest and word == "clamp" else kept
            whole = client.parse_page(response, counted=True)
            page, plainly = client.comparable(whole, client.fetch_page(query))
            is_long = name == client.rules.limit and word == "clamp" and len(whole.items) > int(nearest or 0)
            same = not is_long and (page.identities, page.total) == (plainly.identities, plainly.total)
            how = f"the page of {name}={nearest}" if word == "clamp" else f"the page without {name}"
            check.holds(same, how, "other items, or another total", plainly.response, response)
    check.need(check.exercised or check.observed, f"the schema of {name} has no maximum")
