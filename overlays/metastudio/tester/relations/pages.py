"""Relations of paging: a page is `list[offset : offset + limit]`, and the total counts the list before paging."""

from __future__ import annotations

import math
from collections.abc import Iterator

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.judge import Relation, RelationCheck
from metastudio.tester.relations.list_client import (
    AS_EXPECTED,
    ListClient,
    ListPage,
    Snapshot,
    UnexpectedResponseError,
    is_refusal,
)
from metastudio.tester.relations.orders import query as ordered
from metastudio.tester.relations.pagers import Query
from metastudio.tester.verdicts import Property, Suite

MAX_PAGES = 12
WINDOW_LENGTH = 10


def relations(tested: OperationUnderTest) -> Iterator[Relation]:
    """Yield the relations of paging and the total, without those on any page if pages only follow each other."""
    rules, style = tested.rules, tested.rules.paging.style
    page, limit = tested.location("/x-list/page", rules.sources["page"]), rules.limit
    largest, is_random = rules.max_limit, style in ("offset", "page")

    def of(id_: str, sentence: str) -> Property:
        return Property(tested.name, Suite.MEANING, id_, sentence, page)

    yield Relation(of("page.joined", "All pages together are the whole list, with each item once."), joined)
    length = f"{limit} items, or all items if there are fewer" if is_random else f"at most {limit} items"
    yield Relation(of("page.limit", f"A page has {length}, and equals the start of a longer page."), lengths)
    if style == "offset":
        sentence = f"{rules.offset} skips that many items of the list; 0 or absent skips none."
        yield Relation(of("page.offset", sentence), offsets)
        sentence = f"{rules.offset}=N+1 returns the page of {rules.offset}=N moved by one item, anywhere in the list."
        yield Relation(of("page.windows", sentence), windows, whole=True)
    elif style == "page":
        sentence = f"{rules.offset} counts pages of {limit} items from {rules.paging.first}, the page without a number."
        yield Relation(of("page.number", sentence), offsets)
        sentence = f"A page equals the two pages of half its {limit}, anywhere in the list."
        yield Relation(of("page.windows", sentence), halves, whole=True)
    if not is_random:
        yield Relation(of("page.end", "The last page has no next page."), last_page)
    elif rules.paging.end != "unstated":
        how = "empty and not an error" if rules.paging.end == "empty" else "refused"
        yield Relation(of("page.end", f"A page after the end of the list is {how}."), after_the_end)
    if largest is not None:
        location = tested.location_at(f"{tested.parameter_pointers['query', limit]}/schema/maximum", "decision")
        sentence = f"The effect of a {limit} above {largest}, a maximum that this contract chose."
        yield Relation(
            Property(tested.name, Suite.MEANING, "page.clamp", sentence, location), clamp, stated=False, whole=True
        )
    if rules.has_total:
        location = tested.location("/x-list/total", rules.sources["total"])
        where = rules.total or f"The header {rules.total_header}"
        sentence = f"{where} counts all items that match the filters, independent of page and order."
        yield Relation(Property(tested.name, Suite.MEANING, "total", sentence, location), total)


def orders(client: ListClient) -> Iterator[Query]:
    """Yield the query of each order, first without one. An order that the contract leaves open is not requested."""
    yield {}
    order = client.rules.order
    for key in order.keys if order and order.source != "unstated" else ():
        if order:
            yield ordered(order, (key, None))
        if order and (order.direction or order.affix):
            yield ordered(order, (key, order.desc))


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
    return None


