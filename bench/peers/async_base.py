"""What the asyncio clients have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any


class AsyncPeer(ABC):
    """An asyncio client under measurement, with an event loop of its own."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    @abstractmethod
    async def page(self, offset: int, limit: int) -> list[Any]:
        """Request one page. Returns its jobs."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[list[Any]]:
        async def calls() -> list[list[Any]]:
            kept: list[list[Any]] = []
            for offset in offsets:
                jobs = await self.page(offset, limit)
                if keep:
                    kept.append(jobs)
            return kept

        return self.runner.run(calls())

    def close(self) -> None:
        self.runner.run(self.aclose())
        self.runner.close()
