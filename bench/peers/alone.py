"""httpx by itself, answers decoded as JSON: the floor of every client that is built on it. It signs nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpx
from peers import PROJECT_ID

PATH = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"


class Peer:
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._client = httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=ca) if ca else True)

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[Any]:
        kept: list[Any] = []
        for offset in offsets:
            page = self._client.get(PATH, params={"offset": offset, "limit": limit}).json()
            if keep:
                kept.append(page["jobs"])
        return kept

    def close(self) -> None:
        self._client.close()
