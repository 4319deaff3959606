"""Reading a whole list: every item in order, arguments, other contracts, `find`, the client over HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio
from metastudio.contract.json_pointer import pointer_getter
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.paginator import async_find, async_items, async_iterate_pages, find, items, iterate_pages
from metastudio_client.types import UNSET, Unset
from simulated_lists import OPERATION, Arguments, Job, SimulatedServer, ids, job, jobs, options, read, request_tasks


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8, 32])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 57, 100])
def test_every_item_once_in_order(count: int, concurrency: int) -> None:
    server = SimulatedServer(jobs(count))
    assert ids(read(server, {}, options(concurrency=concurrency))) == ids(jobs(count))
    assert sorted(request["offset"] for request in server.requests) == list(range(0, max(count, 1), 10))


@pytest.mark.anyio
@pytest.mark.parametrize("concurrency", [1, 2, 8])
@pytest.mark.parametrize("count", [0, 1, 10, 57])
async def test_every_item_once_in_order_async(count: int, concurrency: int) -> None:
    server = SimulatedServer(jobs(count))

    async def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        for _ in range(arguments["offset"] % 7):
            await asyncio.sleep(0)
        return server.fetch(arguments)

    found = async_items(async_iterate_pages(OPERATION, fetch, {}, AsyncExecutor(), options(concurrency=concurrency)))
    assert [each.job_id async for each in found] == ids(jobs(count))


def test_every_request_carries_the_filters_and_the_paging() -> None:
    server = SimulatedServer([job(number, state="TRAINING") for number in range(25)])
    read(server, {"state": ["TRAINING"]}, options(concurrency=2))
    requests = sorted(server.requests, key=lambda each: each["offset"])
    assert requests == [{"state": ["TRAINING"], "offset": offset, "limit": 10} for offset in (0, 10, 20)]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("most", "requested"), [(0, []), (3, [3]), (10, [10]), (25, [10, 10, 5]), (99, [10] * 4)])
def test_max_items_requests_no_more(most: int, requested: list[int], concurrency: int) -> None:
    server = SimulatedServer(jobs(35))
    found = read(server, {}, options(max_items=most, concurrency=concurrency))
    assert ids(found) == ids(jobs(min(most, 35)))
    limits = [each["limit"] for each in sorted(server.requests, key=lambda each: each["offset"])]
    assert limits == requested


def test_pages_carry_offset_total_and_request_id() -> None:
    server = SimulatedServer(jobs(25))
    found = list(iterate_pages(OPERATION, server.fetch, {}, Executor(), options()))
    assert [(page.offset, len(page.items), page.total) for page in found] == [(0, 10, 25), (10, 10, 25), (20, 5, 25)]
    assert [page.request_id for page in found] == ["request-1", "request-2", "request-3"]


def test_an_empty_list_gives_one_empty_page() -> None:
    (page,) = iterate_pages(OPERATION, SimulatedServer([]).fetch, {}, Executor(), options())
    assert (page.items, page.offset, page.total, page.request_id) == ([], 0, 0, "request-1")


def test_jobs_created_at_the_end_meanwhile_are_delivered() -> None:
    server = SimulatedServer(jobs(20))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if len(server.jobs) < 35:
            server.jobs.append(job(len(server.jobs)))
        return server.fetch(arguments)

    found = items(iterate_pages(OPERATION, fetch, {}, Executor(), options()))
    assert ids(found) == ids(jobs(23))


# Bad arguments

ZONE = timezone(timedelta(hours=8))


BAD: list[tuple[dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ({}, {"page_size": 101}, ValueError, "page_size must be at most 100, the largest page of this list, not 101"),
    ({"offset": 5}, {}, TypeError, "offset is not an argument of an iteration; use page_size and max_items"),
    ({"limit": 5}, {}, TypeError, "limit is not an argument of an iteration; use page_size and max_items"),
    (
        {"create_since": datetime(2024, 1, 1, 8, 0, 1, tzinfo=ZONE), "create_until": datetime(2024, 1, 1, tzinfo=UTC)},
        {},
        ValueError,
        "create_since is later than create_until",
    ),
]


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize(("arguments", "given", "error", "message"), BAD, ids=lambda each: str(each)[:40])
def test_bad_arguments_are_refused_at_the_call(
    arguments: dict[str, Any], given: dict[str, Any], error: type[Exception], message: str, consistent: bool
) -> None:
    server = SimulatedServer(jobs(5))
    bad = options(**{"consistent": consistent, **given})
    with pytest.raises(error, match=message):
        iterate_pages(OPERATION, server.fetch, arguments, Executor(), bad)
    with pytest.raises(error, match=message):
        async_iterate_pages(OPERATION, server.async_fetch, arguments, AsyncExecutor(), bad)
    assert server.requests == []


def test_both_bounds_may_be_the_same_time() -> None:
    server = SimulatedServer(jobs(5))
    moment = server.jobs[2].create_time
    assert ids(read(server, {"create_since": moment, "create_until": moment}, options())) == ["0002"]


# Other contracts


@attrs.define
class Meta:
    voice_id: str | Unset = UNSET


@attrs.define
class Voice:
    meta_data: Meta | Unset = UNSET
    type_: str | None = None
    additional_properties: dict[str, Any] = attrs.field(factory=dict)


def test_json_pointers_into_generated_models() -> None:
    voice = Voice(Meta("v1"), None, {"new": {"deep": 1}})
    assert pointer_getter("/metaData/voiceId")(voice) == "v1"
    assert pointer_getter("/metaData/voiceId")(Voice()) is None
    assert pointer_getter("/type")(Voice(type_="a")) == "a"
    assert pointer_getter("/type/deeper")(Voice(type_="a")) is None
    assert pointer_getter("/new/deep")(voice) == 1
    assert pointer_getter("/absent")(voice) is None
    assert pointer_getter("/a~1b")(Voice(additional_properties={"a/b": 2})) == 2
    assert pointer_getter("/count")([]) is None


def test_a_list_with_other_parameter_names() -> None:
    renamed = {"offset": ("Start-At", "start_at"), "limit": ("pageSize", "page_size")}
    parameters = {
        wire: each._replace(name=wire, python_name=argument)
        for each in OPERATION.parameters.values()
        for wire, argument in [renamed.get(each.name, (each.name, each.python_name))]
    }
    rules = OPERATION.list_rules
    assert rules is not None
    rules = rules._replace(
        offset="Start-At",
        limit="pageSize",
        identity="/metaData/voiceId",
        filters={**rules.filters, "job_id": rules.filters["job_id"]._replace(property="/metaData/voiceId")},
    )
    list_voices = replace(OPERATION, parameters=parameters, list_rules=rules)
    voices = [Voice(Meta(f"v{number}")) for number in range(25)]
    asked = list[tuple[int, int]]()

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Voice]:
        start, size = arguments["start_at"], arguments["page_size"]
        asked.append((start, size))
        return FetchedPage(voices[start : start + size], 25, None)

    assert list(items(iterate_pages(list_voices, fetch, {}, Executor(), options()))) == voices
    assert asked == [(0, 10), (10, 10), (20, 10)]
    with pytest.raises(TypeError, match="start_at is not an argument"):
        iterate_pages(list_voices, fetch, {"start_at": 1}, Executor(), options())
    assert find(list_voices, fetch, "job_id", "v24") is voices[24]


# find


@pytest.mark.anyio
async def test_find() -> None:
    server = SimulatedServer(jobs(300))  # ignores the filter job_id
    assert ids([found for found in [find(OPERATION, server.fetch, "job_id", "0250")] if found]) == ["0250"]
    assert server.requests[0] == {"job_id": "0250", "offset": 0, "limit": 100}
    found = await async_find(OPERATION, server.async_fetch, "job_id", "0000")
    assert found is server.jobs[0]
    assert len(server.requests) == 4
    assert find(OPERATION, server.fetch, "job_id", "025") is None
    assert await async_find(OPERATION, server.async_fetch, "job_id", "025") is None


# The client over HTTP


class HttpList:
    """A simulated list behind a real HTTP server."""

    def __init__(self, count: int) -> None:
        self.list = SimulatedServer(jobs(count))
        self._lock = threading.Lock()

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        asked: dict[str, Any] = {name: int(value) for name, value in parse_qsl(urlsplit(request.target).query)}
        headers = {"Content-Type": "application/json", "X-Request-Id": f"r{asked['offset']}"}
        with self._lock:
            page = self.list.fetch(asked)
        body = {"count": page.total, "jobs": [each.to_dict() for each in page.items]}
        return CannedResponse(body=json.dumps(body).encode(), headers=headers)


def settings(url: str) -> Any:
    return {"base_url": url, "project_id": "p", "credentials": Credentials("AK", "SK")}


def test_the_client_reads_a_list_over_http() -> None:
    behind = HttpList(1234)
    with serve(behind.answer) as http, MetaStudio(**settings(http.url)) as studio:
        assert ids(studio.training_jobs.iterate()) == ids(jobs(1234))
        found = list(studio.training_jobs.iterate_pages(max_items=250, concurrency=16))
    assert [(page.offset, page.request_id) for page in found] == [(0, "r0"), (100, "r100"), (200, "r200")]


@pytest.mark.anyio
async def test_the_client_reads_a_list_over_http_async() -> None:
    with serve(HttpList(1234).answer) as http:
        async with AsyncMetaStudio(**settings(http.url)) as studio:
            assert [each.job_id async for each in studio.training_jobs.iterate()] == ids(jobs(1234))
            async with aclosing(studio.training_jobs.iterate(concurrency=8)) as found:
                await anext(found)
            assert request_tasks() == []
    gc.collect()
