"""What each filter keeps: exactly the items that compare as the contract says, and the total counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_assertions import Asked, compare, expected, is_refusable, is_sure, query_of
from metastudio.tester.relations.judge import Check, Relation
from metastudio.tester.relations.list_client import Bench, Item, Query, Snapshot, UnexpectedError, texts
from metastudio.tester.relations.orders import in_order
from metastudio.tester.relations.orders import query as ordered
from metastudio.tester.values import is_time
from metastudio.tester.verdicts import Property, Suite

MOST_PAIRS = 24
_WORDS = {
    "eq": "is", "ne": "is not", "ge": "is at least", "gt": "is above", "le": "is at most", "lt": "is below",
    "substring": "contains", "prefix": "starts with", "exists": "is there or not, as",
}  # fmt: skip


def relations(subject: Subject) -> Iterator[Relation]:
    """Yield the relations of each filter, and of filters together."""
    rules, stated = subject.rules, list[Filter]()
    for name, rule in rules.filters.items():
        place = subject.place(f"/x-list/filters/{name}", rule.source)

        def of(part: str, sentence: str, name: str = name, place: Any = place) -> Property:
            return Property(subject.name, Suite.MEANING, f"filter.{name}{part}", sentence, place)

        if rule.op == "unstated" or rule.property is None:
            sentence = f"What {name} keeps."
            yield Relation(of("", sentence), partial(_unstated, name), stated=False)
            continue
        stated.append(rule)
        kept = f"the items whose {rule.property} {_WORDS[rule.op]} the value asked for"
        yield Relation(of("", f"{name} keeps {kept}, all of them and no others."), partial(_seen, rule))
        if rule.op in ("eq", "ne", "substring", "prefix"):
            sentence = f"{name} compares whole and exactly: no part, no other case, no wildcard, nothing unseen."
            yield Relation(of(".exact", sentence), partial(_almost, rule))
        if subject.operation.parameters[name].is_array:
            sentence = f"Several values of {name} keep the items of each, and all values together the whole list."
            yield Relation(of(".several", sentence), partial(_several, rule))
        if rule.op in ("ge", "gt", "le", "lt") and is_time(subject.property_schema(rule.property)):
            sentence = f"{name} compares instants, in whatever zone a time is written."
            yield Relation(of(".zones", sentence), partial(_zones, rule))
    if not stated:
        return
    place = subject.place("/x-list/filters")

    def whole(id_: str, sentence: str) -> Property:
        return Property(subject.name, Suite.MEANING, f"filters.{id_}", sentence, place)

    if len(stated) > 1:
        yield Relation(whole("together", "Several filters keep what passes each of them."), partial(_together, stated))
    yield Relation(whole("paged", "Pages, order and total hold for a filtered list as well."), partial(_paged, stated))


def _seen(rule: Filter, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    name, schema = rule.parameter, bench.schema(rule.property or "")
    if rule.op in ("ge", "gt", "le", "lt"):
        values = sample_values.around(rule, schema, snapshot)
    elif rule.op == "exists":
        values = [True, False]
    elif rule.op in ("substring", "prefix"):
        found = [v for v in sample_values.seen(rule, snapshot) if isinstance(v, str)]
        values = [part for v in found for part in (v, v[: max(1, len(v) // 2)])]
        values += [v[1:-1] for v in found if len(v) > 2] if rule.op == "substring" else []
    else:
        values = sample_values.seen(rule, snapshot)
    if not values:
        return check.skip(f"needs an item that has {rule.property}")
    if len(snapshot.items) < 2:
        check.skip("with one item only, a filter cannot be told from none")
    for value in dict.fromkeys(values):
        compare(bench, snapshot, check, {name: [value]}, may_refuse=not is_sure(bench, name, value))
    return None


def _almost(rule: Filter, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    name = rule.parameter
    found = sample_values.seen(rule, snapshot)
    if bench.schema(rule.property or "").get("type", "string") != "string":
        return check.skip(f"{rule.property} is no text")
    tried = [sample_values.NEVER_SEEN]
    texts_found = [value for value in found if isinstance(value, str)]
    longest = max(texts_found, key=len, default=None)
    if longest is not None:
        tried += sample_values.almost(longest, [each for each in texts_found if each != longest])
        tried += [
            text for each in texts_found[:2] for text in (each[:-1].strip(), each.swapcase()) if text and text != each
        ]
    listed = bench.subject.operation.parameters[name].values
    tried += [value for value in listed if value not in found][:2]
    several = bench.subject.operation.parameters[name].is_array
    for text in dict.fromkeys(tried):
        if not (several and "," in text):
            compare(bench, snapshot, check, {name: [text]}, may_refuse=True)
    return None


def _several(rule: Filter, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    name, found = rule.parameter, sample_values.seen(rule, snapshot)
    if len(found) < 2:
        return check.skip(f"needs items with two different {rule.property}")
    everything = list(dict.fromkeys(v for item in snapshot.items.values() for v in texts(item, rule.property or "")))
    for values in (found[:2], found[1::-1], found[:3], [found[0], found[0]], everything):
        fine = all(is_sure(bench, name, value) for value in values)
        compare(bench, snapshot, check, {name: values}, may_refuse=not fine)
    compare(
        bench, snapshot, check, {name: [found[0], sample_values.NEVER_SEEN.upper().replace("-", "_")]}, may_refuse=True
    )
    return None


def _zones(rule: Filter, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    values = sample_values.around(rule, bench.schema(rule.property or ""), snapshot)
    if not values:
        return check.skip(f"needs an item that has {rule.property}")
    for value in values[len(values) // 2 - 1 : len(values) // 2 + 2]:
        for text in sample_values.zones(value):
            compare(bench, snapshot, check, {rule.parameter: [text]}, may_refuse=True)
    return None


def _together(stated: Sequence[Filter], bench: Bench, snapshot: Snapshot, check: Check) -> None:
    anchors = sorted(snapshot.items.values(), key=lambda item: -sum(bool(item.facts[r.property or ""]) for r in stated))
    if len(anchors) < 2:
        return check.skip("needs two items")
    first, last = anchors[0], next((a for a in anchors[1:] if a.facts != anchors[0].facts), anchors[-1])
    asked = {rule.parameter: value for rule in stated if (value := _value(rule, first))}
    pairs = list(combinations(asked, 2))
    for left, right in pairs[:: max(1, len(pairs) // MOST_PAIRS)]:
        compare(bench, snapshot, check, {left: asked[left], right: asked[right]}, may_refuse=is_refusable(bench, asked))
    compare(bench, snapshot, check, asked, may_refuse=is_refusable(bench, asked))
    for rule in stated:
        other = _value(rule, last)
        if other and rule.parameter in asked and other != asked[rule.parameter]:
            mixed = {**{n: v for n, v in asked.items() if n != rule.parameter}, rule.parameter: other}
            narrow = dict([*list(mixed.items())[:1], (rule.parameter, other)])
            compare(bench, snapshot, check, narrow, may_refuse=True)
    return None


def _paged(stated: Sequence[Filter], bench: Bench, snapshot: Snapshot, check: Check) -> None:
    best: tuple[int, Asked] | None = None
    for rule in stated:
        schema = bench.schema(rule.property or "")
        values = sample_values.seen(rule, snapshot) if rule.op == "eq" else sample_values.around(rule, schema, snapshot)
        for value in (each for each in values if is_sure(bench, rule.parameter, each)):
            count = len(expected(bench, snapshot, {rule.parameter: [value]})[0])
            if 3 <= count < len(snapshot.items) and (best is None or abs(count - 12) < abs(best[0] - 12)):
                best = count, {rule.parameter: [value]}
    if best is None or not snapshot.whole:
        return check.skip("needs a filter that keeps at least three items, but not all")
    count, asked = best
    order = bench.rules.order
    queries: list[Query] = [{}]
    if order:
        queries += [ordered(order, key, order.desc if order.direction else None) for key in order.keys]
    for more in queries:
        whole = compare(bench, snapshot, check, asked, may_refuse=False, more=more)
        walk = bench.walk({**query_of(bench, asked), **more}, max(1, count // 3))
        check.holds(
            whole is not None and walk.identities == whole.identities,
            f"the same {count} items in the same order, in pages of {max(1, count // 3)}",
            f"{len(walk.identities)} items, or another order", *walk.answers,
        )  # fmt: skip
        totals = {page.total for page in walk.pages}
        check.holds(
            len(totals) == 1, "the same total on each page", f"totals {sorted(map(str, totals))}", *walk.answers
        )
        if more and order:
            fine, seen = in_order(
                order, str(more[order.parameter]), order.desc if order.direction else order.asc, walk.items
            )
            check.holds(fine, "the order asked for", seen, *walk.answers)
    return None


def _unstated(name: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    pointer = f"/{name}"
    found = next((v for item in snapshot.items.values() for v in texts(item, pointer) if isinstance(v, str)), None)
    for value in [found, found[:-1], found.swapcase()] if found and len(found) > 1 else [sample_values.NEVER_SEEN]:
        if value:
            answer = bench.send({name: value, bench.rules.limit: str(bench.page_length)})
            which = (
                "a value of an item"
                if value == found
                else "part of one, or another case"
                if found
                else "a made-up value"
            )
            try:
                page = bench.read(answer)
                check.observe(f"{name} with {which}: {len(page.items)} of {len(snapshot.items)} items on the page")
            except UnexpectedError as error:
                check.observe(f"{name} with {which}: {error.what}")


def _value(rule: Filter, item: Item) -> list[Any]:
    found = [v for v in texts(item, rule.property or "") if isinstance(v, str | int | float | bool)]
    return [True] if rule.op == "exists" and found else found[:1] if rule.op != "gt" and rule.op != "lt" else []
