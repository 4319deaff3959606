"""The ASGI application without a socket."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from metastudio.sandbox import MAIN, Fault, SandboxApp, SandboxSettings

pytestmark = pytest.mark.anyio


async def fetch(app: SandboxApp, path: Callable[[str], str], method: str = "GET") -> httpx.Response:
    headers = {"X-Auth-Token": MAIN.token}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
        return await client.request(method, path(MAIN.project_id), headers=headers)


async def test_responds_without_a_socket(path: Callable[[str], str]) -> None:
    app = SandboxApp(SandboxSettings(jobs=3))
    got, headed = await fetch(app, path), await fetch(app, path, "HEAD")
    app.close()

    assert got.json()["count"] == 3
    assert headed.status_code == 200
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def test_latency_without_a_socket(path: Callable[[str], str]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    app = SandboxApp(SandboxSettings(jobs=1, latency=0.5, sleep=sleep))
    assert (await fetch(app, path)).status_code == 200
    app.close()
    assert slept == [0.5]


async def test_a_reset_needs_a_socket(path: Callable[[str], str]) -> None:
    app = SandboxApp(SandboxSettings(jobs=1, faults=(Fault("reset"),)))
    with pytest.raises(ConnectionResetError):
        await fetch(app, path)
    app.close()
