"""Stock output of openapi-python-client for the same contract. It cannot sign, so it uses this client's signature."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
from metastudio import AkSkAuth
from peers import ACCESS_KEY, PROJECT_ID, SECRET_KEY
from peers.base import Peer
from plain_client import Client
from plain_client.api.training_jobs import list_training_jobs


class PlainGeneratedPeer(Peer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        auth = AkSkAuth(ACCESS_KEY, SECRET_KEY, project_id=PROJECT_ID)
        verify = ssl.create_default_context(cafile=ca) if ca else True
        self._client = Client(url, verify_ssl=verify, timeout=httpx.Timeout(30), httpx_args={"auth": auth})

    def page(self, offset: int, limit: int) -> tuple[int, list[Any]]:
        page = list_training_jobs.sync(PROJECT_ID, client=self._client, offset=offset, limit=limit)
        return page.count, page.jobs

    def close(self) -> None:
        self._client.get_httpx_client().close()


connect = PlainGeneratedPeer
