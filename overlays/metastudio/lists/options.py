"""Stub until the lists package is merged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list."""

    items: list[T]
    offset: int
    total: int | None
    request_id: str | None


@dataclass(frozen=True, kw_only=True)
class IterateOptions:
    """How to go through a list."""

    page_size: int | None = field(default=None, metadata={"doc": "Items on a page."})
    concurrency: int = field(default=8, metadata={"doc": "Requests in flight."})
    max_items: int | None = field(default=None, metadata={"doc": "Stop after."})
    max_rate: float | None = field(default=None, metadata={"doc": "Requests a second."})
    consistent: bool = field(default=False, metadata={"doc": "Lose nothing."})


@dataclass(frozen=True, kw_only=True)
class WaitOptions:
    """How to wait."""

    timeout: float = field(metadata={"doc": "Seconds."})
    poll: float = field(default=5.0, metadata={"doc": "Seconds."})
    on_change: Callable[[Any], object] | None = field(default=None, metadata={"doc": "Called."})
    until: Collection[str] | None = field(default=None, metadata={"doc": "States."})
