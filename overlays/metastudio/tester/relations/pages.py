"""Page algebra: a page is `list[offset : offset + limit]`, and the total is what there is before paging."""

from __future__ import annotations

import math
from collections.abc import Iterator

from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations.judge import Check, Relation
from metastudio.tester.relations.list_client import Bench, Query, Snapshot, UnexpectedError
from metastudio.tester.verdicts import Property, Suite

MOST_PAGES = 12


def relations(subject: Subject) -> Iterator[Relation]:
    """Yield the relations of paging and counting."""
    rules = subject.rules
    page, limit = subject.place("/x-list/page", rules.sources["page"]), rules.limit
    largest = rules.max_limit

    def of(id_: str, sentence: str) -> Property:
        return Property(subject.name, Suite.MEANING, id_, sentence, page)

    yield Relation(of("page.joined", "The pages of a list, joined, are the whole list: each item once."), joined)
    yield Relation(
        of(
            "page.limit",
            f"A page has exactly {limit} items as long as there are so many, and starts like a longer one.",
        ),
        lengths,
    )
    yield Relation(
        of("page.offset", f"{rules.offset} skips that many items of the same list, and none when it is 0 or absent."),
        offsets,
    )
    yield Relation(of("page.end", "A page after the end of the list is empty, and no error."), after_the_end)
    if largest is not None:
        place = subject.at(f"{subject.parameter_places['query', limit]}/schema/maximum", "decision")
        sentence = f"What the server does with a {limit} above {largest}, the contract's own maximum."
        yield Relation(Property(subject.name, Suite.MEANING, "page.clamp", sentence, place), clamp, stated=False)
    if rules.total is not None:
        place = subject.place("/x-list/total", rules.sources["total"])
        sentence = f"{rules.total} counts all items that pass the filters, whatever the page and the order."
        yield Relation(Property(subject.name, Suite.MEANING, "total", sentence, place), total)


def orders(bench: Bench) -> Iterator[Query]:
    """Yield the ways to ask for the whole list: as it comes, and in each order."""
    yield {}
    order = bench.rules.order
    for key in order.keys if order else ():
        yield {order.parameter: key} if order else {}
        if order and order.direction:
            yield {order.parameter: key, order.direction: order.desc}


