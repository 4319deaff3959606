"""A server that ignores the filter by ID and whose list never ends, and one that echoes secrets as request IDs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from loopback import CannedResponse, LoopbackServer, serve
from metastudio import AsyncMetaStudio, MetaStudio, TokenAuth, engine, errors
from metastudio.lists import waiter
from session_calls import KINDS, Kind, call

TOKEN = "TOKEN-TOKEN-TOKEN"


@pytest.fixture
def endless() -> Iterator[LoopbackServer]:
    numbers = count()

    def respond(_: Any) -> CannedResponse:
        job = {"name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2024-01-01T00:00:00Z"}
        jobs = [{**job, "job_id": f"j{next(numbers)}"} for _ in range(100)]
        body = json.dumps({"count": 10**9, "jobs": jobs}).encode()
        return CannedResponse(body=body, headers={"Content-Type": "application/json"})

    with serve(respond) as server:
        yield server


def options(server: LoopbackServer) -> Any:
    return {"base_url": server.url, "project_id": "p", "auth": TokenAuth(TOKEN)}


def test_a_search_ends(endless: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DEADLINE", 0.5)
    monkeypatch.setattr(waiter, "LAST_POLL", 0.5)
    started = time.monotonic()
    with MetaStudio(**options(endless)) as studio:
        with pytest.raises(errors.ApiTimeoutError, match="zzz was not found in time"):
            studio.training_jobs.find("zzz")
        with pytest.raises(errors.WaitTimeoutError, match="zzz did not settle"):
            studio.training_jobs.wait("zzz", timeout=0.5)

    async def search() -> None:
        async with AsyncMetaStudio(**options(endless)) as other:
            with pytest.raises(errors.ApiTimeoutError, match="zzz was not found in time"):
                await other.training_jobs.find("zzz")
            with pytest.raises(errors.WaitTimeoutError, match="zzz did not settle"):
                await other.training_jobs.wait("zzz", timeout=0.5)

    asyncio.run(search())
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("status", [200, 403])
def test_a_request_id_that_echoes_the_token_is_none(status: int) -> None:
    body = b'{"count": 0, "jobs": [], "error_code": "A.1", "error_msg": "m", "request_id": "' + TOKEN.encode() + b'"}'
    headers = {"Content-Type": "application/json", "X-Request-Id": f"id-{TOKEN}"}
    with serve(lambda _: CannedResponse(status, body, headers)) as server, MetaStudio(**options(server)) as studio:
        if status == 200:
            assert studio.training_jobs.list().request_id is None
        else:
            with pytest.raises(errors.PermissionDeniedError) as raised:
                studio.training_jobs.list()
            assert raised.value.request_id is None
            assert TOKEN not in str(raised.value) + repr(raised.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400", b"9" * 5000])
def test_numbers_that_json_or_python_does_not_have(number: bytes, kind: Kind) -> None:
    body = b'{"count": 0, "jobs": [], "x": ' + number + b"}"
    headers = {"Content-Type": f"application/{TOKEN}"}
    with serve(lambda _: CannedResponse(200, body, headers)) as server:
        error = call(kind, server.url, auth=TokenAuth(TOKEN)).raised(errors.ResponseFormatError)
    assert "its JSON has NaN, Infinity or a number that is too large" in str(error)
    assert TOKEN not in str(error.content_type)
