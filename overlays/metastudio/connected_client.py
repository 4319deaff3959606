"""The generated client that `metastudio.connect` returns."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import httpx
from metastudio_client.client import Client
from metastudio_client.contract import OPERATIONS

from metastudio.config import Config
from metastudio.http.retry import RetryPolicy, check_timeout
from metastudio.http.session import DEFAULT_TIMEOUT, AsyncSession, Session


@attrs.define(repr=False)
class ConnectedClient(Client):
    """The generated client. It makes a session on first use, also on copies by `with_headers` and `with_timeout`."""

    config: Config = attrs.field(kw_only=True)
    _max_retries: int = attrs.field(kw_only=True, alias="max_retries")
    _session_arguments: dict[str, Any] = attrs.field(kw_only=True, alias="session_arguments")
    _session_lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def get_httpx_client(self) -> httpx.Client:
        """Return the session, making it under a lock, because threads may ask at once."""
        if self._client is None:
            with self._session_lock:
                self._client = self._client or Session(**self._arguments())
        return self._client

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Return the asynchronous session."""
        if self._async_client is None:
            with self._session_lock:
                self._async_client = self._async_client or AsyncSession(**self._arguments())
        return self._async_client

    def _arguments(self) -> dict[str, Any]:
        timeout = check_timeout(self._timeout or DEFAULT_TIMEOUT)
        return {
            **self._session_arguments,
            "operations": OPERATIONS.values(),
            "base_url": self._base_url,
            "headers": self._headers,
            "timeout": timeout,
            "retry": RetryPolicy.within(timeout, max_retries=self._max_retries),
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.config.summary()}>"
