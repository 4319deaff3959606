"""What the asyncio clients have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable


class AsyncPeer(ABC):
    """An asyncio client under measurement, with an event loop of its own."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    @abstractmethod
    async def page(self, offset: int, limit: int) -> object:
        """Request one page."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    def calls(self, offsets: Iterable[int], limit: int) -> None:
        async def calls() -> None:
            for offset in offsets:
                await self.page(offset, limit)

        self.runner.run(calls())

    def close(self) -> None:
        self.runner.run(self.aclose())
        self.runner.close()
