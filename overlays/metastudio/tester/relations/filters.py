"""Relations of filters: a filter returns exactly the matching items, and the total counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations, pairwise
from typing import Any

from metastudio.contract.operation import Filter
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_oracle import (
    ORDERED,
    FilterValues,
    check_filter,
    excluded,
    filter_query,
    matcher_of_all,
    may_be_refused,
)
from metastudio.tester.relations.judge import Relation, RelationCheck, StoppedCheckError, meaning
from metastudio.tester.relations.list_client import (
    ListClient,
    ListItem,
    Query,
    Snapshot,
    UnexpectedResponseError,
    is_refusal,
    raw_values,
)
from metastudio.tester.relations.orders import criteria, in_order, requested
from metastudio.tester.relations.orders import query as ordered
from metastudio.tester.relations.sample_values import UNUSED_VALUE, boundary_values, seen_values, values_of
from metastudio.tester.values import ValueKind, ValueType, format_instant, parse_instant

MAX_PAIRS = 24
_WORDS = {
    "eq": "is", "ne": "is not", "ge": "is at least", "gt": "is above", "le": "is at most", "lt": "is below",
    "between": "is between the bounds in", "substring": "contains", "prefix": "starts with",
    "exists": "exists or not, according to", "absent": "is absent or not, according to",
}  # fmt: skip
_RANGES = (*ORDERED, "between")


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of each filter, and of filters together."""
    filters = tested.rules.filters.values()
    stated = [rule for rule in filters if not _open_effect(tested, rule)]
    for rule in filters:
        yield from _relations_of(tested, rule)
    location = tested.location("/x-list/filters")
    if len(stated) > 1:
        sentence = "Several filters return the items that match all of them."
        yield Relation(meaning(tested, "filters.together", sentence, location), partial(_together, stated))
    if stated:
        sentence = "Paging, order and total also hold for a filtered list."
        yield Relation(meaning(tested, "filters.paged", sentence, location), partial(_paged, stated))


def _open_effect(tested: OperationUnderTest, rule: Filter) -> str:
    """Return what the contract leaves open about a filter; empty if it states the effect."""
    name = rule.parameter
    if rule.property is None or (rule.op == "unstated" and not rule.readings):
        return f"The effect of {name}."
    if rule.op in _RANGES and not tested.value_type(rule.property).has_order:
        return f"The order in which {name} compares {rule.property}: the contract states no x-collation."
    return ""


def _relations_of(tested: OperationUnderTest, rule: Filter) -> Iterator[Relation]:
    name, location = rule.parameter, tested.location(f"/x-list/filters/{rule.parameter}", rule.source)

    def of(part: str, sentence: str, verify: Callable[..., None], *others: str, stated: bool = True) -> Relation:
        property_ = meaning(tested, f"filter.{name}{part}", sentence, location)
        return Relation(property_, partial(verify, rule), stated, filters=(name, *others))

    if what := _open_effect(tested, rule):
        yield of("", what, _unstated, stated=False)
        return
    if rule.readings:
        words = ", or ".join(f"whose {rule.property} {_WORDS[op]} the given value" for op in rule.readings)
        yield of("", f"{name} returns exactly the items {words}: one of these, always the same.", _readings)
        return
    matching = f"the items whose {rule.property} {_WORDS[rule.op]} the given value"
    yield of("", f"{name} returns exactly {matching}.", _seen)
    if rule.op in ("eq", "ne", "substring", "prefix"):
        yield of(".exact", _comparison(rule), _near_misses)
    if tested.operation.parameters[name].is_array and rule.op != "between":
        whole_list = "; all values return the whole list" if rule.several == "any" else ""
        sentence = f"Several values of {name} return the items that match {rule.several} of them{whole_list}."
        yield of(".several", sentence, _several_values)
    if rule.op in ORDERED and tested.value_type(rule.property or "").kind is ValueKind.INSTANT:
        yield of(".zones", f"{name} compares instants, independent of the time zone.", _zones)
    if rule.excludes:
        sentence = f"{name} is refused together with {' or '.join(rule.excludes)}."
        is_promised = (tested.rules.when_invalid(name) or "refuse") == "refuse"
        yield of(".excludes", sentence, _exclusive, *rule.excludes, stated=is_promised)


def _comparison(rule: Filter) -> str:
    """Return how a filter compares texts, in words."""
    is_part = rule.op in ("substring", "prefix")
    case = rule.case or ("unstated" if is_part else "exact")
    other_case = {"exact": ", no other case", "folded": ", any case", "unstated": ""}[case]
    wildcard = f"the wildcards of {rule.wildcards}" if rule.wildcards else "no wildcard"
    return f"{rule.parameter} compares exactly: {'' if is_part else 'no partial match, '}{wildcard}{other_case}."


