"""Reads a list by offset, which allows several requests in flight.

A list that does not change is delivered whole, in the order of the server. In a list that changes, an item deleted
before the offset moves the rest up, so that one item is missed; an item created there moves the rest down, so that one
comes again. Items that come again on the next page are left out. A shrinking total gives a `ListChangedWarning`.
`metastudio.lists.keyset` reads lists that change.

Servers are not trusted to end the list. Reading ends at the total: operations of this cloud are documented to answer an
offset beyond it with the last page again (docs/service-notes.md#paging-and-order). A page without new items, an empty
page before the total and a total that keeps growing are errors.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from metastudio.contract.operation import Operation
from metastudio.errors import ListChangedError, ListChangedWarning
from metastudio.lists.base import FetchedPage, PageRequest, Paginator
from metastudio.lists.options import Page

T = TypeVar("T")


class OffsetPaginator(Paginator[T]):
    """Requests one offset after the other, up to the total or `max_items`. Prefetches as soon as the total is known."""

    def __init__(
        self, operation: Operation, arguments: Mapping[str, Any], *, page_size: int, max_items: int | None
    ) -> None:
        super().__init__(operation, arguments, page_size=page_size, max_items=max_items)
        self._end = max_items
        self._next_offset = 0
        self._gap: PageRequest | None = None
        self._total = _Total(page_size)
        self._repeats = _RepeatFilter[T](self.identity_of)

    def next_request(self) -> PageRequest | None:
        """See `Paginator`. What a short page left out comes first."""
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        total, limit = self._total.last, self._page_size
        if self._end is not None:
            limit = min(limit, self._end - self._next_offset)
        if limit <= 0 or (total is not None and self._next_offset >= total):
            return None
        request = self._request(self._next_offset, limit)
        self._next_offset += limit
        return request

    def receive(self, request: PageRequest, fetched: FetchedPage[T]) -> Page[T] | None:
        """See `Paginator`."""
        items = fetched.items[: request.limit]
        total = self._total.update(fetched.total, request.offset)
        self.can_prefetch = total is not None
        if request.offset and total is not None and request.offset >= total:
            self.done = True  # the list has shrunk, so the items are not from there
            return None
        end = request.offset + len(items)
        wanted = request.offset + request.limit
        if total is None:
            self.done = end < wanted
        elif end < min(wanted, total):
            self._fill_gap(request, end)
        new = self._repeats.remove(items, total)
        if self._end is not None:
            self._end += len(items) - len(new)
            self.done = self.done or end >= self._end
        return Page(new, request.offset, total, fetched.request_id) if new or not request.offset else None

    def _fill_gap(self, request: PageRequest, end: int) -> None:
        """Request what a short page left out, before anything behind it is delivered."""
        if end == request.offset:
            if request.repeated:
                raise ListChangedError(
                    f"the server counts {self._total.last} items but returns none from offset {end} on; "
                    "all items before were delivered"
                )
            self._gap = self._request(request.offset, request.limit, repeated=True)
        elif request.offset == 0 and not request.repeated:  # nothing else is in flight: the server's pages are smaller
            self._page_size = self._next_offset = end
        else:
            self._gap = self._request(end, request.offset + request.limit - end)


class _Total:
    """Follows the total of a list. Warns once if it shrinks, and gives up if it keeps growing."""

    def __init__(self, page_size: int) -> None:
        self.last: int | None = None
        self._page_size = page_size
        self._first = 0
        self._largest = 0
        self._warned = False

    def update(self, total: int | None, offset: int) -> int | None:
        """Take the total of the response at `offset`, and return the last one known."""
        if total is None:
            return self.last
        if self.last is None:
            self._first = total
        check_growth(offset, self._first, self._page_size)
        if total < self._largest and not self._warned:
            self._warned = True
            warnings.warn(
                f"the list shrank from {self._largest} to {total} items while it was read, so items may be missing; "
                "consistent=True misses none",
                ListChangedWarning,
                stacklevel=_stacklevel_of_reader(),
            )
        self._largest = max(self._largest, total)
        self.last = total
        return total


class _RepeatFilter(Generic[T]):
    """Removes items that came on the page before, and detects pages that repeat.

    Remembers two pages, so that memory stays constant: the page before, because items move to the next page when others
    are created; and the page of the last power of two, which detects a cycle of any length (Brent's algorithm).
    """

    def __init__(self, identity_of: Callable[[T], Any]) -> None:
        self._identity_of = identity_of
        self._pages = 0
        self._previous = frozenset[str]()
        self._milestone = frozenset[str]()
        self._total: int | None = None

    def remove(self, items: list[T], total: int | None) -> list[T]:
        """Return the items that were not on the page before.

        Raises:
            ListChangedError: No item is new although the list has not grown.
        """
        identities = [self._identity_of(item) for item in items]
        if not items or None in identities:
            return items
        page = frozenset(map(str, identities))
        grown = total is not None and self._total is not None and total > self._total
        if not grown and (page <= self._previous or page <= self._milestone):
            raise ListChangedError(
                "the server returned the same page twice: it ignores the offset, or the list changed; "
                "consistent=True reads a list that changes"
            )
        new = [item for item, identity in zip(items, identities, strict=True) if str(identity) not in self._previous]
        self._previous, self._total = page, total
        self._pages += 1
        if self._pages & (self._pages - 1) == 0:
            self._milestone = page
        return new


def check_growth(offset: int, total: int, page_size: int) -> None:
    """Raise ListChangedError if the offset is far beyond the total that the list had at first."""
    if offset > 2 * total + 10 * page_size:
        raise ListChangedError(
            f"the list grows faster than it is read: {total} items at first, and offset {offset} is not the end; "
            "narrow the filters"
        )


def _stacklevel_of_reader() -> int:
    """Return the `stacklevel` of the first frame outside this package. It differs between items and pages."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "metastudio":
        frame = frame.f_back
        level += 1
    return level
