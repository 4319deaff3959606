"""Relations of paging: a page is `list[offset : offset + limit]`, and the total counts the list before paging."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck, meaning
from metastudio.tester.relations.list_client import (
    ListClient,
    ListPage,
    Query,
    Snapshot,
    UnexpectedResponseError,
    is_refusal,
)
from metastudio.tester.relations.orders import query as ordered

MAX_PAGES = 12
WINDOW_LENGTH = 10


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of paging and the total, without those on any page if pages only follow each other."""
    rules, style, of = tested.rules, tested.rules.paging.style, partial(meaning, tested)
    page, limit, offset = tested.location("/x-list/page", rules.sources["page"]), rules.limit, rules.offset
    is_random = style in ("offset", "page")
    yield Relation(of("page.joined", "All pages together are the whole list, with each item once.", page), joined)
    length = f"{limit} items, or all items if there are fewer" if is_random else f"at most {limit} items"
    yield Relation(of("page.limit", f"A page has {length}, and equals the start of a longer page.", page), lengths)
    if style == "offset":
        sentence = f"{offset} skips that many items of the list; 0 or absent skips none."
        yield Relation(of("page.offset", sentence, page), offsets)
        sentence = f"{offset}=N+1 returns the page of {offset}=N moved by one item, anywhere in the list."
        yield Relation(of("page.windows", sentence, page), windows, whole=True)
    elif style == "page":
        sentence = f"{offset} counts pages of {limit} items from {rules.paging.first}, the page without a number."
        yield Relation(of("page.number", sentence, page), offsets)
        sentence = f"A page equals the two pages of half its {limit}, anywhere in the list."
        yield Relation(of("page.windows", sentence, page), halves, whole=True)
    if not is_random:
        yield Relation(of("page.end", "The last page has no next page.", page), last_page)
    elif rules.paging.end != "unstated":
        how = "empty and not an error" if rules.paging.end == "empty" else "refused"
        yield Relation(of("page.end", f"A page after the end of the list is {how}.", page), after_the_end)
    if rules.max_limit is not None:
        location = tested.location_at(f"{tested.parameter_pointers['query', limit]}/schema/maximum", "decision")
        sentence = f"The effect of a {limit} above {rules.max_limit}, a maximum that this contract chose."
        yield Relation(of("page.clamp", sentence, location), clamp, stated=False, whole=True)
    if rules.has_total:
        where = rules.total or f"The header {rules.total_header}"
        sentence = f"{where} counts all items that match the filters, independent of page and order."
        yield Relation(of("total", sentence, tested.location("/x-list/total", rules.sources["total"])), total)


def orders(client: ListClient) -> Iterator[Query]:
    """Yield the query of each order, first without one. An order that the contract leaves open is not requested."""
    yield {}
    order = client.rules.order
    if order and order.source != "unstated":
        for key in order.keys:
            yield ordered(order, (key, None))
            if order.direction or order.affix:
                yield ordered(order, (key, order.desc))


