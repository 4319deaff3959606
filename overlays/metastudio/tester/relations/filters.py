"""Relations of filters: a filter returns exactly the matching items, and the total counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_assertions import (
    FilterValues,
    check_filter,
    expected,
    filter_query,
    may_be_refused,
)
from metastudio.tester.relations.filter_oracle import ORDERED, excluded
from metastudio.tester.relations.judge import NO_ZONE, Relation, RelationCheck
from metastudio.tester.relations.list_client import (
    ListClient,
    ListItem,
    Snapshot,
    UnexpectedResponseError,
    is_refusal,
    raw_values,
)
from metastudio.tester.relations.orders import criteria, in_order, requested
from metastudio.tester.relations.orders import query as ordered
from metastudio.tester.relations.pagers import Query
from metastudio.tester.values import ValueKind, ValueType
from metastudio.tester.verdicts import Property, Suite

MAX_PAIRS = 24
_WORDS = {
    "eq": "is", "ne": "is not", "ge": "is at least", "gt": "is above", "le": "is at most", "lt": "is below",
    "between": "is between the bounds in", "substring": "contains", "prefix": "starts with",
    "exists": "exists or not, according to", "absent": "is absent or not, according to",
}  # fmt: skip


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of each filter, and of filters together."""
    rules, stated = tested.rules, list[Filter]()
    for name, rule in rules.filters.items():
        location = tested.location(f"/x-list/filters/{name}", rule.source)

        def of(part: str, sentence: str, name: str = name, location: Any = location) -> Property:
            return Property(tested.name, Suite.MEANING, f"filter.{name}{part}", sentence, location)

        if rule.readings and rule.property:
            stated.append(rule)
            words = ", or ".join(f"whose {rule.property} {_WORDS[op]} the given value" for op in rule.readings)
            sentence = f"{name} returns exactly the items {words}: one of these, always the same."
            yield Relation(of("", sentence), partial(_readings, rule), filters=(name,))
            continue
        if rule.op == "unstated" or rule.property is None:
            sentence = f"The effect of {name}."
            yield Relation(of("", sentence), partial(_unstated, name), stated=False, filters=(name,))
            continue
        if (rule.op in ORDERED or rule.op == "between") and not tested.value_type(rule.property).has_order:
            sentence = f"The order in which {name} compares {rule.property}: the contract states no x-collation."
            yield Relation(of("", sentence), partial(_unstated, name), stated=False, filters=(name,))
            continue
        stated.append(rule)
        matching = f"the items whose {rule.property} {_WORDS[rule.op]} the given value"
        yield Relation(of("", f"{name} returns exactly {matching}."), partial(_seen, rule), filters=(name,))
        if rule.op in ("eq", "ne", "substring", "prefix"):
            yield Relation(of(".exact", _comparison(rule)), partial(_near_misses, rule), filters=(name,))
        if tested.operation.parameters[name].is_array and rule.op != "between":
            whole_list = "; all values return the whole list" if rule.several == "any" else ""
            sentence = f"Several values of {name} return the items that match {rule.several} of them{whole_list}."
            yield Relation(of(".several", sentence), partial(_several_values, rule), filters=(name,))
        if rule.op in ORDERED and tested.value_type(rule.property).kind is ValueKind.INSTANT:
            sentence = f"{name} compares instants, independent of the time zone."
            yield Relation(of(".zones", sentence), partial(_zones, rule), filters=(name,))
        if rule.excludes:
            sentence = f"{name} is refused together with {' or '.join(rule.excludes)}."
            is_promised = (rules.when_invalid(name) or "refuse") == "refuse"
            check = partial(_exclusive, rule)
            yield Relation(of(".excludes", sentence), check, stated=is_promised, filters=(name, *rule.excludes))
    if not stated:
        return
    location = tested.location("/x-list/filters")

    def whole(id_: str, sentence: str) -> Property:
        return Property(tested.name, Suite.MEANING, f"filters.{id_}", sentence, location)

    if len(stated) > 1:
        yield Relation(
            whole("together", "Several filters return the items that match all of them."), partial(_together, stated)
        )
    yield Relation(whole("paged", "Paging, order and total also hold for a filtered list."), partial(_paged, stated))


def _comparison(rule: Filter) -> str:
    """Return how a filter compares texts, in words."""
    case = rule.case or ("unstated" if rule.op in ("substring", "prefix") else "exact")
    other_case = {"exact": ", no other case", "folded": ", any case", "unstated": ""}[case]
    wildcard = f"the wildcards of {rule.wildcards}" if rule.wildcards else "no wildcard"
    partial_match = "" if rule.op in ("substring", "prefix") else "no partial match, "
    return f"{rule.parameter} compares exactly: {partial_match}{wildcard}{other_case}."


