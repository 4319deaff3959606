"""What the clients without paging have in common: the loops over the offset that their users write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any


class Peer(ABC):
    """A blocking client under measurement."""

    @abstractmethod
    def page(self, offset: int, limit: int) -> tuple[int, list[Any]]:
        """Request one page. Returns the total number of jobs and the jobs of the page."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""

    def calls(self, offsets: Iterable[int], limit: int) -> None:
        for offset in offsets:
            self.page(offset, limit)

    def everything(self, page_size: int, concurrency: int, seen: Callable[[object], None]) -> None:
        """Read the list in a loop; with a concurrency above 1, in that many threads that share this client."""
        from concurrent.futures import ThreadPoolExecutor  # not imported where only `calls` is measured

        total, first = self.page(0, page_size)
        with ThreadPoolExecutor(concurrency) as threads:
            pages = (map if concurrency == 1 else threads.map)(
                lambda offset: self.page(offset, page_size)[1], range(page_size, total, page_size)
            )
            for job in chain(first, chain.from_iterable(pages)):
                seen(job)
