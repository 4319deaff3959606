"""The server as an ASGI application, without a socket."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from metastudio.sandbox import MAIN, App, Fault, Settings, create_app

pytestmark = pytest.mark.anyio


async def ask(app: App, path: Callable[[str], str], method: str = "GET") -> httpx.Response:
    headers = {"X-Auth-Token": MAIN.token}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
        return await client.request(method, path(MAIN.project_id), headers=headers)


async def test_answers_without_a_socket(path: Callable[[str], str]) -> None:
    app = create_app(Settings(jobs=3))
    got, headed = await ask(app, path), await ask(app, path, "HEAD")
    app.close()

    assert got.json()["count"] == 3
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def test_waits_without_a_socket(path: Callable[[str], str]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    app = create_app(Settings(jobs=1, latency=0.5, sleep=sleep))
    assert (await ask(app, path)).status_code == 200
    app.close()
    assert slept == [0.5]


async def test_a_connection_that_is_not_there_cannot_be_reset(path: Callable[[str], str]) -> None:
    app = create_app(Settings(jobs=1, faults=(Fault("reset"),)))
    with pytest.raises(ConnectionResetError):
        await ask(app, path)
    app.close()
