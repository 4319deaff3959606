"""Faulty and conforming variants of the servers in `dialects`, derived from what each dialect can do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dialects import DIALECTS, TESTS, Article, Dialect, DialectChange, Query, Window, articles
from metastudio.contract import compile_contract, load
from metastudio.contract.operation import ListRules
from metastudio.tester import Report, prove

OTHER_TESTS = {
    "eq": ("eq folded", "substring", "prefix", "like"),
    "ge": ("gt", "le", "eq"), "gt": ("ge", "lt"), "le": ("lt", "ge", "eq"), "lt": ("le", "gt"),
    "eq folded": ("eq", "substring folded", "prefix folded", "like folded"),
    "substring folded": ("substring", "prefix folded", "eq folded", "substring, wildcards work"),
    "prefix": ("substring", "eq", "suffix"),
    "prefix folded": ("prefix", "substring folded", "eq folded", "prefix, wildcards work"),
    "like folded": ("eq folded", "like", "substring folded"),
    "between": ("between, upper bound exclusive", "between, lower bound exclusive"),
    "all": ("eq", "first of several", "last of several"),
    "absent": ("exists",), "exists": ("absent",), "ne": ("eq",),
    "substring": ("suffix", "eq for long values, else substring", "substring, wildcards work"),
}  # fmt: skip
"""What a faulty filter does instead."""
OF_SEVERAL = ("first of several", "last of several", "nothing of several")


@dataclass(frozen=True)
class DialectVariant:
    """A variant of a dialect.

    Args:
        dialect: the dialect.
        what: the fault, or how the server differs lawfully.
        fault: the replaced parts.
        items: the articles.
        undetectable: why the fault cannot be detected; empty if it can.
        group: the kind of fault.
        aims: the properties that are tested first, because they are about what is wrong.
    """

    dialect: type[Dialect]
    what: str
    fault: DialectChange = field(default_factory=DialectChange)
    items: Sequence[Article] = field(default_factory=lambda: articles(47))
    undetectable: str = ""
    group: str = ""
    aims: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Unique name."""
        return f"{self.dialect.name}: {self.what}"

    def proven(self, *only: str, **options: Any) -> Report:
        """Test the variant in this process."""
        app = self.dialect(self.items, self.fault)
        given: dict[str, Any] = {"spec": app.spec, "project_id": "p", "max_examples": 10, "only": only, **options}
        return prove(app, **given)

    def finding_suite(self) -> str | None:
        """Return the suite that finds the fault, or None."""
        for only in (self.aims, ("meaning",), ("shapes",)):
            found = self.proven(*only).breaches if only else ()
            if found:
                return str(found[0].property.suite)
        return None


def rules_of(dialect: type[Dialect]) -> ListRules:
    """Return the rules of the list in the contract of a dialect."""
    found = compile_contract(load(dialect([]).spec)).operations["list_articles"].list_rules
    assert found is not None
    return found


def faulty_dialects() -> list[DialectVariant]:
    """Return the faulty variants of all dialects."""
    found = [
        DialectVariant(dialect, what, fault, group=group, aims=_aims(group, what))
        for dialect in DIALECTS
        for group, part in PARTS.items()
        for what, fault in part(dialect, rules_of(dialect))
    ]
    assert len({each.name for each in found}) == len(found)
    return [replace(each, undetectable=UNDETECTABLE.get(each.name, "")) for each in found]


def _aims(part: str, what: str) -> tuple[str, ...]:
    """Return the properties that are about a fault."""
    name = what.partition(" ")[0]
    if part == "filters":
        return ("filters.*",) if name == "filters" else (f"filter.{name.replace('[', '[[]')}*",)
    if part == "pages and totals":
        return ("total",) if "total" in what else ("page.*",)
    return {"order": ("order.*",), "invalid values": ("invalid.*",)}.get(part, ())


UNDETECTABLE: dict[str, str] = {
    "cursor: the maximum is half of the contract's": "pages that a cursor leads to may be shorter than asked",
}
"""Faulty variants that cannot be detected, with the reason."""

Faults = Iterator[tuple[str, DialectChange]]


def _filters(dialect: type[Dialect], rules: ListRules) -> Faults:
    for name, (property_, test) in dialect.filters.items():
        yield f"{name} is ignored", DialectChange(query=partial(_dropped, name))
        yield f"{name} is inverted", DialectChange(filters={name: partial(_inverted, TESTS[test])})
        has_several = name in dialect.joined or (
            name in ("tag", "author") and dialect.name in ("fastapi", "json-server")
        )
        others = OTHER_TESTS[test] if property_ not in ("status", "id") or test == "ne" else ()
        others = tuple(each for each in others if each != "like" or property_ == "title")
        for other in dict.fromkeys((*others, *(OF_SEVERAL if has_several and test == "eq" else ()))):
            yield f"{name} compares by {other}", DialectChange(filters={name: other})
        rule = rules.filters[name]
        if property_ in ("words", "author") and test not in ("absent", "exists", "between") and rule.op != "ne":
            yield (
                f"{name} also matches articles without {property_}",
                DialectChange(filters={name: partial(_or_none, TESTS[test])}),
            )
    yield "filters are combined with OR", DialectChange(found=partial(_united, dialect))


