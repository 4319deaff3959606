"""Relations that hold for every response and every item."""

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
from metastudio.tester.relations.judge import Relation, RelationCheck
from metastudio.tester.relations.list_client import ListClient, Snapshot, object_with
from metastudio.tester.relations.pagers import Query
from metastudio.tester.relations.pages import orders
from metastudio.tester.values import query_text, values_at
from metastudio.tester.verdicts import Property, Suite

REQUEST_ID = re.compile(r"(request|trace|correlation)-?id", re.IGNORECASE)
"""Names of headers with a unique value per response."""
REPEATS = 4


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations that hold for every response."""
    rules = tested.rules

    def of(id_: str, sentence: str, at: str, source: str = "page") -> Property:
        return Property(tested.name, Suite.MEANING, id_, sentence, tested.location(at, source))

    sentence = "The same request gets the same response: the same items and total, in the same order including ties."
    yield Relation(of("repeatable", sentence, "/x-list/order" if rules.order else "/x-list"), _repeatable)
    once = f"Each {rules.identity} occurs once per response."
    yield Relation(of("identity", once, "/x-list/identity", rules.sources["identity"]), _identity)
    for parameter, pointer in rules.scope.items():
        sentence = f"The {pointer} of every item equals {parameter} in the path: no items of other tenants."
        at = f"/x-list/scope/{parameter}"
        yield Relation(
            of(f"scope.{parameter}", sentence, at, rules.sources["scope"]), partial(_scope, parameter, pointer)
        )
    for status in tested.operation.success:
        found = tested.response(status)
        for name, raw in (found[1].get("headers", {}) if found else {}).items():
            header, at = tested.document.resolve(raw, f"{found[0] if found else ''}/headers/{name}")
            if header.get("required") and REQUEST_ID.search(name):
                sentence = f"Every success response has a unique {name}."
                location = tested.location_at(at)
                property_ = Property(tested.name, Suite.MEANING, f"header.{name}", sentence, location)
                yield Relation(property_, partial(_request_ids, name))


def show_relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations between a list and the operation that shows one of its items."""
    show = tested.show
    body = success_schema(tested.document, show.pointer) if show else None
    if show is None or not body or not _has_item(tested, body[1]):
        return
    parameters = show.operation.parameters.values()
    needed = {p.name for p in parameters if p.required} - {show.operation.item_parameter}
    if not needed <= {name for where, name in tested.parameter_pointers if where == "path"}:
        return
    sentence = f"{show.name} returns the item with the values that the list has."
    property_ = Property(tested.name, Suite.MEANING, "show.same", sentence, show.location("/responses"))
    yield Relation(property_, partial(_shown, show))
    if show.document.at(f"{show.pointer}/responses/404") is not None:
        sentence = f"{show.name} answers 404 to an unknown ID."
        property_ = Property(tested.name, Suite.MEANING, "show.unknown", sentence, show.location("/responses/404"))
        yield Relation(property_, partial(_unknown, show))


def _has_item(tested: OperationUnderTest, schema: str) -> bool:
    """Whether a schema has the identity of the list's items, at most one level down."""
    places = ["", *(join([name]) for name in plain(tested.document, schema).get("properties", {}))]
    return any(below(tested.document, schema, f"{at}{tested.rules.identity}") is not None for at in places)


def _shown(show: OperationUnderTest, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    items = list(snapshot.items.values())
    if not items:
        return check.skip("needs an item")
    for index in sorted({0, len(items) // 2, len(items) - 1}):
        listed = items[index]
        response = _send_show(show, client, query_text(json.loads(listed.identity)))
        expected = f"item {listed.identity}, which is in the list"
        if not check.holds(response.status in show.operation.success, expected, f"status {response.status}", response):
            continue
        found = object_with(response.json, client.rules.identity or "") if response.is_json else None
        shown = client.parse_item(found, response)
        other = [at for at in client.pointers if shown.values[at] and shown.values[at] != (listed.values[at] or None)]
        other += ["its identity"] if shown.identity != listed.identity else []
        expected = f"the values that item {listed.identity} has in the list"
        seen = f"other values of {', '.join(other)}"
        check.holds(not other, expected, seen, *snapshot.responses[:1], response)
    return None


def _unknown(show: OperationUnderTest, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    if not snapshot.items:
        return check.skip("needs an item, to make up an ID of the same form")
    known = query_text(json.loads(next(iter(snapshot.items))))
    response = _send_show(show, client, fake_like(known))
    check.holds(response.status == 404, "status 404, as there is no such item", f"status {response.status}", response)
    return None


def _send_show(show: OperationUnderTest, client: ListClient, identity: str) -> HttpResponse:
    values = {**client.path_values, show.operation.item_parameter or "": identity}
    return client.http.send(show.path_with(values))


def _repeatable(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    if not snapshot.items:
        return check.skip("needs an item")
    queries: list[Query] = list(orders(client))
    for query in queries:
        pages = [client.fetch_page({**query, **client.sized()}) for _ in range(REPEATS)]
        for page in pages[1:]:
            same = page.identities == pages[0].identities
            seen = "other items" if set(page.identities) != set(pages[0].identities) else "another order"
            check.holds(same, "the same items in the same order", seen, pages[0].response, page.response)
            same = page.total == pages[0].total
            check.holds(same, f"the same total, {pages[0].total}", f"{page.total}", pages[0].response, page.response)
            same = [item.values for item in page.items] == [item.values for item in pages[0].items]
            check.holds(same, "the same values in the items", "other values", pages[0].response, page.response)
    return None


def _identity(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    for page in client.pages:
        repeated = [each for each, count in Counter(page.identities).items() if count > 1]
        if page.items:
            expected, seen = "each item once", f"{min(repeated, default='')} more than once"
            check.holds(not repeated, expected, seen, page.response, certain=True)
    if not check.exercised:
        check.skip("needs an item")


def _scope(parameter: str, pointer: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    own, masked = client.path_values[parameter], 0
    for page in client.pages:
        values = [str(value) for item in page.items for value in values_at(item.raw, pointer)]
        without = sum(not values_at(item.raw, pointer) for item in page.items)
        masked += sum(not value.strip("*") for value in values)
        foreign = next((value for value in values if value != own and value.strip("*")), None)
        if page.items:
            check.holds(
                foreign is None, f"{pointer} {own} in every item", f"{pointer} {foreign}", page.response, certain=True
            )
            check.holds(
                not without, f"{pointer} in every item", f"{without} items without it", page.response, certain=True
            )
    if masked:
        check.observe(f"{masked} items have a masked {pointer} (asterisks), which cannot be compared")
    if not check.exercised:
        check.skip("needs an item")


def _request_ids(name: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    seen: dict[str, str] = {}
    for page in client.pages:
        value = page.response.headers.get(name)
        check.holds(bool(value), f"header {name}", "missing or empty", page.response, certain=True)
        if value:
            new = value not in seen
            commands = page.response
            shown = redaction.mask(value)
            check.holds(new, f"a unique {name}", f"{shown}, as in an earlier response", commands, certain=True)
            seen[value] = page.response.url
