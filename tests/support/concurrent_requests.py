"""Concurrent requests: threads with one httpx.Client, or tasks with one httpx.AsyncClient."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import httpx
from metastudio.http.tls import ssl_context


class Send(Protocol):
    def __call__(
        self, auth: httpx.Auth, url: str, *, count: int = 1, method: str = "GET", follow: bool = False, **options: Any
    ) -> list[httpx.Response]:
        """Make `count` concurrent requests in a new client; return the responses in order or raise the first error."""
        ...


def by_threads(
    auth: httpx.Auth, url: str, *, count: int = 1, method: str = "GET", follow: bool = False, **options: Any
) -> list[httpx.Response]:
    with (
        httpx.Client(auth=auth, follow_redirects=follow, trust_env=False, verify=ssl_context()) as client,
        ThreadPoolExecutor(count) as pool,
    ):
        waiting = [pool.submit(client.request, method, url, **options) for _ in range(count)]
        return [future.result() for future in waiting]


def by_tasks(
    auth: httpx.Auth, url: str, *, count: int = 1, method: str = "GET", follow: bool = False, **options: Any
) -> list[httpx.Response]:
    async def all_at_once() -> list[httpx.Response]:
        shared = httpx.AsyncClient(auth=auth, follow_redirects=follow, trust_env=False, verify=ssl_context())
        async with shared as client:
            return await asyncio.gather(*(client.request(method, url, **options) for _ in range(count)))

    return asyncio.run(all_at_once())


BOTH: list[Send] = [by_threads, by_tasks]