def _seen(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    name, pointer, type_ = rule.parameter, rule.property or "", client.value_type(rule.property or "")
    given: list[list[Any]]
    is_ordered = rule.op in ORDERED or rule.op == "between"
    if is_ordered:
        bounds = sample_values.boundary_values(rule, type_, snapshot)
        given = [[each] for each in bounds] if rule.op in ORDERED else _ranges(type_, bounds)
    elif rule.op in ("exists", "absent"):
        given = [[True], [False]] if "{}" in (rule.template or "{}") else [[True]]
    elif rule.op in ("substring", "prefix"):
        found = [v for v in sample_values.seen_values(rule, snapshot) if isinstance(v, str)]
        parts = [part for v in found for part in (v, v[: max(1, len(v) // 2)].strip())]
        parts += [v[1:-1].strip() for v in found if rule.op == "substring"]  # a server may trim the blanks at the ends
        given = [[part] for part in parts if part]
    else:
        given = [[each] for each in sample_values.seen_values(rule, snapshot)]
    if not given:
        if is_ordered and any(item.values[pointer] for item in snapshot.items.values()):
            return check.leave_open(NO_ZONE.format(pointer))
        return check.skip(f"needs an item that has {pointer}")
    if len(snapshot.items) < 2:
        check.skip("a list of one item cannot show that a filter works")
    for values in given:
        if values not in given[: given.index(values)]:
            sent = {name: values}
            check_filter(client, snapshot, check, sent, may_refuse=may_be_refused(client, sent))
    return None


def _ranges(type_: ValueType, bounds: Sequence[str]) -> list[list[Any]]:
    """Return pairs of bounds: neighbouring ones, and the first with the last."""
    keys = sorted({type_.order_key(type_.comparable(each)): each for each in bounds}.items())
    texts = [text for _, text in keys]
    pairs = [*zip(texts, texts, strict=True), *pairwise(texts), (texts[0], texts[-1])] if texts else []
    return [list(each) for each in dict.fromkeys(pairs)]


def _readings(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that one of the readings explains all responses."""
    tried = list[RelationCheck]()
    for op in rule.readings:
        client.readings[rule.parameter] = rule._replace(op=op, readings=())
        found = RelationCheck()
        for verify in (_seen, _near_misses):
            verify(client.readings[rule.parameter], client, snapshot, found)
        tried.append(found)
        if not found.violations:
            check.observe(f"{rule.parameter} is read as {op}")
            break
    else:
        del client.readings[rule.parameter]
    best = min(tried, key=lambda each: len(each.violations))
    check.exercised += best.exercised
    for target, values in ((check.violations, best.violations), (check.skipped, best.skipped)):
        target.extend(values)  # type: ignore[arg-type]


def _exclusive(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    for name in rule.excludes:
        rules = (rule, client.rules.filters[name])
        found = [each for item in snapshot.items.values() if all(each := [_value(r, item) for r in rules])]
        if not found:
            check.skip(f"needs an item that has {rule.property} and {rules[1].property}")
            continue
        given = dict(zip((rule.parameter, name), found[0], strict=True))
        response = client.send(filter_query(client, given))
        fine, seen = is_refusal(response), f"status {response.status}"
        check.observe(f"{rule.parameter} together with {name}: {seen}")
        check.holds(fine, f"a refusal of {rule.parameter} together with {name}", seen, response)


def _near_misses(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    name = rule.parameter
    found = sample_values.seen_values(rule, snapshot)
    if not client.value_type(rule.property or "").in_text:
        return check.skip(f"{rule.property} is not a string")
    tried = [sample_values.UNUSED_VALUE]
    texts_found = [value for value in found if isinstance(value, str)]
    longest = max(texts_found, key=len, default=None)
    if longest is not None:
        tried += sample_values.near_misses(longest, [each for each in texts_found if each != longest])
        tried += [
            text for each in texts_found[:2] for text in (each[:-1].strip(), each.swapcase()) if text and text != each
        ]
    listed = client.tested.operation.parameters[name].values
    tried += [value for value in listed if value not in found][:2]
    several = client.tested.operation.parameters[name].is_array
    for text in dict.fromkeys(tried):
        if not (several and "," in text):
            check_filter(client, snapshot, check, {name: [text]}, may_refuse=True)
    return None


def _several_values(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    name, found = rule.parameter, sample_values.seen_values(rule, snapshot)
    if len(found) < 2:
        return check.skip(f"needs items with different {rule.property}")
    pointer = rule.property or ""
    values_of_items = (v for item in snapshot.items.values() for v in raw_values(item, pointer))
    everything = list(dict.fromkeys(sample_values.sendable(values_of_items)))
    for values in (found[:2], found[1::-1], found[:3], [found[0], found[0]], everything):
        fine = len(set(values)) == len(values) and not may_be_refused(client, {name: values})
        check_filter(client, snapshot, check, {name: values}, may_refuse=not fine)
    unused = sample_values.UNUSED_VALUE.upper().replace("-", "_")
    check_filter(client, snapshot, check, {name: [found[0], unused]}, may_refuse=True)
    return None


def _zones(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    values = sample_values.boundary_values(rule, client.value_type(rule.property or ""), snapshot)
    if not values:
        return check.skip(f"needs an item that has {rule.property}")
    for value in values[len(values) // 2 - 1 : len(values) // 2 + 2]:
        for text in sample_values.in_other_zones(value):
            check_filter(client, snapshot, check, {rule.parameter: [text]}, may_refuse=True)
    return None


def _usable(stated: Sequence[Filter], client: ListClient) -> list[Filter]:
    """Return the filters that do not narrow the list already, and whose reading is known."""
    known = (client.filter_rule(rule.parameter) for rule in stated if rule.parameter not in client.fixed_query)
    return [rule for rule in known if not rule.readings]


def _together(stated: Sequence[Filter], client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    stated = _usable(stated, client)
    items = snapshot.items.values()
    anchors = sorted(items, key=lambda item: -sum(bool(item.values[r.property or ""]) for r in stated))
    if len(anchors) < 2:
        return check.skip("needs two items")
    first, last = anchors[0], next((a for a in anchors[1:] if a.values != anchors[0].values), anchors[-1])
    given = dict[str, list[Any]]()
    for rule in stated:
        if (value := _value(rule, first)) and not excluded(client.tested, {**given, rule.parameter: value}):
            given[rule.parameter] = value
    pairs = list(combinations(given, 2))
    for left, right in pairs[:: max(1, len(pairs) // MAX_PAIRS)]:
        check_filter(
            client, snapshot, check, {left: given[left], right: given[right]}, may_refuse=may_be_refused(client, given)
        )
    check_filter(client, snapshot, check, given, may_refuse=may_be_refused(client, given))
    for rule in stated:
        other = _value(rule, last)
        if other and rule.parameter in given and other != given[rule.parameter]:
            mixed = {**{n: v for n, v in given.items() if n != rule.parameter}, rule.parameter: other}
            narrow = dict([*list(mixed.items())[:1], (rule.parameter, other)])
            check_filter(client, snapshot, check, narrow, may_refuse=True)
    return None


def _paged(stated: Sequence[Filter], client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    stated = _usable(stated, client)
    best: tuple[int, FilterValues] | None = None
    for rule in (each for each in stated if each.op not in ("exists", "absent", "between")):
        type_ = client.value_type(rule.property or "")
        seen, boundaries = sample_values.seen_values, sample_values.boundary_values
        values = seen(rule, snapshot) if rule.op == "eq" else boundaries(rule, type_, snapshot)
        for value in (each for each in values if not may_be_refused(client, {rule.parameter: [each]})):
            count = len(expected(client, snapshot, {rule.parameter: [value]})[0])
            if 3 <= count < len(snapshot.items) and (best is None or abs(count - 12) < abs(best[0] - 12)):
                best = count, {rule.parameter: [value]}
    if best is None or not snapshot.complete:
        return check.skip("needs a filter that matches at least three items, but not all")
    count, given = best
    order = client.rules.order
    queries: list[Query] = [{}]
    if order:
        is_directed = order.direction or order.affix
        keys = order.keys if order.source != "unstated" else ()
        queries += [ordered(order, (key, order.desc if is_directed else None)) for key in keys]
    for more in queries:
        whole = check_filter(client, snapshot, check, given, may_refuse=False, more=more)
        listing = client.fetch_all({**filter_query(client, given), **more}, max(1, count // 3))
        check.holds(
            whole is not None and listing.identities == whole.identities,
            f"the same {count} items in the same order, in pages of {max(1, count // 3)}",
            f"{len(listing.identities)} items, or another order", *listing.responses,
        )  # fmt: skip
        totals = {page.total for page in listing.pages}
        check.holds(
            len(totals) == 1, "the same total on each page", f"totals {sorted(map(str, totals))}", *listing.responses
        )
        asked = requested(order, {name: str(value) for name, value in more.items()}) if order else None
        if order and asked:
            fine, mismatch = in_order(criteria(order, [asked], client.value_type), listing.items)
            check.holds(fine, "the requested order", mismatch, *listing.responses)
    return None


def _unstated(name: str, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer = f"/{name}"
    values = (v for item in snapshot.items.values() for v in sample_values.sendable(raw_values(item, pointer)))
    found = next((v for v in values if isinstance(v, str)), None)
    for value in [found, found[:-1], found.swapcase()] if found and len(found) > 1 else [sample_values.UNUSED_VALUE]:
        if value:
            response = client.send({name: value, **client.sized()})
            changed = "part of a value, or other case" if found else "a made-up value"
            which = "the value of an item" if value == found else changed
            try:
                page = client.parse_page(response)
                check.observe(f"{name} with {which}: {len(page.items)} of {len(snapshot.items)} items on the page")
            except UnexpectedResponseError as error:
                check.observe(f"{name} with {which}: {error.what}")


def _value(rule: Filter, item: ListItem) -> list[Any]:
    found = list(sample_values.sendable(raw_values(item, rule.property or "")))
    if rule.op in ("exists", "absent"):
        return [True] if (rule.op == "exists") == bool(found) else []
    if rule.op == "between":
        return [found[0], found[0]] if found else []
    return found[:1] if rule.op not in ("gt", "lt") else []
