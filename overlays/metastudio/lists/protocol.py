"""What a paginator and the code that fetches pages for it agree on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from metastudio.http.throttle import Throttle
from metastudio.lists.options import Page

T = TypeVar("T")


@dataclass(frozen=True)
class PageRequest:
    """A page to request.

    Attributes:
        offset: Number of items before the page.
        limit: Number of items to request.
        arguments: Keyword arguments of the operation, those for paging included.
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


class Paginator(Protocol[T]):
    """Decides which page to request next, and what of each response to deliver. Does no I/O."""

    @property
    def done(self) -> bool:
        """Whether the iteration ends now, even if requests are in flight."""
        ...

    @property
    def can_prefetch(self) -> bool:
        """Whether a request may be sent while others are in flight."""
        ...

    def next_request(self) -> PageRequest | None:
        """Return the next request, or None if there is none.

        Call it only if nothing is in flight, or `can_prefetch` holds.
        """
        ...

    def receive(self, request: PageRequest, fetched: FetchedPage[T]) -> Page[T] | None:
        """Return the page to deliver for a response, or None if it holds nothing new.

        Responses must be passed in the order of their offsets.

        Raises:
            ListChangedError: The list cannot be read further.
        """
        ...
