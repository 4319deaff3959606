"""What the paginators have in common, and what they share with the code that fetches pages for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import ListRules, Operation
from metastudio.http.throttle import Throttle
from metastudio.lists.options import Page

T = TypeVar("T")


@dataclass(frozen=True)
class PageRequest:
    """A page to request.

    Attributes:
        offset: Number of items before the page.
        limit: Number of items to request.
        arguments: Keyword arguments of the operation, with those for paging.
        repeated: Whether the same page was requested before and came back empty.
    """

    offset: int
    limit: int
    arguments: Mapping[str, Any]
    repeated: bool = False


@dataclass(frozen=True)
class FetchedPage(Generic[T]):
    """The response to a `PageRequest`.

    Attributes:
        items: The items as the server sent them.
        raw_total: The total as the server sent it, or None if it sent none.
        request_id: The server's ID of the request.
    """

    items: list[T]
    raw_total: object
    request_id: str | None

    @property
    def total(self) -> int | None:
        """The total, or None if what the server sent cannot be one."""
        return self.raw_total if type(self.raw_total) is int and self.raw_total >= 0 else None


Fetch = Callable[[Mapping[str, Any], Throttle | None], FetchedPage[T]]
"""Sends one request: keyword arguments of the operation, and the throttle of the iteration if it belongs to one."""

AsyncFetch = Callable[[Mapping[str, Any], Throttle | None], Awaitable[FetchedPage[T]]]
"""The same for asyncio."""


class Paginator(ABC, Generic[T]):
    """Decides which page to request next, and what of each response to deliver. Does no I/O.

    Args:
        operation: The list operation.
        arguments: Keyword arguments of the operation, without those for paging.
        page_size: Number of items to request at a time.
        max_items: Number of items to stop after, or None.

    Attributes:
        done: Whether the iteration ends now, even if requests are in flight.
        can_prefetch: Whether a request may be sent while others are in flight.
        identity_of: Returns the identity of an item, or None if it has none.
    """

    def __init__(
        self, operation: Operation, arguments: Mapping[str, Any], *, page_size: int, max_items: int | None
    ) -> None:
        rules = list_rules(operation)
        self.done = max_items == 0
        self.can_prefetch = False
        self.identity_of = pointer_getter(rules.identity) if rules.identity else _no_identity()
        self._arguments: dict[str, Any] = dict(arguments)
        self._page_size = page_size
        self._offset_name = operation.parameters[rules.offset].python_name
        self._limit_name = operation.parameters[rules.limit].python_name

    @abstractmethod
    def next_request(self) -> PageRequest | None:
        """Return the next request, or None if there is none.

        Call it only if nothing is in flight, or `can_prefetch` holds.
        """

    @abstractmethod
    def receive(self, request: PageRequest, fetched: FetchedPage[T]) -> Page[T] | None:
        """Return the page to deliver for a response, or None if it holds nothing new.

        Responses must be passed in the order of their offsets.

        Raises:
            ListChangedError: The list cannot be read further.
        """

    def _request(self, offset: int, limit: int, *, repeated: bool = False) -> PageRequest:
        paging = {self._offset_name: offset, self._limit_name: limit}
        return PageRequest(offset, limit, {**self._arguments, **paging}, repeated)


def _no_identity() -> Callable[[Any], Any]:
    """Return a function that gives every item another identity, so that none counts as a repetition."""
    numbers = count()
    return lambda _item: next(numbers)


def list_rules(operation: Operation) -> ListRules:
    """Return the rules of a list operation.

    Raises:
        ValueError: The operation is not a list.
    """
    if operation.list_rules is None:
        raise ValueError(f"{operation.id} is not a list: the contract has no x-list for it")
    return operation.list_rules
