"""Calls that are cancelled at any point leave no connection behind that a later call would wait for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import reference_page
from metastudio import AsyncMetaStudio, Credentials

JOB = reference_page.examples()[0]["jobs"][0]
TOTAL = 6
QUICK = 2.0
"""Seconds that ten calls may take: a call that gets a poisoned connection waits for 120 s."""
MOST_TURNS = 2000

pytestmark = pytest.mark.anyio


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection. Each body comes in two parts, so that calls can be cancelled between them."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            query = parse_qs(urlsplit(head.split()[1].decode()).query)
            offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["10"])[0])
            jobs = [{**JOB, "job_id": str(number)} for number in range(offset, min(offset + limit, TOTAL))]
            body = json.dumps({"count": TOTAL, "jobs": jobs}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:100])
            await asyncio.sleep(0)
            writer.write(body[100:])


@contextlib.asynccontextmanager
async def studio(most: int = 8) -> AsyncGenerator[AsyncMetaStudio, None]:
    """A client of a server in the same event loop, so that each turn of the loop is a step of both."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    async with (
        server,
        AsyncMetaStudio(base_url=url, credentials=Credentials("AK", "SK"), project_id="p", limits=limits) as client,
    ):
        yield client


async def one_list(client: AsyncMetaStudio) -> None:
    await client.training_jobs.list(limit=2)


async def whole_iteration(client: AsyncMetaStudio) -> None:
    async with contextlib.aclosing(client.training_jobs.iterate(page_size=2, concurrency=3)) as jobs:
        assert [job.job_id async for job in jobs] == list(map(str, range(TOTAL)))


async def iteration_left_early(client: AsyncMetaStudio) -> None:
    async with contextlib.aclosing(client.training_jobs.iterate(page_size=2, concurrency=3)) as jobs:
        async for _ in jobs:
            break


async def ten_calls_are_quick(client: AsyncMetaStudio) -> None:
    started = time.monotonic()
    async with asyncio.timeout(QUICK):
        await asyncio.gather(*(one_list(client) for _ in range(10)))
    assert time.monotonic() - started < QUICK


@pytest.mark.parametrize("most", [1, 8])
@pytest.mark.parametrize("work", [one_list, whole_iteration, iteration_left_early])
async def test_cancelled_after_every_number_of_turns(
    work: Callable[[AsyncMetaStudio], Coroutine[Any, Any, None]], most: int
) -> None:
    async with studio(most) as client:
        await ten_calls_are_quick(client)
        for turns in range(MOST_TURNS):
            task = asyncio.create_task(work(client))
            for _ in range(turns):
                await asyncio.sleep(0)
            if not task.cancel():
                await task
                break
            await asyncio.wait([task], timeout=QUICK)
            assert task.done()
            if not task.cancelled():
                await task
            await ten_calls_are_quick(client)
        else:
            pytest.fail("never reached the end")


@pytest.mark.parametrize("apart", range(8))
async def test_first_of_8_wins(apart: int) -> None:
    async with studio() as client:
        for _ in range(8):
            tasks: list[asyncio.Task[None]] = []
            for _ in range(8):
                tasks.append(asyncio.create_task(one_list(client)))
                for _ in range(apart):
                    await asyncio.sleep(0)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ten_calls_are_quick(client)
