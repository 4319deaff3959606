"""This client over asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from metastudio import AsyncMetaStudio
from peers.ours import options


class Peer:
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._runner = asyncio.Runner()
        self._studio = AsyncMetaStudio(**options(url, ca))

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[Any]:
        async def calls() -> list[Any]:
            kept: list[Any] = []
            for offset in offsets:
                page = await self._studio.training_jobs.list(offset=offset, limit=limit)
                if keep:
                    kept.append(page.jobs)
            return kept

        return self._runner.run(calls())

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        chosen = {"concurrency": concurrency} if concurrency else {}

        async def everything() -> None:
            async for job in self._studio.training_jobs.iterate(page_size=page_size, **chosen):
                seen(job)

        self._runner.run(everything())

    def close(self) -> None:
        self._runner.run(self._studio.aclose())
        self._runner.close()
