"""Reads a list that changes meanwhile, without losing anything: `consistent=True`. No I/O: see `metastudio.lists.prefetch`.

The promise: every item that exists and passes all filters at every moment of the walk is delivered exactly once, any
other at most once, whatever is created, deleted or changed.

It holds where the list can be ordered by a property, a time that an item never changes; where the filters of that
property include their bounds; and where items of equal time keep their order among themselves. The contract says which
property that is (`x-list`: the first order key with a `ge` and an `le` filter); the contract tester proves the rest.

How: the newest item pins the upper bound, so that what is created later cannot keep the walk going. Then the window of
the time filters moves along the order instead of the offset, so that nothing that happens behind it matters. Its edge,
the cursor, is in whole seconds, since a server may ignore fractions in a filter. Each window begins with the second in
which the page before ended; identities of that second are remembered, to not deliver twice. Where a page does not reach
beyond the cursor's second, there are more items of equal time than fit, and only there the offset moves, with pages
that overlap by one item: where the overlap does not match, something before it came or went, and the second is read
again from its start. Advancing the offset without the overlap loses items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from metastudio_client._engine import Page

from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import Operation
from metastudio.errors import ListChangedError
from metastudio.lists.offset import FetchedPage, Request, growth_bound

T = TypeVar("T")

RESTARTS = 10
"""How often the items of one second are read again from the start before the walk gives up."""


@dataclass(frozen=True)
class Route:
    """The keyword arguments of an operation by which a walk goes, and the property that they order and bound."""

    offset: str
    limit: str
    key: str
    key_value: str
    direction: str
    ascending: str
    descending: str
    default_direction: str
    since: str
    until: str
    time_of: Callable[[Any], Any]
    identity_of: Callable[[Any], Any]


def route(operation: Operation) -> Route:
    """Return how an operation's list can be walked.

    Raises:
        ValueError: its contract states no order that a walk could follow.
    """
    rules = operation.list_rules
    order = rules.order if rules else None
    if rules is None or order is None or order.direction is None:
        raise ValueError(f"consistent=True is not possible: the contract states no order for {operation.id} (x-list)")
    for value, pointer in order.keys.items():
        bounds = {
            each.op: operation.parameters[each.parameter]
            for each in rules.filters.values()
            if each.property == pointer and operation.parameters[each.parameter].is_time
        }
        if "ge" in bounds and "le" in bounds:
            python_name = {name: parameter.python_name for name, parameter in operation.parameters.items()}
            return Route(
                offset=python_name[rules.offset],
                limit=python_name[rules.limit],
                key=python_name[order.parameter],
                key_value=value,
                direction=python_name[order.direction],
                ascending=order.asc,
                descending=order.desc,
                default_direction=order.desc if order.default == "desc" else order.asc,
                since=bounds["ge"].python_name,
                until=bounds["le"].python_name,
                time_of=pointer_getter(pointer),
                identity_of=pointer_getter(rules.identity),
            )
    raise ValueError(
        f"consistent=True is not possible: {operation.id} has no order key with filters for both bounds (x-list)"
    )


class Walk(Generic[T]):
    """A plan (`metastudio.lists.offset.Plan`) that keeps the promise of this module. Sequential.

    `arguments` may hold the bounds and the direction; with the direction turned round the walk goes down from the
    newest item, and everything is mirrored.

    Raises:
        ValueError: the arguments order by something else, or pages of one item, which cannot overlap.
    """

    ahead = False

    def __init__(self, way: Route, arguments: Mapping[str, Any], *, page_size: int, max_items: int | None) -> None:
        if arguments.get(way.key, way.key_value) != way.key_value:
            raise ValueError(f"consistent=True goes by {way.key}={way.key_value!r}: leave {way.key} out, or consistent")
        if page_size < 2:
            raise ValueError("consistent=True needs a page_size of 2 or more: pages overlap by one item")
        direction = arguments.get(way.direction, way.default_direction)
        self.done = max_items == 0
        self._way = way
        self._arguments: dict[str, Any] = {**arguments, way.key: way.key_value, way.direction: direction}
        self._up = direction != way.descending
        self._bounds = {name: arguments[name] for name in (way.since, way.until) if name in arguments}
        self._page_size = page_size
        self._left = max_items
        self._waiting = False
        self._pinned = False
        self._cursor: datetime | None = None
        self._at_cursor = set[str]()  # identities delivered of the cursor's second
        self._offset = 0
        self._overlap: str | None = None  # identity of the item that the next page has to begin with
        self._restarts = 0
        self._delivered = 0
        self._total: int | None = None

    def next(self) -> Request | None:
        """Return the next request, or None while its predecessor is not answered."""
        if self.done or self._waiting:
            return None
        self._waiting = True
        way = self._way
        if not self._pinned:
            # Two, for a server that does not order them would otherwise end the walk where it begins.
            return Request(0, 2, {**self._arguments, way.direction: way.descending, way.offset: 0, way.limit: 2})
        paging = {way.offset: self._offset, way.limit: self._page_size}
        return Request(self._offset, self._page_size, {**self._arguments, **paging})

    def take(self, request: Request, fetched: FetchedPage[T]) -> Page[T] | None:
        """Return what is new of an answer, None where nothing is.

        Raises:
            ListChangedError: the server does not keep an order that can be walked, or changes a second too often.
        """
        self._waiting = False
        items = fetched.items[: request.limit]
        identities, times = self._read(items)
        if not self._pinned:
            return self._pin(times, fetched)
        if request.offset and identities[:1] != [self._overlap]:
            self._restart()
            return None
        self._total = fetched.count if self._total is None else self._total
        page = self._fresh(items, identities, fetched.request_id)
        end = request.offset + len(items)
        last = self._second(times[-1]) if times else None
        if self._left == 0 or (len(items) < 2 if fetched.count is None else end >= fetched.count):
            self.done = True
        elif last != self._cursor and last is not None:
            self._advance(
                last, {each for each, time in zip(identities, times, strict=True) if self._second(time) == last}
            )
        elif len(items) < 2:
            self._restart()
        elif self._total is not None and end > growth_bound(self._total, self._page_size):
            raise ListChangedError("the list grows faster than it is read; narrow the filters")
        else:
            self._offset, self._overlap = end - 1, identities[-1]
        return page

    def _read(self, items: list[T]) -> tuple[list[str], list[datetime]]:
        """Return the identity and the time of each item of a page that keeps the order and the bounds."""
        identities = [self._way.identity_of(item) for item in items]
        times = [self._way.time_of(item) for item in items]
        for identity, time in zip(identities, times, strict=True):
            if identity is None or not _readable(time):
                raise ListChangedError(f"an item has no identity, or no readable time to order by: {identity}")
        since, until = self._arguments.get(self._way.since), self._arguments.get(self._way.until)
        if times != sorted(times, reverse=not (self._up and self._pinned)):
            raise ListChangedError(f"the server did not order a page by {self._way.key}={self._way.key_value}")
        for time in times:
            if (since and _floor(time) < _floor(since)) or (until and _floor(time) > _floor(until)):
                raise ListChangedError(
                    f"the server gave an item of {time.isoformat()}, outside {self._way.since} and {self._way.until}"
                )
        return [str(identity) for identity in identities], times

    def _pin(self, times: list[datetime], fetched: FetchedPage[T]) -> Page[T] | None:
        if times:
            newest, until = _ceil(times[0]), self._arguments.get(self._way.until)
            self._arguments[self._way.until] = min(newest, until) if until else newest
            self._pinned = True
            return None
        if fetched.count:
            self._restart()
            return None
        self.done = True
        return Page([], 0, fetched.count, fetched.request_id)

    def _fresh(self, items: list[T], identities: list[str], request_id: str | None) -> Page[T] | None:
        fresh = list[T]()
        for item, identity in zip(items, identities, strict=True):
            if identity not in self._at_cursor and self._left != 0:
                self._at_cursor.add(identity)
                fresh.append(item)
                self._left = None if self._left is None else self._left - 1
        self._delivered += len(fresh)
        return Page(fresh, self._delivered - len(fresh), self._total, request_id) if fresh else None

    def _advance(self, second: datetime, delivered: set[str]) -> None:
        """Begin a window with the second in which the page before ended."""
        self._cursor, self._at_cursor = second, delivered
        near = self._way.since if self._up else self._way.until
        bound = self._bounds.get(near, second)
        self._arguments[near] = max(bound, second) if self._up else min(bound, second)
        self._offset, self._overlap, self._restarts = 0, None, 0

    def _restart(self) -> None:
        """Read the cursor's second again from its start."""
        if self._restarts == RESTARTS:
            raise ListChangedError(
                f"the list changed around {self._cursor or 'its start'} whenever it was read, {RESTARTS} times in a row"
            )
        self._restarts += 1
        self._offset, self._overlap = 0, None

    def _second(self, time: datetime) -> datetime:
        return _floor(time) if self._up else _ceil(time)


def _readable(time: Any) -> bool:
    """Whether it is a certain time. The ends of the calendar are not: what has no neighbour cannot be rounded."""
    return isinstance(time, datetime) and time.utcoffset() is not None and 1 < time.year < 9999


def _floor(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)


def _ceil(time: datetime) -> datetime:
    floor = _floor(time)
    return floor + timedelta(seconds=1) if time.microsecond else floor