def sizes(count: int, longest: int) -> Iterator[int]:
    """Yield page sizes that cut a list of `count` items differently, in not too many pages."""
    least = max(1, math.ceil(count / MOST_PAGES))
    yield from dict.fromkeys(min(longest, size) for size in (least, max(least + 1, 7), max(least, count // 2)))


def joined(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """Pages of several sizes, joined, are the whole list in its order."""
    count = len(snapshot.items)
    if count < 2 or not snapshot.whole:
        return check.skip(_too_few(snapshot, "two items"))
    fifth = min(bench.page_length, max(2, math.ceil(count / 5)))
    for query in orders(bench):
        whole = bench.walk(query)
        missing = snapshot.items.keys() - set(whole.identities)
        twice = len(whole.identities) - len(set(whole.identities))
        seen = f"{len(whole.identities)} items, {twice} of them twice, {len(missing)} of the list missing"
        check.holds(not missing and not twice, f"{count} different items on all pages together", seen, *whole.answers)
        for size in [fifth] if query else sizes(count, bench.page_length):
            walk = bench.walk(query, size)
            expected = f"the same {len(whole.identities)} items in the same order, in pages of {size}"
            seen = _difference(whole.identities, walk.identities)
            check.holds(walk.identities == whole.identities, expected, seen, *whole.answers[:1], *walk.answers)
    return None


def lengths(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """Each limit within the contract gives so many items, the first of the list."""
    count, longest = len(snapshot.items), bench.page_length
    if not count or not snapshot.whole:
        return check.skip(_too_few(snapshot, "an item"))
    first = bench.ask({bench.rules.limit: str(longest)})
    for size in sorted({1, 2, 3, count - 1, count, count + 1, longest // 2, longest - 1, longest}):
        if 1 <= size <= longest:
            page = bench.ask({bench.rules.limit: str(size)})
            expected = min(size, count)
            check.holds(
                len(page.items) == expected, f"{expected} items, as the list has {count}",
                f"{len(page.items)} items", page.answer, certain=len(page.items) > size,
            )  # fmt: skip
            prefix = first.identities[: len(page.items)]
            expected_text = f"the first {len(page.items)} items of the page with {longest}"
            check.holds(page.identities == prefix, expected_text, "others, or another order", first.answer, page.answer)
    return None


def offsets(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """An offset shifts the window over one and the same list."""
    count, longest = len(snapshot.items), bench.page_length
    if count < 2 or not snapshot.whole:
        return check.skip(_too_few(snapshot, "two items"))
    rules = bench.rules
    whole = bench.walk({}).identities
    absent = bench.ask({rules.limit: str(min(5, longest))})
    check.holds(absent.identities == whole[:5][:longest], f"the start of the list, as without {rules.offset}",
                _difference(whole[:5], absent.identities), absent.answer)  # fmt: skip
    for query in orders(bench):
        ordered = bench.walk(query).identities if query else whole
        for offset in sorted({0, 1, 2, count // 2, count - 1} if not query else {1, count - 1}):
            for size in (min(3, longest), longest):
                page = bench.ask({**query, rules.offset: str(offset), rules.limit: str(size)})
                expected = ordered[offset : offset + size]
                wanted = f"the {len(expected)} items from position {offset} of the list"
                check.holds(page.identities == expected, wanted, _difference(expected, page.identities), page.answer)
    return None


def after_the_end(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """Past the last item there is nothing."""
    count, rules = len(snapshot.items), bench.rules
    if not snapshot.whole:
        return check.skip(_too_few(snapshot, "a whole list"))
    largest = bench.subject.operation.parameters[rules.offset].schema.get("maximum", math.inf)
    for offset in (each for each in (count, count + 1, count + 1000) if each <= largest):
        page = bench.ask({rules.offset: str(offset), rules.limit: str(min(10, bench.page_length))})
        check.holds(not page.items, f"no items after the {count} of the list", f"{len(page.items)} items", page.answer)
    return None


def clamp(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """Beyond the contract's maximum: refused, clamped or honoured."""
    size = bench.page_length + 1
    answer = bench.send({bench.rules.limit: str(size)})
    try:
        check.observe(f"{bench.rules.limit}={size}: {len(bench.read(answer).items)} of {len(snapshot.items)} items")
    except UnexpectedError as error:
        check.observe(f"{bench.rules.limit}={size}: {error.what}")


def total(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    """The total does not depend on the page or the order."""
    count, rules = len(snapshot.items), bench.rules
    if not snapshot.whole:
        return check.skip(_too_few(snapshot, "a whole list"))
    queries: list[Query] = [{}, {rules.limit: "1"}, {rules.offset: "0"}, {rules.offset: str(count + 5)}]
    queries += [{rules.limit: "2", rules.offset: "1"}, {rules.limit: str(bench.page_length)}]
    for query in [*queries, *orders(bench)]:
        page = bench.ask(query)
        check.holds(
            page.total == count, f"a total of {count}, as many as there are on all pages", f"{page.total}", page.answer,
            telling=page.total is not None and page.total < len(page.items),
        )  # fmt: skip
    return None


def _too_few(snapshot: Snapshot, need: str) -> str:
    return (
        f"needs {need}"
        if snapshot.whole
        else f"the list has more than {len(snapshot.items)} items, too many to compare"
    )


def _difference(expected: tuple[str, ...], seen: tuple[str, ...]) -> str:
    if expected == seen:
        return "just that"
    missing, strange = set(expected) - set(seen), set(seen) - set(expected)
    if not missing and not strange:
        return f"the same {len(set(seen))} items, {'some twice' if len(seen) > len(set(seen)) else 'in another order'}"
    return f"{len(seen)} items: {len(missing)} of the expected are missing, {len(strange)} are unexpected"