def offsets(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages anywhere in the list are a window over the same list."""
    count, longest = len(snapshot.items), client.page_length
    if count < 2 or not snapshot.complete:
        return check.skip(_too_few(snapshot, "two items"))
    whole, few = client.fetch_all({}).identities, max(client.shortest, min(5, longest))
    absent = client.fetch_page(client.sized(few))
    expected = f"the start of the list, as without {client.rules.offset}"
    seen = _difference(whole[:few], absent.identities)
    check.holds(absent.identities == whole[:few], expected, seen, absent.response)
    for query in orders(client):
        listed = client.fetch_all(query).identities if query else whole
        for size in dict.fromkeys((max(client.shortest, min(3, longest)), longest)):
            positions = client.pager.positions(count, size)
            for position in positions if not query else positions[1:2] + positions[-1:]:
                page = client.fetch_page({**query, **(client.pager.at(position, size) or {})})
                there = listed[position : position + size]
                expected = f"the {len(there)} items from position {position} of the list"
                check.holds(page.identities == there, expected, _difference(there, page.identities), page.response)
    return None


def after_the_end(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that pages after the last item are empty, or refused."""
    count, rules, size = len(snapshot.items), client.rules, max(client.shortest, min(10, client.page_length))
    if not snapshot.complete:
        return check.skip(_too_few(snapshot, "a whole list"))
    largest = client.tested.operation.parameters[rules.offset].schema.get("maximum", math.inf)
    page_after = math.ceil(count / size) * size or size
    starts = (page_after, page_after + size, page_after + 100 * size)
    for position in starts if rules.paging.style == "page" else (count, count + 1, count + 1000):
        query = client.pager.at(position, size) or {}
        if int(str(query[rules.offset])) > largest:
            continue
        if rules.paging.end == "refused":
            response = client.send(query)
            fine, seen = is_refusal(response), f"status {response.status}"
            check.holds(fine, f"a refusal, as the list has {count} items", seen, response)
        else:
            page = client.fetch_page(query)
            seen = f"{len(page.items)} items"
            check.holds(not page.items, f"no items after the last of {count}", seen, page.response)
    return None


def last_page(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that following the pages comes to an end."""
    count = len(snapshot.items)
    if not snapshot.complete:
        return check.skip(_too_few(snapshot, "a whole list"))
    for size in dict.fromkeys((client.page_length, *sizes(max(count, 1), client.page_length))):
        listing = client.fetch_all({}, size)
        expected = f"no next page after the last of {count} items"
        check.holds(listing.ended, expected, "a next page, which has no new items", *listing.responses[-2:])
    return None


def windows(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check pages at the start, in the middle and at the end of a list of any length."""
    count = len(snapshot.items) if snapshot.complete or snapshot.total is None else snapshot.total
    if count < 2:
        return check.skip("needs two items")
    size = max(client.shortest, min(WINDOW_LENGTH, client.page_length))
    for query in ({}, list(orders(client))[-1]):
        for offset in sorted({0, 1, count // 2, max(0, count - size), count - 1}):
            here, moved = (
                client.fetch_page({**query, **(client.pager.at(at, size) or {})}) for at in (offset, offset + 1)
            )
            _check_length(check, here, offset, size, count)
            shared, found = here.identities[1:], moved.identities[: len(here.items) - 1]
            expected = f"the items after position {offset} at the start of the page from position {offset + 1}"
            check.holds(shared == found, expected, _difference(shared, found), here.response, moved.response)
    return None


def halves(client: ListClient, snapshot: Snapshot, check: RelationCheck) -> None:
    """Check that a page equals two pages of half its length, in a list of any length."""
    count = len(snapshot.items) if snapshot.complete or snapshot.total is None else snapshot.total
    half = max(client.shortest, min(WINDOW_LENGTH, client.page_length) // 2)
    if count < 2 or 2 * half > client.page_length:
        return check.skip("needs two items, and pages of two items")
    for query in ({}, list(orders(client))[-1]):
        for position in client.pager.positions(count, 2 * half):
            whole, *parts = (
                client.fetch_page({**query, **(client.pager.at(at, size) or {})})
                for at, size in ((position, 2 * half), (position, half), (position + half, half))
                if at < count
            )
            _check_length(check, whole, position, 2 * half, count)
            found = tuple(name for part in parts for name in part.identities)
            expected = f"the items from position {position} in two pages of {half}"
            responses = [each.response for each in (whole, *parts)]
            check.holds(whole.identities == found, expected, _difference(whole.identities, found), *responses)
    return None


def _check_length(check: RelationCheck, page: ListPage, position: int, size: int, count: int) -> None:
    length = min(size, count - position)
    expected = f"{length} items from position {position}, as the list has {count}"
    check.holds(len(page.items) == length, expected, f"{len(page.items)} items", page.response)
    check.holds(page.total in (count, None), f"total {count}", f"total {page.total}", page.response)


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
    queries: list[Query] = [{}, client.sized(1), client.sized()]
    few = max(2, client.shortest)
    queries += [client.pager.at(each, few) or {} for each in client.pager.positions(count, few)[:3]]
    if client.pager.is_random and rules.paging.end == "empty":
        queries.append(client.pager.at((count // few + 3) * few, few) or {})
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
