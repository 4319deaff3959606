"""Relations of sort keys and sort directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise, permutations
from typing import Any, NamedTuple

from metastudio.contract.operation import Order
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck, meaning
from metastudio.tester.relations.list_client import AS_EXPECTED, ListClient, ListItem, Query, Snapshot, raw_values
from metastudio.tester.values import COLLATIONS, ValueKind, ValueType
from metastudio.tester.verdicts import Property

Key = tuple[str, str | None]
"""A sort key with its direction, as the contract writes it; None leaves the direction out."""


class Criterion(NamedTuple):
    """One level of an order. Items without the property are where `nulls` says, as in `Order`, or anywhere."""

    pointer: str
    descending: bool
    type: ValueType
    nulls: str = ""

    def position(self, item: ListItem) -> tuple[int, Any] | None:
        """Return what decides the position of an item, None if the contract leaves it open."""
        values = item.values[self.pointer]
        if not values:
            after = {"first": -1, "last": 1, "low": 1 if self.descending else -1, "high": -1 if self.descending else 1}
            return (after[self.nulls], None) if self.nulls else None
        key = self.type.order_key(values[0])
        return None if key is None else (0, key)


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of each sort key."""
    order = tested.rules.order
    if order is None:
        return

    def of(id_: str, sentence: str, at: str) -> Property:
        return meaning(tested, f"order.{id_}", sentence, tested.location(f"/x-list/order/{at}", order.source))

    for key, pointer in order.keys.items():
        its_line = f"key/values/{key}"
        is_directed = bool(order.direction or order.affix)
        is_stated = tested.value_type(pointer).has_order and order.source != "unstated"
        for word, direction in (("ascending", order.asc), ("descending", order.desc)):
            if is_directed or word.startswith(order.default):
                asked = _shown(query(order, (key, direction)))
                sentence = f"With {asked} the list is in {word} order of {pointer} across all pages."
                if not is_stated:
                    sentence = f"How {asked} orders texts: the contract states no x-collation for {pointer}."
                check = partial(_in_order if is_stated else _observed_order, order, (key, direction))
                yield Relation(of(f"{key}.{word}", sentence, its_line), check, is_stated)
        if order.source == "unstated":
            continue
        if is_directed:
            if query(order, (key, None)) != query(order, (key, _default_direction(order))):
                sentence = f"Without a direction, that of {order.parameter}={key} is {order.default}."
                yield Relation(of(f"{key}.default", sentence, "direction"), partial(_default, order, key))
            sentence = f"{order.desc} is the reverse of {order.asc or 'the plain key'}, with the same items."
            yield Relation(of(f"{key}.reversed", sentence, its_line), partial(_reversed, order, key))
        if order.nulls and is_stated:
            where = {"low": "as the lowest values", "high": "as the highest values"}.get(order.nulls, order.nulls)
            sentence = f"Ordered by {key}, items without {pointer} come {where}."
            yield Relation(of(f"{key}.nulls", sentence, "nulls"), partial(_nulls, order, key))
        if order.ties and is_stated and tested.value_type(order.ties).has_order:
            sentence = f"Items with the same {pointer} are in order of {order.ties} ({order.ties_order})."
            yield Relation(of(f"{key}.ties", sentence, "ties"), partial(_ties, order, key))
    comparable = [key for key, pointer in order.keys.items() if tested.value_type(pointer).has_order]
    if order.several and order.source != "unstated" and len(comparable) > 1:
        sentence = "Ordered by several keys, each key orders the items that are equal in those before it."
        yield Relation(of("several", sentence, "several"), partial(_several, order, comparable))


def query(order: Order, *keys: Key) -> Query:
    """Return the query parameters of an order by one or several keys."""
    affixes = ((key, (direction or "") if order.affix else "") for key, direction in keys)
    texts = [affix + key if order.affix == "prefix" else key + affix for key, affix in affixes]
    value = tuple(texts) if order.several == "repeat" and len(texts) > 1 else order.several.join(texts)
    direction = keys[0][1] if order.direction else None
    return {order.parameter: value, **({order.direction: direction} if order.direction and direction else {})}


