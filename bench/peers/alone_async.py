"""httpx alone over asyncio: one `httpx.AsyncClient`, unsigned, bodies decoded with `json()`."""

from __future__ import annotations

import ssl

import httpx
from peers import PATH
from peers.async_base import AsyncPeer


class AsyncHttpxPeer(AsyncPeer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        super().__init__()
        self._client = httpx.AsyncClient(base_url=url, verify=ssl.create_default_context(cafile=ca) if ca else True)

    async def page(self, offset: int, limit: int) -> object:
        response = await self._client.get(PATH, params={"offset": offset, "limit": limit})
        return response.json()

    async def aclose(self) -> None:
        await self._client.aclose()


connect = AsyncHttpxPeer
