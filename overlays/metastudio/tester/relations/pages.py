"""Relations of paging: a page is `list[offset : offset + limit]`, and the total counts the list before paging."""

from __future__ import annotations

import math
from collections.abc import Iterator

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck
from metastudio.tester.relations.list_client import AS_EXPECTED, ListClient, Query, Snapshot, UnexpectedResponseError
from metastudio.tester.verdicts import Property, Suite

MAX_PAGES = 12
WINDOW_LENGTH = 10


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of paging and the total."""
    rules = tested.rules
    page, limit = tested.location("/x-list/page", rules.sources["page"]), rules.limit
    largest = rules.max_limit

    def of(id_: str, sentence: str) -> Property:
        return Property(tested.name, Suite.MEANING, id_, sentence, page)

    yield Relation(of("page.joined", "All pages together are the whole list, with each item once."), joined)
    yield Relation(
        of(
            "page.limit",
            f"A page has {limit} items, or all items if there are fewer, and equals the start of a longer page.",
        ),
        lengths,
    )
    yield Relation(
        of("page.offset", f"{rules.offset} skips that many items of the list; 0 or absent skips none."), offsets
    )
    yield Relation(of("page.end", "A page after the end of the list is empty and not an error."), after_the_end)
    sentence = f"{rules.offset}=N+1 returns the page of {rules.offset}=N moved by one item, anywhere in the list."
    yield Relation(of("page.windows", sentence), windows, whole=True)
    if largest is not None:
        location = tested.location_at(f"{tested.parameter_pointers['query', limit]}/schema/maximum", "decision")
        sentence = f"The effect of a {limit} above {largest}, a maximum that this contract chose."
        yield Relation(
            Property(tested.name, Suite.MEANING, "page.clamp", sentence, location), clamp, stated=False, whole=True
        )
    if rules.total is not None:
        location = tested.location("/x-list/total", rules.sources["total"])
        sentence = f"{rules.total} counts all items that match the filters, independent of page and order."
        yield Relation(Property(tested.name, Suite.MEANING, "total", sentence, location), total)


def orders(client: ListClient) -> Iterator[Query]:
    """Yield the query of each order, first without one."""
    yield {}
    order = client.rules.order
    for key in order.keys if order else ():
        yield {order.parameter: key} if order else {}
        if order and order.direction:
            yield {order.parameter: key, order.direction: order.desc}


def sizes(count: int, longest: int) -> Iterator[int]:
    """Yield page lengths that divide a list of `count` items differently, into a limited number of pages."""
    least = max(1, math.ceil(count / MAX_PAGES))
    yield from dict.fromkeys(min(longest, size) for size in (least, max(least + 1, 7), max(least, count // 2)))


def joined(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages of any length together are the whole list in order."""
    count = len(snapshot.items)
    if count < 2 or not snapshot.complete:
        return check.skip(_too_few(snapshot, "two items"))
    fifth = min(client.page_length, max(2, math.ceil(count / 5)))
    for query in orders(client):
        whole = client.fetch_all(query)
        missing = snapshot.items.keys() - set(whole.identities)
        twice = len(whole.identities) - len(set(whole.identities))
        seen = f"{len(whole.identities)} items, {twice} of them repeated, {len(missing)} missing"
        check.holds(not missing and not twice, f"{count} different items on all pages together", seen, *whole.responses)
        for size in [fifth] if query else sizes(count, client.page_length):
            listing = client.fetch_all(query, size)
            expected = f"the same {len(whole.identities)} items in the same order, in pages of {size}"
            seen = _difference(whole.identities, listing.identities)
            check.holds(
                listing.identities == whole.identities, expected, seen, *whole.responses[:1], *listing.responses
            )
    return None