def requested(order: Order, given: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the key and the direction that a query asks for, None if it asks for no single known key."""
    asked = {name: given[name] for name in (order.parameter, order.direction) if name and name in given}
    for key in order.keys:
        for direction in (order.desc, order.asc, None):
            if query(order, (key, direction)) == asked:
                return key, direction or _default_direction(order)
    return None


def criteria(order: Order, keys: Sequence[Key], type_of: Callable[[str], ValueType]) -> list[Criterion]:
    """Return the levels of an order by some keys."""
    return [
        Criterion(order.keys[key], (direction or _default_direction(order)) == order.desc, type_of(order.keys[key]))
        for key, direction in keys
    ]


def in_order(levels: Sequence[Criterion], items: Sequence[ListItem]) -> tuple[bool, str]:
    """Whether items are in order, and the first two that are not.

    Items without a sort property may be anywhere, and so may texts whose order the schema does not state.
    """
    placed = [(item, [level.position(item) for level in levels]) for item in items]
    for (left, before), (right, after) in pairwise(each for each in placed if None not in each[1]):
        for level, low, high in zip(levels, before, after, strict=True):
            if low == high:
                continue
            assert low is not None
            assert high is not None
            if low[0] > high[0] or (low[0] == high[0] and (low[1] < high[1] if level.descending else low[1] > high[1])):
                shown = [str(next(raw_values(item, level.pointer), "absent"))[:100] for item in (left, right)]
                return False, f"{shown[0]} (item {left.identity}) before {shown[1]} (item {right.identity})"
            break
    return True, AS_EXPECTED


def _default_direction(order: Order) -> str:
    return order.asc if order.default == "asc" else order.desc


def _directions(order: Order) -> Iterable[str]:
    return dict.fromkeys((order.asc, order.desc) if order.direction or order.affix else (order.asc,))


def _shown(asked: Query) -> str:
    pairs = ((name, value if isinstance(value, str) else "&".join(value)) for name, value in asked.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _need_comparable(client: ListClient, snapshot: Snapshot, pointer: str, check: RelationCheck) -> None:
    """Stop the check unless items differ in a property whose order the contract states."""
    keys = {client.value_type(pointer).order_key(v) for item in snapshot.items.values() for v in item.values[pointer]}
    check.need_order(keys, pointer)
    check.need(len(keys) > 1, f"needs items that differ in {pointer}")


def _in_order(order: Order, key: Key, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer, levels = order.keys[key[0]], criteria(order, [key], client.value_type)
    _need_comparable(client, snapshot, pointer, check)
    expected = f"{pointer} {'ascending' if key[1] == order.asc else 'descending'}"
    _check_order(client, query(order, key), levels, check, expected, max(2, len(snapshot.items) // 4))


def _check_order(
    client: ListClient, asked: Query, levels: Sequence[Criterion], check: RelationCheck, expected: str, *sizes: int
) -> None:
    for size in (client.page_length, *sizes):
        listing = client.fetch_all(asked, size)
        for page in listing.pages:
            fine, seen = in_order(levels, page.items)
            check.holds(fine, expected, seen, page.response, certain=True)
        fine, seen = in_order(levels, listing.items)
        check.holds(fine, f"{expected}, across pages", seen, *listing.responses)


def _nulls(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer = order.keys[key]
    has_value = {bool(item.values[pointer]) for item in snapshot.items.values()}
    check.need(len(has_value) == 2, f"needs items with and without {pointer}")
    for direction in _directions(order):
        levels = [each._replace(nulls=order.nulls) for each in criteria(order, [(key, direction)], client.value_type)]
        expected = f"items without {pointer} {order.nulls}"
        _check_order(client, query(order, (key, direction)), levels, check, expected)


def _ties(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer = order.keys[key]
    values = [item.values[pointer] for item in snapshot.items.values() if item.values[pointer]]
    check.need(len(set(values)) < len(values), f"needs items with the same {pointer}")
    for direction in _directions(order):
        same = direction == order.desc if order.ties_order == "same" else order.ties_order == "desc"
        tie = Criterion(order.ties, same, client.value_type(order.ties))
        levels = [*criteria(order, [(key, direction)], client.value_type), tie]
        _check_order(client, query(order, (key, direction)), levels, check, f"{pointer}, then {order.ties}")


def _several(order: Order, keys: Sequence[str], client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    for first, second in list(permutations(keys, 2))[:6]:
        values = [item.values[order.keys[first]] for item in snapshot.items.values()]
        if len(set(values)) == len(values):
            check.skipped.append(f"needs items with the same {order.keys[first]}")
            continue
        ways = ((order.asc, order.desc), (order.desc, order.asc)) if order.affix else ((None, None),)
        for directions in ways:
            asked = list(zip((first, second), directions, strict=True))
            sent = query(order, *asked)
            if tuple(sorted(sent[order.parameter])) != sent[order.parameter] and order.several == "repeat":
                continue  # a signature sorts the values of a repeated parameter
            levels = criteria(order, asked, client.value_type)
            expected = f"{order.keys[first]}, then {order.keys[second]}"
            _check_order(client, sent, levels, check, expected)


def _observed_order(order: Order, key: Key, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    listing = client.fetch_all(query(order, key))
    for name in COLLATIONS:
        level = Criterion(order.keys[key[0]], key[1] == order.desc, ValueType(ValueKind.TEXT, collation=name))
        fine, seen = in_order([level], listing.items)
        check.observed.append(f"{name}: {'as ordered' if fine else seen}")


def _default(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    _need_comparable(client, snapshot, order.keys[key], check)
    direction = _default_direction(order)
    pages = [client.fetch_page({**query(order, (key, each)), **client.sized()}) for each in (None, direction)]
    absent, said = client.comparable(*pages)
    fine, seen = in_order(criteria(order, [(key, None)], client.value_type), absent.items)
    check.holds(fine, f"{order.default} order", seen, absent.response, certain=True)
    expected = f"the same page as with {_shown(query(order, (key, direction)))}"
    same = absent.identities == said.identities
    check.holds(same, expected, "other items, or another order", absent.response, said.response)


def _reversed(order: Order, key: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer, type_ = order.keys[key], client.value_type(order.keys[key])
    is_short = len(snapshot.items) > 1 and snapshot.complete
    check.need(is_short, "needs two items, and a list that is short enough to compare")
    up, down = (client.fetch_all(query(order, (key, each))) for each in (order.asc, order.desc))
    responses, are_same = (*up.responses, *down.responses), {*up.identities} == {*down.identities} == {*snapshot.items}
    check.holds(are_same, "the same items in both orders", "some items appear in one order only", *responses)
    keys = [[type_.order_key(i.values[pointer][0]) for i in each.items if i.values[pointer]] for each in (up, down)]
    if type_.has_order and None not in (*keys[0], *keys[1]):
        are_same = keys[0] == keys[1][::-1]
        check.holds(are_same, f"the values of {pointer} in reverse order", "other values", *responses)
