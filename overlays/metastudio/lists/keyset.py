"""Reads a list that changes meanwhile without losing an item: `consistent=True`.

The promise: every item that exists and passes all filters during the whole iteration is delivered exactly once, and any
other item at most once, whatever is created, deleted or changed.

Requirements: the list can be ordered by a time that never changes for an item; the filters of that time include their
bounds; items of equal time keep their order among themselves. The contract names the time (`x-list`: the first sort key
with a `ge` and an `le` filter), and the contract tester checks the rest.

How it works: the newest item becomes the upper bound, so that new items cannot keep the iteration going. Then the time
filter moves along the order instead of the offset, so that changes behind it do not matter:

- The cursor is the second in which the last page ended. It is a whole second, because servers may ignore fractions.
- Each page starts at the cursor. Identities delivered for that second are remembered, so that none comes twice.
- If a page does not get beyond the cursor, more items share that second than fit on a page. Then the offset advances,
  and each page must begin with the last item of the page before. If it does not, an item before it was created or
  deleted, and the second is read again from its start. Without this overlap, items would be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import Operation
from metastudio.errors import ListChangedError
from metastudio.lists.base import FetchedPage, PageRequest, Paginator, list_rules
from metastudio.lists.offset import check_growth
from metastudio.lists.options import Page

T = TypeVar("T")

MAX_RESTARTS = 10
"""How often the items of one second are read again from the start before the iteration gives up."""


class TimeOrder(NamedTuple):
    """An order by a time with filters for both bounds, as keyword arguments of an operation and their values."""

    key: str
    key_value: str
    direction: str
    descending: str
    default_direction: str
    since: str
    until: str
    pointer: str  # to the time in an item


def time_order(operation: Operation) -> TimeOrder:
    """Return the first such order that the contract states.

    Raises:
        ValueError: The contract states none.
    """
    rules, parameters = list_rules(operation), operation.parameters
    order = rules.order
    if order is not None and order.direction is not None:
        for value, pointer in order.keys.items():
            bounds = {
                each.op: parameters[each.parameter].python_name
                for each in rules.filters.values()
                if each.property == pointer and parameters[each.parameter].is_time
            }
            if "ge" in bounds and "le" in bounds:
                return TimeOrder(
                    key=parameters[order.parameter].python_name,
                    key_value=value,
                    direction=parameters[order.direction].python_name,
                    descending=order.desc,
                    default_direction=order.desc if order.default == "desc" else order.asc,
                    since=bounds["ge"],
                    until=bounds["le"],
                    pointer=pointer,
                )
    raise ValueError(
        f"consistent=True is not possible: x-list of {operation.id} has no sort key with a ge and an le filter"
    )


class KeysetPaginator(Paginator[T]):
    """Keeps the promise of this module, with one request at a time.

    If `arguments` reverse the direction, it goes from the newest item down, and everything is mirrored.

    Raises:
        ValueError: The contract states no order by time, the arguments ask for another order, or pages are too small.
    """

    def __init__(
        self, operation: Operation, arguments: Mapping[str, Any], *, page_size: int, max_items: int | None
    ) -> None:
        super().__init__(operation, arguments, page_size=page_size, max_items=max_items)
        order = time_order(operation)
        if arguments.get(order.key, order.key_value) != order.key_value:
            raise ValueError(f"consistent=True orders by {order.key}={order.key_value!r}; omit {order.key}")
        if page_size < 2:
            raise ValueError(f"page_size must be 2 or more with consistent=True, not {page_size}, as pages overlap")
        self._order = order
        self._time_of = pointer_getter(order.pointer)
        self._given = arguments
        self._arguments |= {order.key: order.key_value, order.direction: order.descending}
        self._direction = arguments.get(order.direction, order.default_direction)
        self._ascending = self._direction != order.descending
        self._pinned = False
        self._cursor: datetime | None = None
        self._delivered_at_cursor = set[str]()
        self._offset = 0
        self._overlap: str | None = None  # identity that the next page has to begin with
        self._restarts = 0
        self._delivered = 0
        self._left = max_items
        self._total: int | None = None

    def next_request(self) -> PageRequest:
        """See `Paginator`."""
        if self._pinned:
            return self._request(self._offset, self._page_size)
        return self._request(0, 2)  # two items, because one does not show whether the server respects the direction

    def receive(self, request: PageRequest, fetched: FetchedPage[T]) -> Page[T] | None:
        """See `Paginator`. Also raises ListChangedError if the server does not keep the order or the bounds."""
        items = fetched.items[: request.limit]
        identities, times = self._read(items)
        if not self._pinned:
            return self._pin(times, fetched)
        if request.offset and identities[:1] != [self._overlap]:
            self._restart()
            return None
        if self._total is None:
            self._total = fetched.total
        page = self._deliver(items, identities, fetched.request_id)
        end = request.offset + len(items)
        self.done = self._left == 0 or (len(items) < 2 if fetched.total is None else end >= fetched.total)
        if not self.done:
            self._move(end, identities, times)
        return page

    def _read(self, items: list[T]) -> tuple[list[str], list[datetime]]:
        """Return the identities and times of a page, checked to be in order and within the bounds."""
        identities = [self.identity_of(item) for item in items]
        times = [self._time_of(item) for item in items]
        for identity, time in zip(identities, times, strict=True):
            if identity is None or not _is_readable(time):
                raise ListChangedError(f"an item has no identity, or no readable time to order by: {identity}")
        if times != sorted(times, reverse=not (self._ascending and self._pinned)):
            raise ListChangedError(f"the server did not order a page by {self._order.key}={self._order.key_value}")
        since, until = self._arguments.get(self._order.since), self._arguments.get(self._order.until)
        for time in times:
            if (since and _floor(time) < _floor(since)) or (until and _floor(time) > _floor(until)):
                bounds = f"{self._order.since} and {self._order.until}"
                raise ListChangedError(f"the server returned an item of {time.isoformat()}, outside {bounds}")
        return [str(identity) for identity in identities], times

    def _pin(self, times: list[datetime], fetched: FetchedPage[T]) -> Page[T] | None:
        """Make the newest item the upper bound. If there is none, return an empty page."""
        if times:
            newest = _ceil(times[0])
            self._arguments[self._order.until] = min(newest, self._given.get(self._order.until, newest))
            self._arguments[self._order.direction] = self._direction
            self._pinned = True
        elif fetched.total:
            self._restart()
        else:
            self.done = True
            return Page([], 0, fetched.total, fetched.request_id)
        return None

    def _deliver(self, items: list[T], identities: list[str], request_id: str | None) -> Page[T] | None:
        """Return a page of the items that were not delivered before, or None if there are none."""
        new = list[T]()
        for item, identity in zip(items, identities, strict=True):
            if identity not in self._delivered_at_cursor and len(new) != self._left:
                self._delivered_at_cursor.add(identity)
                new.append(item)
        page = Page(new, self._delivered, self._total, request_id) if new else None
        self._delivered += len(new)
        self._left = None if self._left is None else self._left - len(new)
        return page

    def _move(self, end: int, identities: list[str], times: list[datetime]) -> None:
        """Move the cursor to the second in which the page ended, or the offset into the second that fills the page."""
        round_outwards = _floor if self._ascending else _ceil
        seconds = [round_outwards(time) for time in times]
        if seconds and seconds[-1] != self._cursor:
            cursor = self._cursor = seconds[-1]
            at_cursor = zip(identities, seconds, strict=True)
            self._delivered_at_cursor = {identity for identity, second in at_cursor if second == cursor}
            bound, inner = (self._order.since, max) if self._ascending else (self._order.until, min)
            self._arguments[bound] = inner(cursor, self._given.get(bound, cursor))
            self._offset, self._overlap, self._restarts = 0, None, 0
        elif len(seconds) < 2:
            self._restart()
        else:
            if self._total is not None:
                check_growth(end, self._total, self._page_size)
            self._offset, self._overlap = end - 1, identities[-1]

    def _restart(self) -> None:
        """Read the cursor's second again from its start."""
        if self._restarts == MAX_RESTARTS:
            place = self._cursor or "its newest item"
            raise ListChangedError(
                f"the list changed around {place} each time it was read, {MAX_RESTARTS} times in a row"
            )
        self._restarts += 1
        self._offset, self._overlap = 0, None


def _is_readable(time: Any) -> bool:
    """Return whether this is a time with a zone, and far enough from the ends of the calendar to be rounded."""
    return isinstance(time, datetime) and time.utcoffset() is not None and 1 < time.year < 9999


def _floor(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)


def _ceil(time: datetime) -> datetime:
    floor = _floor(time)
    return floor + timedelta(seconds=1) if time.microsecond else floor
