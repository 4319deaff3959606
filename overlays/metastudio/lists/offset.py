"""Which pages of a list to ask for by offset, and what to make of the answers. No I/O: see `metastudio.lists.prefetch`.

What can be promised: a list that does not change while it is read is delivered whole, in the server's order. One that
changes is not: an item deleted ahead of the offset moves the rest up, so that one is missed; an item created ahead of
it moves the rest down, so that one comes again, which is left out where it comes on the next page. Missing is noticed
where the count shrinks, and said once (`ListChangedWarning`). `metastudio.lists.keyset` is for lists that change.

Servers are not trusted to end the list. Reading ends at the count; an offset beyond it, which some servers of this
cloud answer with the last page again (facts.md section 1), is never taken; a page of nothing new, an empty page inside
the count and a count that runs away are errors.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from metastudio_client._engine import Page

from metastudio.errors import ListChangedError, ListChangedWarning

T = TypeVar("T")


@dataclass(frozen=True)
class FetchedPage(Generic[T]):
    """What one request gave: the items, the count of all of them (None where the answer has none), and its ID."""

    items: list[T]
    total: int | None
    request_id: str | None

    @property
    def count(self) -> int | None:
        """The count, if it is one: it comes from the server as it is."""
        return self.total if type(self.total) is int and self.total >= 0 else None


@dataclass(frozen=True)
class Request:
    """A page to fetch: `arguments` are keyword arguments of the generated function."""

    offset: int
    limit: int
    arguments: Mapping[str, Any]
    repeated: bool = False


class Plan(Protocol[T]):
    """Says what to fetch next and what of it to deliver."""

    @property
    def done(self) -> bool:
        """Whether no answer matters any more."""
        ...

    @property
    def ahead(self) -> bool:
        """Whether pages can be asked for before those in front of them have come."""
        ...

    def next(self) -> Request | None:
        """Return a request that may be sent now; None when answers have to come first, or all have."""
        ...

    def take(self, request: Request, fetched: FetchedPage[T]) -> Page[T] | None:
        """Return the page to deliver for an answer, None where there is none. Answers come in order of offset.

        Raises:
            ListChangedError: the list cannot be read on.
        """
        ...


class OffsetPlan(Generic[T]):
    """Reads a list by offset, up to the count or `max_items`."""

    def __init__(
        self,
        arguments: Mapping[str, Any],
        *,
        offset: str,
        limit: str,
        identity: Callable[[Any], Any],
        page_size: int,
        max_items: int | None,
    ) -> None:
        self.done = max_items == 0
        self.ahead = False
        self._arguments = arguments
        self._names = (offset, limit)
        self._page_size = page_size
        self._max_items = max_items
        self._total: int | None = None
        self._next_offset = 0
        self._waiting = False
        self._gap: Request | None = None
        self._counts = _Counts(page_size)
        self._repeats = _Repeats[T](identity)

    def next(self) -> Request | None:
        """Return the next request that may be sent now, or None."""
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        if self.done or (self._waiting and not self.ahead):
            return None
        if self.ahead and self._total is not None and self._next_offset >= self._total:
            return None
        limit = self._page_size
        if self._max_items is not None:
            limit = min(limit, self._max_items - self._next_offset)
        if limit <= 0:
            return None
        request = self._request(self._next_offset, limit)
        self._next_offset += limit
        self._waiting = True
        return request

    def take(self, request: Request, fetched: FetchedPage[T]) -> Page[T] | None:
        """Return the page to deliver for an answer.

        Raises:
            ListChangedError: the server repeats a page, gives none inside its count, or counts without end.
        """
        self._waiting = False
        items = fetched.items[: request.limit]
        self._total = total = self._counts.add(fetched.count, request.offset)
        self.ahead = total is not None
        if request.offset and total is not None and request.offset >= total:
            self.done = True  # whatever came is not from there
            return None
        end = request.offset + len(items)
        wanted = request.offset + request.limit
        if total is None:
            self.done = end < wanted
        elif end < min(wanted, total):
            self._fill(request, end)
        fresh = self._repeats.leave_out(items, total)
        if self._max_items is not None:
            self._max_items += len(items) - len(fresh)
            self.done = self.done or end >= self._max_items
        return Page(fresh, request.offset, total, fetched.request_id) if fresh or not request.offset else None

    def _fill(self, request: Request, end: int) -> None:
        """Ask for what a page lacks: nothing behind it may be delivered first."""
        if end > request.offset:
            if request.offset == 0 and not request.repeated:  # nothing else is in flight: its pages are just smaller
                self._page_size = self._next_offset = end
            else:
                self._gap = self._request(end, request.offset + request.limit - end)
        elif not request.repeated:
            self._gap = self._request(request.offset, request.limit, repeated=True)
        else:
            raise ListChangedError(
                f"the server counts {self._total} items but gives none from {request.offset} on; the items before came"
            )

    def _request(self, offset: int, limit: int, *, repeated: bool = False) -> Request:
        paging = dict(zip(self._names, (offset, limit), strict=True))
        return Request(offset, limit, {**self._arguments, **paging}, repeated)


class _Counts:
    """The count as the answers tell it: says when it shrinks, and refuses to follow it for ever."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._last: int | None = None
        self._most: int | None = None
        self._first: int | None = None
        self._said = False

    def add(self, total: int | None, offset: int) -> int | None:
        """Return the count that holds: the answer's, else the last one known."""
        if total is None:
            return self._last
        if self._most is None or self._first is None:
            self._most = self._first = total
        if offset > growth_bound(self._first, self._page_size):
            raise ListChangedError(
                f"the list grows faster than it is read: {self._first} items at first, {total} now; narrow the filters"
            )
        if total < self._most and not self._said:
            self._said = True
            message = (
                f"the list shrank from {self._most} to {total} items while it was read, so items may have been missed; "
                "consistent=True does not miss any"
            )
            warnings.warn(message, ListChangedWarning, stacklevel=_level_of_caller())
        self._most = max(self._most, total)
        self._last = total
        return total