def lengths(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that each limit within the contract returns that many items from the start of the list."""
    count, longest, largest = len(snapshot.items), client.page_length, client.rules.max_limit
    if not count or not snapshot.complete:
        return check.skip(_too_few(snapshot, "an item"))
    if largest is not None and longest < largest:
        response = client.send({client.rules.limit: str(largest)})
        seen = f"status {response.status}; the longest page has {longest} items"
        check.holds(False, f"a page of up to {largest} items, the maximum of the contract", seen, response)
    first = client.fetch_page({client.rules.limit: str(longest)})
    for size in sorted({1, 2, 3, count - 1, count, count + 1, longest // 2, longest - 1, longest}):
        if 1 <= size <= longest:
            page = client.fetch_page({client.rules.limit: str(size)})
            expected = min(size, count)
            check.holds(
                len(page.items) == expected, f"{expected} items, as the list has {count}",
                f"{len(page.items)} items", page.response, certain=len(page.items) > size,
            )  # fmt: skip
            prefix = first.identities[: len(page.items)]
            expected_text = f"the first {len(page.items)} items of the page of {longest}"
            check.holds(
                page.identities == prefix, expected_text, "other items, or another order", first.response, page.response
            )
    return None


def offsets(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that an offset shifts the page over the same list."""
    count, longest = len(snapshot.items), client.page_length
    if count < 2 or not snapshot.complete:
        return check.skip(_too_few(snapshot, "two items"))
    rules = client.rules
    whole = client.fetch_all({}).identities
    absent = client.fetch_page({rules.limit: str(min(5, longest))})
    check.holds(absent.identities == whole[:5][:longest], f"the start of the list, as without {rules.offset}",
                _difference(whole[:5], absent.identities), absent.response)  # fmt: skip
    for query in orders(client):
        ordered = client.fetch_all(query).identities if query else whole
        for offset in sorted({0, 1, 2, count // 2, count - 1} if not query else {1, count - 1}):
            for size in (min(3, longest), longest):
                page = client.fetch_page({**query, rules.offset: str(offset), rules.limit: str(size)})
                expected = ordered[offset : offset + size]
                wanted = f"the {len(expected)} items from position {offset} of the list"
                check.holds(page.identities == expected, wanted, _difference(expected, page.identities), page.response)
    return None


def after_the_end(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages after the last item are empty."""
    count, rules = len(snapshot.items), client.rules
    if not snapshot.complete:
        return check.skip(_too_few(snapshot, "a whole list"))
    largest = client.tested.operation.parameters[rules.offset].schema.get("maximum", math.inf)
    for offset in (each for each in (count, count + 1, count + 1000) if each <= largest):
        page = client.fetch_page({rules.offset: str(offset), rules.limit: str(min(10, client.page_length))})
        check.holds(not page.items, f"no items after the last of {count}", f"{len(page.items)} items", page.response)
    return None


def windows(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check pages at the start, in the middle and at the end of a list of any length."""
    count = len(snapshot.items) if snapshot.complete or snapshot.total is None else snapshot.total
    if count < 2:
        return check.skip("needs two items")
    rules, size = client.rules, min(WINDOW_LENGTH, client.page_length)
    for query in ({}, list(orders(client))[-1]):
        for offset in sorted({0, 1, count // 2, max(0, count - size), count - 1}):
            here, moved = (
                client.fetch_page({**query, rules.offset: str(at), rules.limit: str(size)})
                for at in (offset, offset + 1)
            )
            length = min(size, count - offset)
            expected = f"{length} items from position {offset}, as the list has {count}"
            check.holds(len(here.items) == length, expected, f"{len(here.items)} items", here.response)
            shared, found = here.identities[1:], moved.identities[: len(here.items) - 1]
            expected = f"the items after position {offset} at the start of the page from position {offset + 1}"
            check.holds(shared == found, expected, _difference(shared, found), here.response, moved.response)
            check.holds(here.total in (count, None), f"total {count}", f"total {here.total}", here.response)
    return None


def clamp(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Observe a limit above the maximum: refused, clamped or accepted."""
    size = (client.rules.max_limit or client.page_length) + 1
    response = client.send({client.rules.limit: str(size)})
    try:
        check.observe(
            f"{client.rules.limit}={size}: {len(client.parse_page(response).items)} of {len(snapshot.items)} items"
        )
    except UnexpectedResponseError as error:
        check.observe(f"{client.rules.limit}={size}: {error.what}")


def total(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that the total does not depend on page and order."""
    count, rules = len(snapshot.items), client.rules
    if not snapshot.complete:
        return check.skip(_too_few(snapshot, "a whole list"))
    queries: list[Query] = [{}, {rules.limit: "1"}, {rules.offset: "0"}, {rules.offset: str(count + 5)}]
    queries += [{rules.limit: "2", rules.offset: "1"}, {rules.limit: str(client.page_length)}]
    for query in [*queries, *orders(client)]:
        page = client.fetch_page(query)
        check.holds(
            page.total == count, f"total {count}, the number of items on all pages", f"{page.total}", page.response,
            probable=page.total is not None and page.total < len(page.items),
        )  # fmt: skip
    return None


def _too_few(snapshot: Snapshot, need: str) -> str:
    if snapshot.complete:
        return f"needs {need}"
    return f"the list has more than {len(snapshot.items)} items, and no filter narrows it to fewer"


def _difference(expected: tuple[str, ...], seen: tuple[str, ...]) -> str:
    if expected == seen:
        return AS_EXPECTED
    missing, unexpected = set(expected) - set(seen), set(seen) - set(expected)
    if not missing and not unexpected:
        how = "some repeated" if len(seen) > len(set(seen)) else "in another order"
        return f"the same {len(set(seen))} items, {how}"
    return f"{len(seen)} items: {len(missing)} expected ones missing, {len(unexpected)} unexpected"
