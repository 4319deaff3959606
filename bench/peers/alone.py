"""httpx alone, the floor of every client built on it: one `httpx.Client`, unsigned, bodies decoded with `json()`."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
from peers import PATH
from peers.base import Peer


class HttpxPeer(Peer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._client = httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=ca) if ca else True)

    def page(self, offset: int, limit: int) -> tuple[int, list[Any]]:
        page = self._client.get(PATH, params={"offset": offset, "limit": limit}).json()
        return page["count"], page["jobs"]

    def close(self) -> None:
        self._client.close()


connect = HttpxPeer