def sizes(count: int, longest: int) -> Iterator[int]:
    """Yield page lengths that divide a list of `count` items differently, into a limited number of pages."""
    least = max(1, math.ceil(count / MAX_PAGES))
    yield from dict.fromkeys(min(longest, size) for size in (least, max(least + 1, 7), max(least, count // 2)))


def joined(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages of any length together are the whole list in order."""
    count = _length(snapshot, check, 2)
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
            check.same(whole.identities, listing.identities, expected, *whole.responses[:1], *listing.responses)


def lengths(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that each limit within the contract returns that many items from the start of the list."""
    count, longest, largest = _length(snapshot, check, 1), client.page_length, client.rules.max_limit
    if largest is not None and longest < largest:
        response = client.send({client.rules.limit: str(largest)})
        seen = f"status {response.status}; the longest page has {longest} items"
        check.holds(False, f"a page of up to {largest} items, the maximum of the contract", seen, response)
    first = client.fetch_page(client.sized())
    for size in sorted({1, 2, 3, count - 1, count, count + 1, longest // 2, longest - 1, longest}):
        if client.shortest <= size <= longest:
            page = client.fetch_page(client.sized(size))
            wanted, found = min(size, count), len(page.items)
            fine = found == wanted if client.pager.is_random else found <= size
            expected = f"{wanted} items, as the list has {count}" if client.pager.is_random else f"at most {size} items"
            check.holds(fine, expected, f"{found} items", page.response, certain=found > size)
            prefix, shared = first.identities[:found], page.identities[: len(first.items)]
            expected = f"the first {found} items of the page of {longest}"
            check.holds(shared == prefix, expected, "other items, or another order", first.response, page.response)


def offsets(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages anywhere in the list are a window over the same list."""
    count, longest = _length(snapshot, check, 2), client.page_length
    whole, few = client.fetch_all({}).identities, max(client.shortest, min(5, longest))
    absent = client.fetch_page(client.sized(few))
    expected = f"the start of the list, as without {client.rules.offset}"
    check.same(whole[:few], absent.identities, expected, absent.response)
    for query in orders(client):
        listed = client.fetch_all(query).identities if query else whole
        for size in dict.fromkeys((max(client.shortest, min(3, longest)), longest)):
            positions = client.pager.positions(count, size)
            for position in positions if not query else positions[1:2] + positions[-1:]:
                page, there = _page(client, query, position, size), listed[position : position + size]
                expected = f"the {len(there)} items from position {position} of the list"
                check.same(there, page.identities, expected, page.response)


def after_the_end(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages after the last item are empty, or refused."""
    count, rules, size = _length(snapshot, check), client.rules, max(client.shortest, min(10, client.page_length))
    largest = client.tested.operation.parameters[rules.offset].schema.get("maximum", math.inf)
    page_after = math.ceil(count / size) * size or size
    starts = (page_after, page_after + size, page_after + 100 * size)
    for position in starts if rules.paging.style == "page" else (count, count + 1, count + 1000):
        query = client.pager.at(position, size) or {}
        if int(str(query[rules.offset])) > largest:
            continue
        if rules.paging.end == "refused":
            response = client.send(query)
            expected, seen = f"a refusal, as the list has {count} items", f"status {response.status}"
            check.holds(is_refusal(response), expected, seen, response)
        else:
            page = client.fetch_page(query)
            expected = f"no items after the last of {count}"
            check.holds(not page.items, expected, f"{len(page.items)} items", page.response)


def last_page(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that following the pages comes to an end."""
    count = _length(snapshot, check)
    for size in dict.fromkeys((client.page_length, *sizes(max(count, 1), client.page_length))):
        listing = client.fetch_all({}, size)
        expected = f"no next page after the last of {count} items"
        check.holds(listing.ended, expected, "a next page, which has no new items", *listing.responses[-2:])


def windows(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check pages at the start, in the middle and at the end of a list of any length."""
    count = _any_length(snapshot)
    check.need(count >= 2, "needs two items")
    size = max(client.shortest, min(WINDOW_LENGTH, client.page_length))
    for query in ({}, list(orders(client))[-1]):
        offsets = {0, 1, (count - 1) // 2, max(0, count - size), count - 2}
        for offset in sorted(each for each in offsets if each + 1 < count):  # a page after the end may be refused
            here, moved = (_page(client, query, at, size) for at in (offset, offset + 1))
            _check_length(check, here, offset, size, count)
            shared, found = here.identities[1:], moved.identities[: len(here.items) - 1]
            expected = f"the items after position {offset} at the start of the page from position {offset + 1}"
            check.same(shared, found, expected, here.response, moved.response)


def halves(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that a page equals two pages of half its length, in a list of any length."""
    count = _any_length(snapshot)
    half = max(client.shortest, min(WINDOW_LENGTH, client.page_length) // 2)
    check.need(count >= 2 and 2 * half <= client.page_length, "needs two items, and pages of two items")
    for query in ({}, list(orders(client))[-1]):
        for position in client.pager.positions(count, 2 * half):
            starts = [(position, 2 * half), (position, half), (position + half, half)]
            whole, *parts = (_page(client, query, at, size) for at, size in starts if at < count)
            _check_length(check, whole, position, 2 * half, count)
            found = tuple(name for part in parts for name in part.identities)
            expected = f"the items from position {position} in two pages of {half}"
            check.same(whole.identities, found, expected, *(each.response for each in (whole, *parts)))


def clamp(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Observe a limit above the maximum: refused, clamped or accepted."""
    size = (client.rules.max_limit or client.page_length) + 1
    try:
        page = client.parse_page(client.send({client.rules.limit: str(size)}))
        seen = f"{len(page.items)} of {len(snapshot.items)} items"
    except UnexpectedResponseError as error:
        seen = error.what
    check.observed.append(f"{client.rules.limit}={size}: {seen}")


def total(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that the total does not depend on page and order."""
    count, few = _length(snapshot, check), max(2, client.shortest)
    queries: list[Query] = [{}, client.sized(1), client.sized()]
    queries += [client.pager.at(each, few) or {} for each in client.pager.positions(count, few)[:3]]
    if client.pager.is_random and client.rules.paging.end == "empty":
        queries.append(client.pager.at((count // few + 3) * few, few) or {})
    for query in [*queries, *orders(client)]:
        page = client.fetch_page(query)
        check.holds(
            page.total == count, f"total {count}, the number of items on all pages", f"{page.total}", page.response,
            probable=page.total is not None and page.total < len(page.items),
        )  # fmt: skip


def _page(client: ListClient, query: Query, position: int, size: int) -> ListPage:
    return client.fetch_page({**query, **(client.pager.at(position, size) or {})})


def _check_length(check: RelationCheck, page: ListPage, position: int, size: int, count: int) -> None:
    length = min(size, count - position)
    expected = f"{length} items from position {position}, as the list has {count}"
    check.holds(len(page.items) == length, expected, f"{len(page.items)} items", page.response)
    check.holds(page.total in (count, None), f"total {count}", f"total {page.total}", page.response)


def _length(snapshot: Snapshot, check: RelationCheck, least: int = 0) -> int:
    """Return the number of items. Stop the check if there are fewer than `least`, or too many to read them all."""
    count = len(snapshot.items)
    check.need(snapshot.complete, f"the list has more than {count} items, and no filter narrows it to fewer")
    check.need(count >= least, f"needs {'an item' if least == 1 else 'two items'}")
    return count


def _any_length(snapshot: Snapshot) -> int:
    return len(snapshot.items) if snapshot.complete or snapshot.total is None else snapshot.total
