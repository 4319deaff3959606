"""The options of `iterate` and `wait`, and the page that `iterate_pages` yields.

The generated resource classes take the names, annotations, defaults and texts of these fields. To add an option, add a
field here and use it in the paginator or the waiter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metastudio.model import PageTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

T = TypeVar("T")


@dataclass(frozen=True)
class Page(PageTable, Generic[T]):
    """One page of a list. It has a length, and iterating over it gives its items.

    Attributes:
        items: Items in the order of the server, without those that came on the page before.
        offset: Number of items before this page.
        total: Number of items in the whole list, or None if the server does not count them.
        request_id: The server's ID of the request, to be quoted to support.
    """

    items: list[T]
    offset: int
    total: int | None
    request_id: str | None

    def _items(self) -> list[T]:
        return self.items

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)


@dataclass(frozen=True, kw_only=True)
class IterateOptions:
    """How to read a list.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: An option is out of range.
    """

    page_size: int | None = field(
        default=None,
        metadata={
            "doc": "Number of items to request at a time. By default 100, or fewer if the contract allows fewer."
        },
    )
    concurrency: int = field(
        default=8,
        metadata={"doc": "Number of pages to request ahead of the reader. 1 requests each page when it is needed."},
    )
    max_items: int | None = field(
        default=None,
        metadata={"doc": "Number of items to stop after. By default the whole list is read."},
    )
    max_rate: float | None = field(
        default=None,
        metadata={
            "doc": "Number of requests to start per second, at most. By default only the server limits the rate: "
            "after a 429, no request of this iteration starts until the pause is over."
        },
    )
    consistent: bool = field(
        default=False,
        metadata={
            "doc": "Whether to deliver every item that exists and matches during the whole iteration exactly once, and "
            "any other at most once, even while the list changes. Requests are then sequential and ordered by a time "
            "that never changes. By default, a change of the list can hide an item or repeat it."
        },
    )

    def __post_init__(self) -> None:
        if self.page_size is not None:
            _require_integer("page_size", self.page_size, 1)
        _require_integer("concurrency", self.concurrency, 1)
        if self.max_items is not None:
            _require_integer("max_items", self.max_items, 0)
        if self.max_rate is not None:
            _require_positive("max_rate", self.max_rate, "requests per second")


@dataclass(frozen=True, kw_only=True)
class WaitOptions:
    """How to wait for an item.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: An option is out of range.
    """

    timeout: float = field(
        metadata={"doc": "Seconds to wait at most. `math.inf` waits without end."},
    )
    poll: float = field(
        default=5.0,
        metadata={"doc": "Seconds before the second poll. Later pauses grow to a minute and vary at random."},
    )
    on_change: Callable[[Any], object] | None = field(
        default=None,
        metadata={"doc": "Called with the item when it is first seen, and each time its state has changed."},
    )
    until: Collection[str] | None = field(
        default=None,
        metadata={"doc": "States that end the wait as well, in addition to those that the contract calls settled."},
    )
    raise_on_failure: bool = field(
        default=False,
        metadata={
            "doc": "Raise `errors.JobFailedError` if the item has failed. By default it is returned in any case."
        },
    )

    def __post_init__(self) -> None:
        _require_positive("timeout", self.timeout, "seconds")
        _require_positive("poll", self.poll, "seconds")
        if isinstance(self.until, str):
            raise TypeError(f"until must be a collection of states, not one text; write until=[{self.until!r}]")


def _require_integer(name: str, value: object, minimum: int) -> None:
    message = f"{name} must be an integer, {minimum} or more, not {value!r}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(message)
    if value < minimum:
        raise ValueError(message)


def _require_positive(name: str, value: object, unit: str) -> None:
    message = f"{name} must be a number of {unit} above 0, not {value!r}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(message)
    if not value > 0:  # NaN too
        raise ValueError(message)
