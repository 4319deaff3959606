"""The loop over the offset that users write whose client has no paging."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any


class OffsetLoop(ABC):
    """A peer but for its one request."""

    @abstractmethod
    def page(self, offset: int, limit: int) -> Any:
        """An answer, with its `jobs` and the `count` of all."""

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[Any]:
        kept: list[Any] = []
        for offset in offsets:
            page = self.page(offset, limit)
            if keep:
                kept.append(page.jobs)
        return kept

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        offset, total = 0, 1
        while offset < total:
            answer = self.page(offset, page_size)
            for job in answer.jobs:
                seen(job)
            offset, total = offset + len(answer.jobs), answer.count
