"""What a sort key promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from metastudio.contract.operation import Order
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations.judge import Check, Relation
from metastudio.tester.relations.list_client import Bench, Item, Query, Snapshot
from metastudio.tester.verdicts import Property, Suite


def relations(subject: Subject) -> Iterator[Relation]:
    """Yield the relations of order, for each key that the contract names."""
    order = subject.rules.order
    if order is None:
        return
    for key, pointer in order.keys.items():
        place = subject.place(f"/x-list/order/key/values/{key}", order.source)

        def of(id_: str, sentence: str, place: Any = place, key: str = key) -> Property:
            return Property(subject.name, Suite.MEANING, f"order.{key}.{id_}", sentence, place)

        which = f"{order.parameter}={key}"
        for word, value in (("ascending", order.asc), ("descending", order.desc)):
            if order.direction or value == order.default:
                asked = f"{which}&{order.direction}={value}" if order.direction else which
                sentence = f"With {asked} the list is in {word} order of {pointer}, on all pages."
                yield Relation(of(word, sentence), partial(_in_order, order, key, value))
        if order.direction:
            sentence = f"Without {order.direction}, {which} means {order.default}."
            place = subject.place("/x-list/order/direction", order.source)
            yield Relation(of("default", sentence, place), partial(_default, order, key))
            yield Relation(
                of("reversed", f"{order.desc} is {order.asc} turned round, with the same items."),
                partial(_reversed, order, key),
            )


def query(order: Order, key: str, direction: str | None) -> Query:
    """Return the parameters that ask for an order."""
    return {order.parameter: key, **({order.direction: direction} if order.direction and direction else {})}


def in_order(order: Order, key: str, direction: str, items: Sequence[Item]) -> tuple[bool, str]:
    """Whether items are in an order, and the first two that are not. Items without the key may stand anywhere."""
    pointer = order.keys[key]
    known = [item for item in items if item.facts[pointer] and item.facts[pointer][0] is not None]
    wrong: Callable[[Any, Any], bool] = (lambda a, b: a > b) if direction == order.asc else (lambda a, b: a < b)
    for left, right in pairwise(known):
        if wrong(left.facts[pointer][0], right.facts[pointer][0]):
            return False, f"item {left.identity} stands before item {right.identity}"
    return True, "just that"


def _in_order(order: Order, key: str, direction: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    if len({item.facts[order.keys[key]] for item in snapshot.items.values()}) < 2:
        return check.skip(f"needs items that differ in {order.keys[key]}")
    asked = query(order, key, direction)
    expected = f"{order.keys[key]} {'ascending' if direction == order.asc else 'descending'}"
    for size in (bench.page_length, max(2, len(snapshot.items) // 4)):
        walk = bench.walk(asked, size)
        for page in walk.pages:
            fine, seen = in_order(order, key, direction, page.items)
            check.holds(fine, expected, seen, page.answer, certain=True)
        fine, seen = in_order(order, key, direction, walk.items)
        check.holds(fine, f"{expected}, from page to page too", seen, *walk.answers)
    return None


def _default(order: Order, key: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    if len({item.facts[order.keys[key]] for item in snapshot.items.values()}) < 2:
        return check.skip(f"needs items that differ in {order.keys[key]}")
    direction = order.asc if order.default == "asc" else order.desc
    absent = bench.ask({**query(order, key, None), bench.rules.limit: str(bench.page_length)})
    said = bench.ask({**query(order, key, direction), bench.rules.limit: str(bench.page_length)})
    fine, seen = in_order(order, key, direction, absent.items)
    check.holds(fine, f"the order {order.default}", seen, absent.answer, certain=True)
    check.holds(absent.identities == said.identities, f"the same page as with {order.direction}={direction}",
                "other items, or another order", absent.answer, said.answer)  # fmt: skip
    return None


def _reversed(order: Order, key: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    pointer = order.keys[key]
    if len(snapshot.items) < 2 or not snapshot.whole:
        return check.skip("needs two items, and a list that is not too long")
    up, down = (bench.walk(query(order, key, each)) for each in (order.asc, order.desc))
    same = set(up.identities) == set(down.identities) == set(snapshot.items)
    check.holds(
        same, "the same items, whatever the order", "some are there in one order only", *up.answers, *down.answers
    )
    keys = [[item.facts[pointer] for item in walk.items if item.facts[pointer]] for walk in (up, down)]
    check.holds(keys[0] == keys[1][::-1], f"the values of {pointer} in the opposite order", "other ones",
                *up.answers, *down.answers)  # fmt: skip
    return None