def _dropped(name: str, query: Query) -> Query:
    return {key: values for key, values in query.items() if key != name}


def _inverted(test: Any, have: Any, texts: list[str]) -> bool:
    return not test(have, texts)


def _or_none(test: Any, have: Any, texts: list[str]) -> bool:
    return have is None or test(have, texts)


def _united(dialect: type[Dialect], found: list[Article], query: Query) -> list[Article]:
    """Return the articles that match any of the filters."""
    app = dialect(articles(47))
    wanted = app.wanted(query)
    if len(wanted) < 2:
        return found
    return [each for each in app.items if any(test(each[name], texts) for name, test, texts in wanted)]


def _pages(dialect: type[Dialect], rules: ListRules) -> Faults:
    def windowed(change: Callable[[Window], Window]) -> DialectChange:
        return DialectChange(window=change)

    style, is_random = rules.paging.style, rules.paging.style in ("offset", "page")
    yield "the last item of a page is missing", DialectChange(page=lambda page: page[:-1] if len(page) > 1 else page)
    yield "a page has one item too many", windowed(lambda w: replace(w, stop=w.stop + 1))
    yield "the first item of a page is repeated", DialectChange(page=lambda page: [*page[:1], *page[:-1]])
    yield "pages are reversed", DialectChange(page=lambda page: page[::-1])
    yield "a page starts one item too late", windowed(lambda w: replace(w, start=w.start + 1) if w.start else w)
    yield "items are in random order", DialectChange(order=_shuffled())
    if is_random:
        yield "a page starts one item too early", windowed(lambda w: replace(w, start=w.start - 1) if w.start else w)
        yield "the position is ignored", windowed(lambda w: replace(w, start=0, stop=w.stop - w.start))
        yield "the length is ignored", windowed(lambda w: replace(w, stop=w.start + 10))
        yield "the length is at least ten", windowed(lambda w: replace(w, stop=max(w.stop, w.start + 10)))
        yield "pages are shorter than asked", DialectChange(settings={"largest": 20}, page=lambda page: page[:8])
        other = {"empty": "refused", "refused": "empty"}.get(rules.paging.end)
        if other:
            yield f"a page after the end is {other}", DialectChange(settings={"after_the_end": other})
    if style == "page":
        yield "pages are counted from another number", windowed(_next_window)
        yield (
            "the number counts items",
            DialectChange(window=lambda w: replace(w, start=w.start // max(1, w.stop - w.start))),
        )
    if style in ("cursor", "link"):
        yield "the last page has a next one", DialectChange(following=partial(_never_ends, dialect))
        yield "only the first page has a next one", DialectChange(following=lambda to, w: None if w.start else to)
        yield "the next page is the same", DialectChange(following=partial(_moved, dialect, lambda w: w.start))
        yield (
            "the next page starts one item too late",
            DialectChange(following=partial(_moved, dialect, lambda w: w.stop + 1)),
        )
        yield (
            "the next page starts one item too early",
            DialectChange(following=partial(_moved, dialect, lambda w: w.stop - 1)),
        )
    if style == "link":
        names = list(dialect.filters)
        yield "the link to the next page loses the filters", DialectChange(following=partial(_without, names))
        yield "the link to the next page loses the order", DialectChange(following=partial(_without, ["sort"]))


def _next_window(window: Window) -> Window:
    length = window.stop - window.start
    return replace(window, start=window.start + length, stop=window.stop + length)


def _shuffled() -> Callable[[list[Article]], list[Article]]:
    dice = random.Random(1)
    return lambda found: dice.sample(found, len(found))


def _never_ends(dialect: type[Dialect], following: str | None, window: Window) -> str | None:
    return following or _moved(dialect, lambda _: 0, "", window)


def _moved(dialect: type[Dialect], to: Callable[[Window], int], following: str | None, window: Window) -> str | None:
    if following is None:
        return None
    if dialect.name == "cursor":
        return f"c{to(window)}"
    before, _, _ = following.partition("page%5Bafter%5D=")
    return f"{before or '/articles?'}page%5Bafter%5D={to(window)}"


def _without(names: Sequence[str], following: str | None, _window: Window) -> str | None:
    if following is None:
        return None
    path, _, query = following.partition("?")
    from urllib.parse import parse_qsl, urlencode

    return f"{path}?{urlencode([pair for pair in parse_qsl(query) if pair[0] not in names])}"


def _totals(dialect: type[Dialect], rules: ListRules) -> Faults:
    if not rules.has_total:
        return
    yield "the total counts the page", DialectChange(total=lambda total, page, w: len(page))
    yield "the total is one too high", DialectChange(total=lambda total, page, w: total + 1)
    yield "the total is one too low", DialectChange(total=lambda total, page, w: max(0, total - 1))
    yield "the total counts the remaining items", DialectChange(total=lambda total, page, w: max(0, total - w.start))
    yield "the total ignores the filters", DialectChange(total=lambda total, page, w: 47)
    yield "the total is capped", DialectChange(total=lambda total, page, w: min(total, 30))
    if rules.total_header:
        yield "the header with the total is missing", DialectChange(answer=lambda status, _, body: (status, {}, body))
    if rules.paging.end == "empty" and rules.paging.style in ("offset", "page"):
        yield "the total is zero after the end", DialectChange(total=lambda total, page, w: total if page else 0)


def _orders(dialect: type[Dialect], rules: ListRules) -> Faults:
    order = rules.order
    assert order is not None
    yield "the order is ignored", DialectChange(key=lambda keys: [])
    yield "the order is by identity", DialectChange(key=lambda keys: [("id", down) for _, down in keys])
    yield "directions are inverted", DialectChange(key=lambda keys: [(name, not down) for name, down in keys])
    yield "directions are ignored", DialectChange(key=lambda keys: [(name, False) for name, _ in keys])
    yield "the order is always descending", DialectChange(key=lambda keys: [(name, True) for name, _ in keys])
    yield "each page is ordered by itself", DialectChange(key=lambda keys: [], page=_sorted_by_words)
    for key, pointer in order.keys.items():
        name = pointer.rpartition("/")[2]
        yield f"the order by {key} is ignored", DialectChange(key=partial(_no_key, name))
        yield f"the order by {key} is inverted", DialectChange(key=partial(_inverted_key, name))
    if order.nulls:
        for other in sorted({"first", "last", "low", "high"} - {order.nulls}):
            yield f"nulls are {other}", DialectChange(settings={"nulls": other})
    if order.ties:
        yield "ties are in the other direction", DialectChange(settings={"ties": True})
    if order.several:
        yield "only the first of several sort keys counts", DialectChange(key=lambda keys: keys[:1])
        yield "only the last of several sort keys counts", DialectChange(key=lambda keys: keys[-1:])
        yield "several sort keys count in reverse", DialectChange(key=lambda keys: keys[::-1])
        first = DialectChange(key=lambda keys: [(name, keys[0][1]) for name, _ in keys])
        yield "several sort keys have the direction of the first", first
    if dialect.ranked:
        yield "statuses are ordered as texts", DialectChange(settings={"ranked": False})


def _sorted_by_words(page: list[Article]) -> list[Article]:
    return sorted(page, key=lambda each: (each["words"] is None, each["words"] or 0))


def _no_key(name: str, keys: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [each for each in keys if each[0] != name]


def _inverted_key(name: str, keys: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [(each, down is not (each == name)) for each, down in keys]


def _invalid(dialect: type[Dialect], rules: ListRules) -> Faults:
    if "clamp" in rules.invalid.values():
        yield "longer pages than the maximum", DialectChange(settings={"largest": 100})
        yield "the maximum is half of the contract's", DialectChange(settings={"largest": 10})
        yield "a length above the maximum is refused", DialectChange(query=partial(_refuse_above, rules.limit))
    if dialect.name == "drf":
        yield "an unknown sort key gives nothing", DialectChange(found=_nothing_for_unknown_keys)
    if dialect.name == "spring-data":
        yield "an invalid page number gives nothing", DialectChange(found=_nothing_for_invalid_pages)
    if dialect.name == "json-api":
        yield (
            "an unknown sort key is ignored",
            DialectChange(query=partial(_known_values, "sort", ("created", "words"))),
        )
    if dialect.name == "cursor":
        yield "an unknown cursor is ignored", DialectChange(query=partial(_known_values, "cursor", ("c",)))
        yield "filters that exclude each other are accepted", DialectChange(settings={"exclusive": False})


def _refuse_above(limit: str, query: Query) -> Query:
    from dialects import RefusedQueryError

    if query.get(limit, [""])[-1].isdigit() and int(query[limit][-1]) > 20:
        raise RefusedQueryError
    return query


def _nothing_for_unknown_keys(found: list[Article], query: Query) -> list[Article]:
    return [] if "no-such" in query.get("ordering", [""])[-1] else found


def _nothing_for_invalid_pages(found: list[Article], query: Query) -> list[Article]:
    return [] if "no-such" in query.get("page", [""])[-1] else found


def _known_values(name: str, known: Sequence[str], query: Query) -> Query:
    text = query.get(name, [""])[-1].lstrip("-")
    return query if any(text.startswith(each) for each in known) else _dropped(name, query)


def _items(dialect: type[Dialect], rules: ListRules) -> Faults:
    def changed(change: Callable[[Article], Article]) -> DialectChange:
        return DialectChange(page=lambda page: [change(each) for each in page])

    yield "an item occurs twice", DialectChange(page=lambda page: [*page[:-1], page[0]] if len(page) > 3 else page)
    yield "titles are numbers", changed(lambda each: {**each, "title": len(each["title"])})
    yield "titles are missing", changed(lambda each: {k: v for k, v in each.items() if k != "title"})
    yield "statuses are in capitals", changed(lambda each: {**each, "status": each["status"].upper()})
    yield "times have no zone", changed(lambda each: {**each, "created": each["created"].rstrip("Z")})
    yield "tags are one text", changed(lambda each: {**each, "tags": ",".join(each["tags"])})
    yield "every fifth request fails", DialectChange(answer=_failing(5))


def _failing(every: int) -> Callable[[int, dict[str, str], Any], tuple[int, dict[str, str], Any]]:
    count = iter(range(1, 10**9))
    return lambda *answer: answer if next(count) % every else (500, {}, {"message": "failed"})


PARTS: Mapping[str, Callable[[type[Dialect], ListRules], Iterable[tuple[str, DialectChange]]]] = {
    "filters": _filters,
    "pages and totals": lambda dialect, rules: (*_pages(dialect, rules), *_totals(dialect, rules)),
    "order": _orders,
    "invalid values": _invalid,
    "items and bodies": _items,
}
"""The faults by group."""


# --- conforming servers ----------------------------------------------------------------------------------------------


def conforming_dialects() -> list[DialectVariant]:
    """Return the conforming variants of all dialects, in which no run may find a breach."""
    return [DialectVariant(dialect, *each) for dialect in DIALECTS for each in _lawful(dialect, rules_of(dialect))]


def _lawful(dialect: type[Dialect], rules: ListRules) -> Iterator[tuple[Any, ...]]:
    yield ("conforming",)
    for count in (1, 3, 20, 41):
        yield f"{count} articles", DialectChange(), articles(count)
    same = [{**each, "words": 5, "status": "draft", "author": "ann", "tags": ["art"]} for each in articles(30)]
    yield "articles that are almost equal", DialectChange(), same
    yield (
        "articles without words and authors",
        DialectChange(),
        [{**each, "words": None, "author": None} for each in articles(25)],
    )
    yield "more properties", DialectChange(page=lambda page: [{**each, "extra": {"x": [1]}} for each in page])
    absent = DialectChange(page=lambda page: [{k: v for k, v in each.items() if v is not None} for each in page])
    yield "null properties are left out", absent
    yield "times have another zone", DialectChange(page=_in_another_zone)
    yield "another default length", DialectChange(settings={"default": 7})
    if rules.paging.style in ("cursor", "link"):
        yield (
            "pages are shorter than asked",
            DialectChange(window=lambda w: replace(w, stop=w.start + max(1, (w.stop - w.start) // 2))),
        )
        lengths = random.Random(7)
        yield (
            "pages have random lengths",
            DialectChange(window=lambda w: replace(w, stop=w.start + lengths.randint(1, max(1, w.stop - w.start)))),
        )
    if dialect.name == "json-api":
        yield "absolute links", DialectChange(settings={"base": "http://testserver/articles"})
        yield "links with a foreign host", DialectChange(settings={"base": "https://internal.example/articles"})
    if dialect.name == "cursor":
        yield "the last page has an empty cursor", DialectChange(settings={"closing": ""})
        yield "title means equality", DialectChange(filters={"title": "eq"})
        yield "title means a prefix", DialectChange(filters={"title": "prefix"})
    if dialect.name == "drf":
        yield "the start of a title in any case", DialectChange(filters={"title__startswith": "prefix folded"})
    if dialect.name in ("spring-data", "json-server"):
        yield "ties in the other direction", DialectChange(settings={"ties": True})


def _in_another_zone(page: list[Article]) -> list[Article]:
    from datetime import datetime, timedelta, timezone

    zone = timezone(timedelta(hours=8))
    return [{**each, "created": datetime.fromisoformat(each["created"]).astimezone(zone).isoformat()} for each in page]
