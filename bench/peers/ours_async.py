"""This client over asyncio."""

from __future__ import annotations

from collections.abc import Callable

from metastudio import AsyncMetaStudio
from peers.async_base import AsyncPeer
from peers.ours import options


class AsyncMetaStudioPeer(AsyncPeer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        super().__init__()
        self._studio = AsyncMetaStudio(**options(url, ca))

    async def page(self, offset: int, limit: int) -> object:
        return await self._studio.training_jobs.list(offset=offset, limit=limit)

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        chosen = {"concurrency": concurrency} if concurrency else {}

        async def everything() -> None:
            async for job in self._studio.training_jobs.iterate(page_size=page_size, **chosen):
                seen(job)

        self.runner.run(everything())

    async def aclose(self) -> None:
        await self._studio.aclose()


connect = AsyncMetaStudioPeer