class _Repeats(Generic[T]):
    """Notices items that came before. Remembers two pages, so memory is constant.

    One is the page before: items move on to the next page when others are created. The other is set anew at each power
    of two, which finds a server that gives the same pages again and again, however many (Brent's algorithm).
    """

    def __init__(self, identity: Callable[[Any], Any]) -> None:
        self._identity = identity
        self._pages = 0
        self._before = frozenset[str]()
        self._milestone = frozenset[str]()
        self._total: int | None = None

    def leave_out(self, items: list[T], total: int | None) -> list[T]:
        """Return the items that were not on the page before.

        Raises:
            ListChangedError: nothing is new, though the count has not grown.
        """
        found = [self._identity(item) for item in items]
        if not found or None in found:
            return items
        identities = frozenset(map(str, found))
        grown = total is not None and self._total is not None and total > self._total
        if not grown and (identities <= self._before or identities <= self._milestone):
            raise ListChangedError(
                "the server gave a page a second time: it does not page, or the list changed; "
                "consistent=True reads a list that changes"
            )
        fresh = [item for item, identity in zip(items, found, strict=True) if str(identity) not in self._before]
        self._before, self._total = identities, total
        self._pages += 1
        if self._pages & (self._pages - 1) == 0:
            self._milestone = identities
        return fresh


def growth_bound(total: int, page_size: int) -> int:
    """Return the offset up to which a growing list is followed: far above what honest lists do in a walk."""
    return 2 * total + 10 * page_size


def _level_of_caller() -> int:
    """The stacklevel of the first frame outside this package: how deep ours are depends on what is iterated."""
    import inspect

    level, caller = 0, inspect.currentframe()
    while caller is not None and caller.f_globals.get("__name__", "").partition(".")[0] == "metastudio":
        caller = caller.f_back
        level += 1
    return level
