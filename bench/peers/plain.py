"""Stock output of openapi-python-client, made from the same contract. It has no signing: it gets ours."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
from metastudio import AkSkAuth
from peers import ACCESS_KEY, PROJECT_ID, SECRET_KEY
from peers.offset_loop import OffsetLoop
from plain_client import Client
from plain_client.api.training_jobs import list_training_jobs


class Peer(OffsetLoop):
    def __init__(self, url: str, ca: str | None = None) -> None:
        auth = AkSkAuth(ACCESS_KEY, SECRET_KEY, project_id=PROJECT_ID)
        verify = ssl.create_default_context(cafile=ca) if ca else True
        self._client = Client(url, verify_ssl=verify, timeout=httpx.Timeout(30), httpx_args={"auth": auth})

    def page(self, offset: int, limit: int) -> Any:
        return list_training_jobs.sync(PROJECT_ID, client=self._client, offset=offset, limit=limit)

    def close(self) -> None:
        self._client.get_httpx_client().close()
