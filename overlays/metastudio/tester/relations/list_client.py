"""Client of one list operation: pages, items and snapshots of the list."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from metastudio.contract.operation import Filter, ListRules
from metastudio.http.url import query_pairs
from metastudio.tester.http_client import HttpClient, HttpResponse
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.values import ValueType, query_text, values_at

MAX_COMPARED_ITEMS = 1000
"""Maximum length of a list that is read completely. A longer one is narrowed by a filter (`narrowing`)."""
DEFAULT_PAGE_LENGTH = 100
"""Length of a page if the contract has no maximum."""
MAX_SNAPSHOT_READS = 6
"""How often the list is read until its items match its total."""
MAX_DIGITS = 20
"""Longer totals are no numbers."""
MAX_EMPTY_PAGES = 5
"""How many pages without items may follow each other if each has a next one."""
AS_EXPECTED = "as expected"
Query = Mapping[str, str | tuple[str, ...]]
"""Query parameters by name; a tuple repeats the parameter."""


class UnexpectedResponseError(Exception):
    """A valid request got something else than a page; `what` describes it."""

    def __init__(self, response: HttpResponse, what: str) -> None:
        super().__init__(what)
        self.response = response
        self.what = what


@dataclass(frozen=True)
class ListItem:
    """An item of the list."""

    identity: str
    """Its identity as JSON."""
    values: Mapping[str, tuple[Any, ...]]
    """Values of the properties in `x-list` in comparable form, by JSON pointer. None: not comparable."""
    raw: Any
    """The item as JSON."""


@dataclass(frozen=True)
class ListPage:
    """One page: its items, its total (None if the contract has none) and the response."""

    items: tuple[ListItem, ...]
    total: int | None
    response: HttpResponse

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """The identities on the page, in order."""
        return tuple(each.identity for each in self.items)


@dataclass(frozen=True)
class PagedListing:
    """All pages of a list.

    `complete` is false if the list is too long, `ended` is false if a page without new items has a next one.
    """

    pages: tuple[ListPage, ...]
    complete: bool
    ended: bool = True

    @cached_property
    def items(self) -> tuple[ListItem, ...]:
        """The items of all pages, in order."""
        return tuple(item for page in self.pages for item in page.items)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """The identities of all items, in order."""
        return tuple(each.identity for each in self.items)

    @property
    def total(self) -> int | None:
        """The total of the first page."""
        return self.pages[0].total

    @property
    def responses(self) -> tuple[HttpResponse, ...]:
        """The responses of all pages."""
        return tuple(each.response for each in self.pages)


@dataclass(frozen=True)
class Snapshot:
    """The list at one moment. `complete` is false if the list is too long."""

    items: Mapping[str, ListItem]
    total: int | None
    complete: bool
    responses: tuple[HttpResponse, ...] = field(compare=False)

    def select(self, test: Callable[[ListItem], bool | None]) -> tuple[set[str], set[str]]:
        """Return the identities for which the test is true, and those for which it is None."""
        verdicts = {name: test(item) for name, item in self.items.items()}
        return {n for n, v in verdicts.items() if v}, {n for n, v in verdicts.items() if v is None}

    def is_contradicted_by(self, page: ListPage) -> bool:
        """Whether a page shows that the list changed: an unknown or changed item, or a larger total."""
        if page.total is not None and self.total is not None and page.total > self.total:
            return True
        return any(
            i.values != self.items[i.identity].values if i.identity in self.items else self.complete for i in page.items
        )

    def same_as(self, other: Snapshot) -> bool:
        """Whether the compared values and the total are the same."""
        first, second = ({name: item.values for name, item in each.items.items()} for each in (self, other))
        return self.total == other.total and first == second


class Pager:
    """The requests for the pages of a list, by the style of paging in the contract."""

    def __init__(self, rules: ListRules) -> None:
        self._rules = rules
        self.is_random = rules.paging.style in ("offset", "page")
        """Whether any page can be requested. Then each page but the last is full, otherwise a page may be shorter."""

    def at(self, position: int, size: int) -> Query | None:
        """Return the query of the page that starts at a position of the list, None if no page starts there."""
        rules, limit = self._rules, {self._rules.limit: str(size)}
        if not self.is_random:
            return None if position else limit
        if rules.paging.style == "offset":
            return {rules.offset: str(position), **limit}
        number = rules.paging.first + position // size * (rules.paging.stride or size)
        return None if position % size else {rules.offset: str(number), **limit}

    def positions(self, count: int, size: int) -> tuple[int, ...]:
        """Return positions in a list of `count` items where pages start: at its start, in its middle and at its end."""
        if not self.is_random:
            return (0,)
        step, marks = 1, (0, 1, 2, count // 2, max(0, count - size), count - 1)
        if self._rules.paging.style == "page":
            step, marks = size, (0, size, size, count // 2, count - 1, count - 1)
        return tuple(sorted({each // step * step for each in marks if 0 <= each < max(count, 1)}))

    def following(self, page: ListPage, end: int, size: int) -> Query | str | None:
        """Return the query or the link of the page after one that ends at position `end`. None: it is the last."""
        pointer, limit = self._rules.paging.next, self._rules.limit
        if self.is_random:
            is_last = len(page.items) < size if page.total is None else end >= page.total
            return None if is_last else self.at(end, size)
        if self._rules.paging.style == "cursor":
            cursor = _at(page.response.json, pointer)
            return {self._rules.offset: query_text(cursor), limit: str(size)} if cursor else None
        links = httpx.Response(200, headers=page.response.headers).links
        found = _at(page.response.json, pointer) if pointer else links.get("next", {}).get("url")
        return found if isinstance(found, str) and found else None


class ListClient:
    """Client of one list operation.

    Args:
        tested: the operation.
        http: the client.
        path: path of the operation, parameters filled in.
        values: values of the path parameters.
        fixed_query: query parameters of every request.
    """

    def __init__(
        self,
        tested: OperationUnderTest,
        http: HttpClient,
        path: str,
        values: Mapping[str, str],
        fixed_query: Mapping[str, str],
    ) -> None:
        self.tested = tested
        self.rules: ListRules = tested.rules
        self.http = http
        self.path = path
        self.path_values = values
        self.fixed_query = {**fixed_query, **tested.rules.constants, **tested.rules.total_when}
        self.pager = Pager(tested.rules)
        self.shortest = tested.shortest_page
        self.readings: dict[str, Filter] = {}
        self.pages: list[ListPage] = []
        self.assumed_defaults: dict[str, str] = {}
        self._types = {pointer: tested.value_type(pointer) for pointer in self.pointers}

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """JSON pointers of the item properties that relations compare."""
        rules = self.rules
        found = [*rules.scope.values(), *(rules.order.keys.values() if rules.order else ())]
        found += [rules.order.ties] if rules.order and rules.order.ties else []
        found += [each.property for each in rules.filters.values() if each.property]
        return tuple(dict.fromkeys(found))

    @property
    def may_refuse_pages(self) -> bool:
        """Whether a page that is beyond the end, perhaps since items were deleted, may be refused."""
        return self.pager.is_random and self.rules.paging.end != "empty"

    def comparable(self, *pages: ListPage) -> list[ListPage]:
        """Return responses to equal requests, cut to the shortest one where a page may be shorter than asked for."""
        length = None if self.pager.is_random else min(len(each.items) for each in pages)
        return [replace(each, items=each.items[:length]) for each in pages]

    @cached_property
    def page_length(self) -> int:
        """The longest page that the server returns, up to the maximum of the contract, or 100 items without one."""
        longest = self.rules.max_limit or DEFAULT_PAGE_LENGTH
        response = self.send({self.rules.limit: str(longest)})
        if is_refusal(response):
            return bisect_left(range(1, longest), True, key=self._is_refused) or longest
        page = self.parse_page(response)
        count = len(page.items)
        is_whole = count in (0, page.total) or (page.total is not None and count > page.total)
        if is_whole or count >= longest or not self.pager.is_random:
            return longest
        response = self.send(self.pager.at(count, longest) or self.pager.at(longest, longest) or {})
        if is_refusal(response) or not self.parse_page(response).items:
            return longest
        is_maximum = len(self.fetch_page({self.rules.limit: str(count)}).items) == count
        return count if is_maximum else longest

    def _is_refused(self, size: int) -> bool:
        return is_refusal(self.send({self.rules.limit: str(size)}))

    def narrowed(self, query: Mapping[str, str]) -> ListClient:
        """Return a client of the part of the list that matches a query. Both record the same pages."""
        found = copy(self)
        found.fixed_query = {**self.fixed_query, **query}
        return found

    def value_type(self, pointer: str) -> ValueType:
        """Return how the values of an item property are compared."""
        return self._types[pointer]

    def sized(self, size: int | None = None) -> Query:
        """Return the query for the length of a page, the longest one without a size."""
        return {self.rules.limit: str(max(self.shortest, size or self.page_length))}

    def filter_rule(self, name: str) -> Filter:
        """Return the rule of a filter, with the op that the server uses if the contract leaves a choice."""
        return self.readings.get(name, self.rules.filters[name])

    def send(self, query: Query) -> HttpResponse:
        """Send a request and return the response, whatever it is."""
        pairs, headers = self._parameters(query)
        return self.http.send(self.path, pairs, headers=headers)

    def follow(self, query: Query, following: Query | str, base: HttpResponse) -> HttpResponse:
        """Request the next page, by a query or by a link. Only the host of the run is asked, whatever a link names."""
        if not isinstance(following, str):
            return self.send({**query, **following})
        own = self.http.base_url
        try:
            url = urljoin(base.url, following)
            path = urlsplit(url.removeprefix(own)).path if url.startswith(f"{own}/") else self.path
            pairs = query_pairs(urlsplit(url).query)
        except ValueError:
            raise UnexpectedResponseError(base, "a link to the next page that is no URL") from None
        return self.http.send(path, pairs, headers=self._parameters(query)[1])

    def _parameters(self, query: Query) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the query and the headers of a request."""
        known, pairs, headers = self.tested.operation.parameters, list[tuple[str, str]](), list[tuple[str, str]]()
        for name, value in {**self.fixed_query, **query}.items():
            target = headers if name in known and known[name].location == "header" else pairs
            target += [(name, text) for text in (value if isinstance(value, tuple) else (value,))]
        return pairs, headers

    def fetch_page(self, query: Query) -> ListPage:
        """Request a page. Raise UnexpectedResponseError if the response is not one."""
        return self.parse_page(self.send(query), counted=True)

    def parse_page(self, response: HttpResponse, *, counted: bool = False) -> ListPage:
        """Parse a response as a page. Raise UnexpectedResponseError if it is not one.

        Args:
            response: the response.
            counted: whether the request asked for the total, if it has to be asked for.
        """
        if response.status not in self.tested.operation.success:
            raise UnexpectedResponseError(response, f"status {response.status}{_message(response)}")
        if not response.is_json:
            kind = response.headers.get("content-type", "no content type")
            raise UnexpectedResponseError(response, f"status {response.status} with a body that is not JSON ({kind})")
        items = _at(response.json, self.rules.items)
        if not isinstance(items, list):
            raise UnexpectedResponseError(response, f"no array at {self.rules.items or 'the top'} of the response")
        total = self._total(response)
        if self.rules.has_total and total is None and (counted or not self.rules.total_when):
            where = self.rules.total or f"header {self.rules.total_header}"
            raise UnexpectedResponseError(response, f"no integer at {where} of the response")
        page = ListPage(tuple(self.parse_item(each, response) for each in items), total, response)
        self.pages.append(page)
        return page

    def _total(self, response: HttpResponse) -> int | None:
        if self.rules.total_header:
            text = response.headers.get(self.rules.total_header, "").rpartition("/")[2].strip()
            return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None
        found = _at(response.json, self.rules.total) if self.rules.total else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def send_first(self, query: Query, size: int | None = None) -> HttpResponse:
        """Request the first page, of maximum length without a size, and return the response, whatever it is."""
        return self.send({**query, **(self.pager.at(0, size or self.page_length) or {})})

    def fetch_all(self, query: Query, size: int | None = None, first: HttpResponse | None = None) -> PagedListing:
        """Request all pages, until one is the last or contains no new item.

        Args:
            query: filters and order.
            size: page length; None for the maximum.
            first: the response of `send_first(query)`, if it was requested already.

        Raises:
            UnexpectedResponseError: a response is not a page.
        """
        size = max(self.shortest, min(size or self.page_length, self.page_length))
        response = first or self.send_first(query, size)
        pages, seen, position, empty = list[ListPage](), set[str](), 0, 0
        while True:
            page = self.parse_page(response, counted=True)
            new = set(page.identities) - seen
            if pages and self.rules.paging.end == "unstated" and self.pager.is_random and not new:
                return PagedListing(tuple(pages), True)
            pages.append(page)
            seen |= new
            position, empty = position + len(page.items), 0 if page.items else empty + 1
            following = self.pager.following(page, position, size)
            may_go_on = new if self.pager.is_random or page.items else empty < MAX_EMPTY_PAGES
            if following is None or not may_go_on:
                return PagedListing(tuple(pages), True, following is None or self.pager.is_random)
            if len(seen) >= MAX_COMPARED_ITEMS:
                return PagedListing(tuple(pages), False)
            response = self.follow(query, following, page.response)
            if self.may_refuse_pages and is_refusal(response):
                return PagedListing(tuple(pages), True)

    def snapshot(self) -> Snapshot:
        """Read the complete list, repeatedly while the number of items differs from the total.

        The reads are merged, so that a server with an unstable order still yields a complete list.
        """
        listing = self.fetch_all({})
        collected = {each.identity: each for each in listing.items}
        for _ in range(MAX_SNAPSHOT_READS - 1):
            if not listing.complete or listing.total in (None, len(collected)):
                break
            before, listing = collected, self.fetch_all({})
            collected = {**before, **{each.identity: each for each in listing.items}}
            if len(collected) > (listing.total or 0):
                collected = {each.identity: each for each in listing.items}
            if collected.keys() == before.keys():
                break
        return Snapshot(collected, listing.total, listing.complete, listing.responses)

    def parse_item(self, raw: Any, response: HttpResponse) -> ListItem:
        """Parse an item. Raise UnexpectedResponseError if it has no identity."""
        assert self.rules.identity is not None  # see `OperationUnderTest.is_list`
        identity = values_at(raw, self.rules.identity)
        if not identity:
            raise UnexpectedResponseError(response, f"an item without its identity {self.rules.identity}")
        if not isinstance(identity[0], str | int | float):
            what = f"an item whose identity {self.rules.identity} is neither text nor a number"
            raise UnexpectedResponseError(response, what)
        compared = {at: tuple(map(type_.comparable, values_at(raw, at))) for at, type_ in self._types.items()}
        return ListItem(json.dumps(identity[0]), compared, raw)


def object_with(response: HttpResponse, pointer: str) -> Any:
    """Return the only object of a body that has a value at a JSON pointer, at most one level down; else the body."""
    body = response.json if response.is_json else None
    inner = [each for each in body.values() if values_at(each, pointer)] if isinstance(body, dict) else []
    return inner[0] if len(inner) == 1 and not values_at(body, pointer) else body


def raw_values(item: ListItem, pointer: str) -> Iterator[Any]:
    """Yield the values of an item at a JSON pointer, as sent by the server."""
    yield from values_at(item.raw, pointer)


def is_refusal(response: HttpResponse) -> bool:
    """Whether a response refuses the request, other than for lack of credentials or too many requests."""
    return 400 <= response.status < 500 and response.status not in (401, 429)


def _at(value: Any, pointer: str) -> Any:
    found = values_at(value, pointer)
    return found[0] if found else None


def _message(response: HttpResponse) -> str:
    if response.is_json and isinstance(response.json, dict):
        code = response.json.get("error_code") or response.json.get("errorCode")
        return f" ({code})" if isinstance(code, str) else ""
    return ""