def _seen(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    pointer = rule.property or ""
    given = _values_to_send(rule, client.value_type(pointer), snapshot)
    if not given and rule.op in _RANGES:
        check.need_order({None for item in snapshot.items.values() if item.values[pointer]}, pointer)
    check.need(given, f"needs an item that has {pointer}")
    if len(snapshot.items) < 2:
        check.skipped.append("a list of one item cannot show that a filter works")
    for values in given:
        check_filter(client, snapshot, check, {rule.parameter: values})


def _values_to_send(rule: Filter, type_: ValueType, snapshot: Snapshot) -> list[list[Any]]:
    if rule.op in ("exists", "absent"):
        return [[True], [False]] if "{}" in (rule.template or "{}") else [[True]]
    if rule.op == "between":
        return _pairs_of_bounds(type_, boundary_values(rule, type_, snapshot))
    if rule.op in ORDERED:
        return [[each] for each in boundary_values(rule, type_, snapshot)]
    found = seen_values(rule, snapshot)
    if rule.op in ("substring", "prefix"):
        texts = [each for each in found if isinstance(each, str)]
        found = [part for each in texts for part in (each, each[: max(1, len(each) // 2)].strip())]
        # A server may trim the blanks at the ends.
        found += [each[1:-1].strip() for each in texts if rule.op == "substring"]
        found = [part for part in found if part]
    return [[each] for each in found]


def _pairs_of_bounds(type_: ValueType, bounds: Sequence[str]) -> list[list[Any]]:
    """Return pairs of bounds: each one with itself, neighbouring ones, and the first with the last."""
    texts = [text for _, text in sorted({type_.order_key(type_.comparable(each)): each for each in bounds}.items())]
    pairs = [*zip(texts, texts, strict=True), *pairwise(texts), (texts[0], texts[-1])] if texts else []
    return [list(each) for each in dict.fromkeys(pairs)]


def _readings(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that one of the readings explains all responses."""
    tried = list[RelationCheck]()
    for op in rule.readings:
        client.readings[rule.parameter] = rule._replace(op=op, readings=())
        tried.append(found := RelationCheck())
        for verify in (_seen, _near_misses):
            try:
                verify(client.readings[rule.parameter], client, snapshot, found)
            except StoppedCheckError as error:
                found.skipped += error.args
        if not found.violations:
            check.observed.append(f"{rule.parameter} is read as {op}")
            break
    else:
        del client.readings[rule.parameter]
    best = min(tried, key=lambda each: len(each.violations))
    check.exercised += best.exercised
    check.violations += best.violations
    check.skipped += best.skipped


def _exclusive(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    for name in rule.excludes:
        other = client.rules.filters[name]
        pairs = ((_value(rule, item), _value(other, item)) for item in snapshot.items.values())
        values = next((each for each in pairs if all(each)), None)
        if values is None:
            check.skipped.append(f"needs an item that has {rule.property} and {other.property}")
            continue
        response = client.send(filter_query(client, dict(zip((rule.parameter, name), values, strict=True))))
        both, seen = f"{rule.parameter} together with {name}", f"status {response.status}"
        check.observed.append(f"{both}: {seen}")
        check.holds(is_refusal(response), f"a refusal of {both}", seen, response)


def _near_misses(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    parameter, found = client.tested.operation.parameters[rule.parameter], seen_values(rule, snapshot)
    check.need(client.value_type(rule.property or "").in_text, f"{rule.property} is not a string")
    tried, texts = [UNUSED_VALUE], [value for value in found if isinstance(value, str)]
    if texts:
        longest = max(texts, key=len)
        tried += sample_values.near_misses(longest, [each for each in texts if each != longest])
        similar = ((each, text) for each in texts[:2] for text in (each[:-1].strip(), each.swapcase()))
        tried += [text for each, text in similar if text and text != each]
    tried += [value for value in parameter.values if value not in found][:2]
    for text in dict.fromkeys(tried):
        if not (parameter.is_array and "," in text):
            check_filter(client, snapshot, check, {rule.parameter: [text]}, may_refuse=True)


def _several_values(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    name, found = rule.parameter, seen_values(rule, snapshot)
    check.need(len(found) > 1, f"needs items with different {rule.property}")
    everything = list(dict.fromkeys(each for item in snapshot.items.values() for each in values_of(rule, item)))
    for values in (found[:2], found[1::-1], found[:3], [found[0], found[0]], everything):
        check_filter(client, snapshot, check, {name: values}, may_refuse=len(set(values)) < len(values))
    unused = UNUSED_VALUE.upper().replace("-", "_")
    check_filter(client, snapshot, check, {name: [found[0], unused]}, may_refuse=True)


def _zones(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    values = boundary_values(rule, client.value_type(rule.property or ""), snapshot)
    check.need(values, f"needs an item that has {rule.property}")
    for value in values[len(values) // 2 - 1 : len(values) // 2 + 2]:
        texts = list[str]()
        with suppress(OverflowError):  # outside the years 1 to 9999
            texts += (format_instant(parse_instant(value) or 0, minutes) for minutes in (480, -330))
        for text in texts:
            check_filter(client, snapshot, check, {rule.parameter: [text]}, may_refuse=True)


def _usable(stated: Sequence[Filter], client: ListClient) -> list[Filter]:
    """Return the filters that do not narrow the list already, and whose reading is known."""
    known = (client.filter_rule(rule.parameter) for rule in stated if rule.parameter not in client.fixed_query)
    return [rule for rule in known if not rule.readings]


def _together(stated: Sequence[Filter], client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    stated = _usable(stated, client)
    items = snapshot.items.values()
    anchors = sorted(items, key=lambda item: -sum(bool(item.values[r.property or ""]) for r in stated))
    check.need(len(anchors) > 1, "needs two items")
    first, last = anchors[0], next((a for a in anchors[1:] if a.values != anchors[0].values), anchors[-1])
    given = dict[str, list[Any]]()
    for rule in stated:
        if (value := _value(rule, first)) and not excluded(client.tested, {**given, rule.parameter: value}):
            given[rule.parameter] = value
    pairs, may_refuse = list(combinations(given, 2)), may_be_refused(client, given)
    for pair in pairs[:: max(1, len(pairs) // MAX_PAIRS)]:
        check_filter(client, snapshot, check, {name: given[name] for name in pair}, may_refuse=may_refuse)
    check_filter(client, snapshot, check, given, may_refuse=may_refuse)
    for rule in stated:
        other = _value(rule, last)
        if other and rule.parameter in given and other != given[rule.parameter]:
            another = next((name for name in given if name != rule.parameter), rule.parameter)
            narrow = {another: given[another], rule.parameter: other}
            check_filter(client, snapshot, check, narrow, may_refuse=True)


def _paged(stated: Sequence[Filter], client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    candidates = list[tuple[int, FilterValues]]()
    for rule in (each for each in _usable(stated, client) if each.op not in ("exists", "absent", "between")):
        type_ = client.value_type(rule.property or "")
        values = seen_values(rule, snapshot) if rule.op == "eq" else boundary_values(rule, type_, snapshot)
        for sent in ({rule.parameter: [each]} for each in values):
            count = len(snapshot.select(matcher_of_all(client, sent))[0])
            if 3 <= count < len(snapshot.items) and not may_be_refused(client, sent):
                candidates.append((count, sent))
    is_testable = candidates and snapshot.complete
    check.need(is_testable, "needs a filter that matches at least three items, but not all")
    (count, given), order = min(candidates, key=lambda each: abs(each[0] - 12)), client.rules.order
    queries: list[Query] = [{}]
    if order and order.source != "unstated":
        direction = order.desc if order.direction or order.affix else None
        queries += [ordered(order, (key, direction)) for key in order.keys]
    size = max(1, count // 3)
    for more in queries:
        whole = check_filter(client, snapshot, check, given, more=more)
        listing = client.fetch_all({**filter_query(client, given), **more}, size)
        check.holds(
            whole is not None and listing.identities == whole.identities,
            f"the same {count} items in the same order, in pages of {size}",
            f"{len(listing.identities)} items, or another order", *listing.responses,
        )  # fmt: skip
        totals = {page.total for page in listing.pages}
        seen = f"totals {sorted(map(str, totals))}"
        check.holds(len(totals) == 1, "the same total on each page", seen, *listing.responses)
        asked = requested(order, {name: str(value) for name, value in more.items()}) if order else None
        if order and asked:
            fine, mismatch = in_order(criteria(order, [asked], client.value_type), listing.items)
            check.holds(fine, "the requested order", mismatch, *listing.responses)


def _unstated(rule: Filter, client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    name = rule.parameter
    values = (each for item in snapshot.items.values() for each in sample_values.sendable(raw_values(item, f"/{name}")))
    found = next((each for each in values if isinstance(each, str)), None)
    changed = "part of a value, or other case" if found else "a made-up value"
    for value in [found, found[:-1], found.swapcase()] if found and len(found) > 1 else [UNUSED_VALUE]:
        which = "the value of an item" if value == found else changed
        try:
            page = client.parse_page(client.send({name: value, **client.sized()}))
            seen = f"{len(page.items)} of {len(snapshot.items)} items on the page"
        except UnexpectedResponseError as error:
            seen = error.what
        check.observed.append(f"{name} with {which}: {seen}")


def _value(rule: Filter, item: ListItem) -> list[Any]:
    """Return filter values that match an item, none if no value certainly does."""
    found = values_of(rule, item)
    if rule.op in ("exists", "absent"):
        return [True] if (rule.op == "exists") == bool(found) else []
    if rule.op == "between":
        return [found[0], found[0]] if found else []
    return found[:1] if rule.op not in ("gt", "lt") else []
