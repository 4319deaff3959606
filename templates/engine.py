"""What the typed resource classes need to work: the overlays supply it.

Copied from templates/engine.py by generate.sh.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Generator, Mapping
from enum import Enum
from typing import Any, Generic, NamedTuple, Protocol, TypedDict, TypeVar, Unpack

from attrs import frozen

from .types import Response

R = TypeVar("R")
T = TypeVar("T")

# Requests in flight ahead of the reader; docs/decisions/ says how it was measured.
DEFAULT_CONCURRENCY = 8
# Seconds before `wait` asks again for the first time.
DEFAULT_POLL = 5.0


@frozen
class Page(Generic[T]):
    """One page of a list.

    `offset` is the number of items before it, `total` how many the server counted in all (None where it does not),
    `request_id` the server's ID of the request.
    """

    items: list[T]
    offset: int
    total: int | None
    request_id: str | None


class Binding(NamedTuple, Generic[R, T]):
    """An operation as the engine needs it: its ID in the contract and its generated functions and classes.

    `closed` gives the enum class of each keyword argument whose set of values is closed.
    """

    operation: str
    sync: Callable[..., Response[Any]]
    asyncio: Callable[..., Coroutine[Any, Any, Response[Any]]]
    closed: Mapping[str, type[Enum]]


class IterateOptions(TypedDict):
    """How to go through a list; the engine's `iterate` explains each."""

    page_size: int
    concurrency: int
    max_items: int | None
    max_rate: float | None
    consistent: bool


class WaitOptions(TypedDict):
    """How to wait for an item; the engine's `wait` explains each."""

    timeout: float
    poll: float
    on_change: Callable[[Any], object] | None
    until: Collection[str] | None


class Engine(Protocol):
    """Runs operations over blocking I/O."""

    def call(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> R: ...

    def iterate(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> Generator[T, None, None]: ...

    def iterate_pages(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> Generator[Page[T], None, None]: ...

    def find(self, binding: Binding[R, T], parameter: str, identity: str) -> T | None: ...

    def wait(self, binding: Binding[R, T], parameter: str, identity: str, **options: Unpack[WaitOptions]) -> T: ...


class AsyncEngine(Protocol):
    """Runs operations over asyncio."""

    async def call(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> R: ...

    def iterate(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> AsyncGenerator[T, None]: ...

    def iterate_pages(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> AsyncGenerator[Page[T], None]: ...

    async def find(self, binding: Binding[R, T], parameter: str, identity: str) -> T | None: ...

    async def wait(
        self, binding: Binding[R, T], parameter: str, identity: str, **options: Unpack[WaitOptions]
    ) -> T: ...
