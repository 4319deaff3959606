"""The server as an ASGI application, without a socket."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

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
    assert headed.status_code == 200
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


async def test_sends_no_body_to_head(path: Callable[[str], str]) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    app = create_app(Settings(jobs=3))
    headers = [(b"x-auth-token", MAIN.token.encode())]
    scope = {"type": "http", "method": "HEAD", "path": path(MAIN.project_id), "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    app.close()
    assert [message.get("status") for message in sent] == [200, None]
    assert sent[1]["body"] == b""


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
