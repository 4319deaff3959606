"""Relations of sort keys and sort directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from metastudio.contract.operation import Order
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import NO_ZONE, Relation, RelationCheck
from metastudio.tester.relations.list_client import (
    AS_EXPECTED,
    ListClient,
    ListItem,
    Query,
    Snapshot,
    raw_values,
)
from metastudio.tester.values import COLLATIONS, ValueKind, ValueType
from metastudio.tester.verdicts import Property, Suite


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of each sort key."""
    order = tested.rules.order
    if order is None:
        return
    for key, pointer in order.keys.items():
        location = tested.location(f"/x-list/order/key/values/{key}", order.source)

        def of(id_: str, sentence: str, location: Any = location, key: str = key) -> Property:
            return Property(tested.name, Suite.MEANING, f"order.{key}.{id_}", sentence, location)

        which, is_stated = f"{order.parameter}={key}", tested.value_type(pointer).has_order
        for word, value in (("ascending", order.asc), ("descending", order.desc)):
            if order.direction or value == order.default:
                asked = f"{which}&{order.direction}={value}" if order.direction else which
                sentence = f"With {asked} the list is in {word} order of {pointer} across all pages."
                if is_stated:
                    yield Relation(of(word, sentence), partial(_in_order, order, key, value))
                else:
                    sentence = f"How {asked} orders texts: the contract states no x-collation for {pointer}."
                    yield Relation(of(word, sentence), partial(_observed_order, order, key, value), stated=False)
        if order.direction:
            sentence = f"Without {order.direction}, the direction of {which} is {order.default}."
            location = tested.location("/x-list/order/direction", order.source)
            yield Relation(of("default", sentence, location), partial(_default, order, key))
            yield Relation(
                of("reversed", f"{order.desc} is the reverse of {order.asc}, with the same items."),
                partial(_reversed, order, key),
            )


def query(order: Order, key: str, direction: str | None) -> Query:
    """Return the query parameters of an order."""
    return {order.parameter: key, **({order.direction: direction} if order.direction and direction else {})}


def in_order(order: Order, key: str, direction: str, items: Sequence[ListItem], type_: ValueType) -> tuple[bool, str]:
    """Whether items are in order, and the first two that are not.

    Items without the sort property may be anywhere, and so may texts whose order the schema does not state.
    """
    pointer = order.keys[key]
    keys = ((item, type_.order_key(item.values[pointer][0])) for item in items if item.values[pointer])
    for (left, low), (right, high) in pairwise((item, each) for item, each in keys if each is not None):
        if low > high if direction == order.asc else low < high:
            shown = [_shown(next(raw_values(item, pointer))) for item in (left, right)]
            return False, f"{shown[0]} (item {left.identity}) before {shown[1]} (item {right.identity})"
    return True, AS_EXPECTED


def _shown(value: Any) -> str:
    return str(value)[:100]


def _is_comparable(client: ListClient, snapshot: Snapshot, pointer: str, check: RelationCheck) -> bool:
    """Whether items differ in a property whose order the contract states."""
    keys = {client.value_type(pointer).order_key(v) for item in snapshot.items.values() for v in item.values[pointer]}
    if keys == {None}:
        check.leave_open(NO_ZONE.format(pointer))
    elif len(keys) < 2:
        check.skip(f"needs items that differ in {pointer}")
    return len(keys) > 1


def _in_order(
    order: Order, key: str, direction: str, client: ListClient, snapshot: Snapshot, check: RelationCheck
) -> None:
    if not _is_comparable(client, snapshot, order.keys[key], check):
        return
    asked, type_ = query(order, key, direction), client.value_type(order.keys[key])
    expected = f"{order.keys[key]} {'ascending' if direction == order.asc else 'descending'}"
    for size in (client.page_length, max(2, len(snapshot.items) // 4)):
        listing = client.fetch_all(asked, size)
        for page in listing.pages:
            fine, seen = in_order(order, key, direction, page.items, type_)
            check.holds(fine, expected, seen, page.response, certain=True)
        fine, seen = in_order(order, key, direction, listing.items, type_)
        check.holds(fine, f"{expected}, across pages", seen, *listing.responses)
    return


def _observed_order(
    order: Order, key: str, direction: str, client: ListClient, snapshot: Snapshot, check: RelationCheck
) -> None:
    listing = client.fetch_all(query(order, key, direction))
    for name in COLLATIONS:
        type_ = ValueType(ValueKind.TEXT, collation=name)
        fine, seen = in_order(order, key, direction, listing.items, type_)
        check.observe(f"{name}: {'as ordered' if fine else seen}")


def _default(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    if not _is_comparable(client, snapshot, order.keys[key], check):
        return
    direction = order.asc if order.default == "asc" else order.desc
    absent = client.fetch_page({**query(order, key, None), client.rules.limit: str(client.page_length)})
    said = client.fetch_page({**query(order, key, direction), client.rules.limit: str(client.page_length)})
    fine, seen = in_order(order, key, direction, absent.items, client.value_type(order.keys[key]))
    check.holds(fine, f"{order.default} order", seen, absent.response, certain=True)
    check.holds(absent.identities == said.identities, f"the same page as with {order.direction}={direction}",
                "other items, or another order", absent.response, said.response)  # fmt: skip
    return


def _reversed(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer = order.keys[key]
    if len(snapshot.items) < 2 or not snapshot.complete:
        return check.skip("needs two items, and a list that is short enough to compare")
    up, down = (client.fetch_all(query(order, key, each)) for each in (order.asc, order.desc))
    same = set(up.identities) == set(down.identities) == set(snapshot.items)
    check.holds(
        same, "the same items in both orders", "some items appear in one order only", *up.responses, *down.responses
    )
    if not client.value_type(pointer).has_order:
        return None
    keys = [[item.values[pointer] for item in listing.items if item.values[pointer]] for listing in (up, down)]
    check.holds(keys[0] == keys[1][::-1], f"the values of {pointer} in reverse order", "other values",
                *up.responses, *down.responses)  # fmt: skip
    return None
