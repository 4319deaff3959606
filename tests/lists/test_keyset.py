"""The promise of `consistent=True` in thousands of random histories, and servers that do not keep an order."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import Credentials, MetaStudio
from metastudio.contract.operation import ListRules
from metastudio.errors import ListChangedError
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.keyset import MAX_RESTARTS
from metastudio.lists.paginator import async_items, async_iterate_pages, choose_paginator, iterate_pages
from metastudio_client.models import SortDirection, TrainingJobSortKey
from simulated_lists import (
    OPERATION,
    START,
    Arguments,
    ChangingServer,
    Job,
    SimulatedServer,
    UntrustedServer,
    ids,
    job,
    jobs,
    options,
    random_arguments,
    read,
)

CONSISTENT = options(consistent=True)


def history(seed: int) -> tuple[ChangingServer, list[str] | None]:
    """Read a random list that changes at random. The result is None if the iteration gave up."""
    random = Random(seed)
    chosen, arguments = random_arguments(random)
    filters = {name: value for name, value in arguments.items() if name != "sort_dir"}
    server = ChangingServer(
        random,
        count=random.randint(0, 40),
        seconds=random.choice((0, 1, 3, 12)),
        churn=random.choice((0.2, 0.5, 0.8)),
        filters=filters,
    )
    try:
        return server, ids(read(server, arguments, chosen))
    except ListChangedError:
        return server, None


def check_promise(seed: int) -> bool:
    server, delivered = history(seed)
    if delivered is None:
        return False
    assert len(delivered) == len(set(delivered)), f"history {seed}: twice"
    assert server.always <= set(delivered), f"history {seed}: lost {server.always - set(delivered)}"
    return True


def test_the_promise_holds_in_seeded_histories() -> None:
    kept = sum(check_promise(seed) for seed in range(1000))
    assert kept >= 994, "the iteration gives up too often"


@pytest.mark.slow
def test_the_promise_holds_in_many_more_seeded_histories() -> None:
    kept = sum(check_promise(seed) for seed in range(1000, 60_000))
    assert kept >= 58_600


@pytest.mark.filterwarnings("ignore::metastudio.errors.ListChangedWarning")
def test_plain_iteration_loses_items_in_such_histories() -> None:
    lost = 0
    for seed in range(300):
        random = Random(seed)
        server = ChangingServer(random, count=30, seconds=random.choice((1, 12)), churn=0.5, filters={})
        try:
            delivered = ids(read(server, {"sort_key": "create_time"}, options(page_size=4)))
        except ListChangedError:
            continue
        lost += not server.always <= set(delivered)
    assert lost > 50


def test_a_cursor_without_overlap_loses_items_in_such_histories() -> None:
    def read_without_overlap(server: SimulatedServer, size: int) -> list[str]:
        cursor, offset, delivered = START, 0, list[str]()
        while True:
            page = server.fetch({"sort_key": "create_time", "create_since": cursor, "offset": offset, "limit": size})
            delivered += [each for each in ids(page.items) if each not in delivered]
            if not page.items or offset + len(page.items) >= (page.total or 0):
                return delivered
            last = page.items[-1].create_time
            cursor, offset = (cursor, offset + size) if last == cursor else (last, 0)

    lost = 0
    for seed in range(300):
        server = ChangingServer(Random(seed), count=30, seconds=1, churn=0.5, filters={})
        delivered = set(read_without_overlap(server, 4))
        lost += not server.always <= delivered
    assert lost > 50


@pytest.mark.parametrize("direction", ["asc", "desc", SortDirection.DESC])
@pytest.mark.parametrize("page_size", [2, 3, 10, 100])
@pytest.mark.parametrize("ties", [1, 7, 40, 57])
def test_an_unchanged_list_is_read_whole_and_in_order(ties: int, page_size: int, direction: str) -> None:
    everything = jobs(57, second=lambda number: number // ties)
    server = SimulatedServer(Random(1).sample(everything, 57))
    found = read(server, {"sort_dir": direction}, options(page_size=page_size, consistent=True))
    assert ids(sorted(found, key=lambda each: each.job_id)) == ids(everything)
    times = [each.create_time for each in found]
    assert times == sorted(times, reverse=direction == "desc")


def test_fractions_of_seconds_in_data_and_bounds() -> None:
    server = SimulatedServer(jobs(60, second=lambda number: number / 8))
    window = {"create_since": START + timedelta(seconds=1.3), "create_until": START + timedelta(seconds=5.6)}
    expected = ids(server.matching(window))
    for direction in ("asc", "desc"):
        found = ids(read(server, {**window, "sort_dir": direction}, options(page_size=4, consistent=True)))
        assert sorted(found) == expected


def test_cursors_are_whole_seconds() -> None:
    server = SimulatedServer(jobs(60, second=lambda number: number / 8))
    for direction in ("asc", "desc"):
        read(server, {"sort_dir": direction}, options(page_size=5, consistent=True))
    bounds = [request.get(name) for request in server.requests for name in ("create_since", "create_until")]
    assert {bound.microsecond for bound in bounds if bound is not None} == {0}


def test_the_requests() -> None:
    server = SimulatedServer(jobs(5))
    read(server, {"state": ["TRAINING"]}, options(page_size=3, consistent=True))
    newest = START + timedelta(seconds=4)
    common = {"state": ["TRAINING"], "sort_key": "create_time", "offset": 0}
    assert server.requests == [
        {**common, "sort_dir": "desc", "limit": 2},
        {**common, "sort_dir": "asc", "limit": 3, "create_until": newest},
        {**common, "sort_dir": "asc", "limit": 3, "create_until": newest, "create_since": START + timedelta(seconds=2)},
    ]


@pytest.mark.parametrize("arguments", [{}, {"create_until": START + timedelta(days=1)}])
def test_jobs_created_meanwhile_do_not_keep_the_iteration_going(arguments: dict[str, Any]) -> None:
    server = SimulatedServer(jobs(10))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        number = len(server.jobs)
        server.jobs += [job(number + more, number + more) for more in range(5)]
        assert len(server.requests) < 50
        return server.fetch(arguments)

    with closing(iterate_pages(OPERATION, fetch, arguments, Executor(), CONSISTENT)) as pages:
        found = [each for page in pages for each in ids(page.items)]
    assert found == ids(jobs(15))


def test_pages_hold_new_items_and_their_offset() -> None:
    server = SimulatedServer(jobs(7, second=lambda number: number // 2))
    pages = list(iterate_pages(OPERATION, server.fetch, {}, Executor(), options(page_size=4, consistent=True)))
    assert [(page.offset, ids(page.items), page.total) for page in pages] == [
        (0, ["0000", "0001", "0002", "0003"], 7),
        (4, ["0004", "0005"], 7),
        (6, ["0006"], 7),
    ]
    assert all(page.request_id for page in pages)


def test_an_empty_list_gives_one_empty_page() -> None:
    server = SimulatedServer([])
    (page,) = iterate_pages(OPERATION, server.fetch, {}, Executor(), CONSISTENT)
    assert (page.items, page.total) == ([], 0)


@pytest.mark.parametrize("most", [0, 1, 4, 6, 100])
def test_max_items(most: int) -> None:
    server = SimulatedServer(jobs(9, second=lambda number: number // 4))
    assert len(read(server, {}, options(page_size=3, max_items=most, consistent=True))) == min(most, 9)
    assert len(server.requests) == 0 if most == 0 else server.requests


@pytest.mark.anyio
async def test_the_promise_holds_async() -> None:
    for seed in range(100):
        server = ChangingServer(Random(seed), count=30, seconds=3, churn=0.5, filters={})
        pages = async_iterate_pages(
            OPERATION, server.async_fetch, {}, AsyncExecutor(), options(page_size=5, consistent=True)
        )
        found = [each.job_id async for each in async_items(pages)]
        assert len(found) == len(set(found))
        assert server.always <= set(found)


def test_the_promise_holds_over_http() -> None:
    server = ChangingServer(Random(3), count=40, seconds=4, churn=0.6, filters={"state": ["TRAINING"]})

    def answer(request: ReceivedRequest) -> CannedResponse:
        arguments: dict[str, Any] = dict(parse_qsl(urlsplit(request.target).query))
        for name in ("offset", "limit"):
            arguments[name] = int(arguments[name])
        for name in {"create_since", "create_until"} & arguments.keys():
            arguments[name] = datetime.fromisoformat(arguments[name])
        arguments["state"] = arguments["state"].split(",")
        page = server.fetch(arguments)
        body = {"count": page.total, "jobs": [each.to_dict() for each in page.items]}
        return CannedResponse(
            body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"}
        )

    with (
        serve(answer) as http,
        MetaStudio(base_url=http.url, project_id="p", credentials=Credentials("AK", "SK")) as studio,
    ):
        found = ids(studio.training_jobs.iterate(state=["TRAINING"], page_size=4, consistent=True))
    assert len(server.requests) > 5
    assert server.always
    assert len(found) == len(set(found))
    assert server.always <= set(found)


# What is refused


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ({"sort_key": "name"}, {}, "omit sort_key"),
        ({}, {"page_size": 1}, "2 or more"),
    ],
)
def test_bad_arguments_are_refused_at_the_call(arguments: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_paginator(OPERATION, arguments, options(consistent=True, **given))


def test_the_sort_key_of_the_order_may_be_given() -> None:
    for key in ("create_time", TrainingJobSortKey.CREATE_TIME):
        assert len(read(SimulatedServer(jobs(5)), {"sort_key": key}, CONSISTENT)) == 5


def without_direction(rules: ListRules) -> ListRules:
    assert rules.order is not None
    return rules._replace(order=rules.order._replace(direction=None))


def changed_filter(name: str, **changes: Any) -> Callable[[ListRules], ListRules]:
    return lambda rules: rules._replace(filters={**rules.filters, name: rules.filters[name]._replace(**changes)})


WITHOUT_TIME_ORDER: list[Callable[[ListRules], ListRules]] = [
    lambda rules: rules._replace(order=None),
    without_direction,
    lambda rules: rules._replace(
        filters={name: each for name, each in rules.filters.items() if name != "create_since"}
    ),
    changed_filter("create_until", op="lt"),
    changed_filter("create_until", property="/last_update_time"),
]


@pytest.mark.parametrize("change", WITHOUT_TIME_ORDER)
def test_contracts_without_an_order_by_time(change: Callable[[ListRules], ListRules]) -> None:
    assert OPERATION.list_rules is not None
    changed = replace(OPERATION, list_rules=change(OPERATION.list_rules))
    with pytest.raises(ValueError, match=r"consistent=True is not possible.*x-list"):
        choose_paginator(changed, {}, CONSISTENT)
    choose_paginator(changed, {}, options())


Jobs = list[Job]
Spoil = Callable[[Arguments, Jobs, int], tuple[Any, Any]]


def timed(time: Any) -> Job:
    found = job(1)
    found.create_time = time
    return found


def unbounded(asked: Arguments, bound: str) -> Jobs:
    return SimulatedServer(SPREAD).answer({name: value for name, value in asked.items() if name != bound})[0]


TIES = jobs(30, second=lambda _: 0)
SPREAD = jobs(30)
ENDLESS = jobs(3000, second=lambda _: 0)

FAULTY: dict[str, tuple[Jobs, str, Spoil]] = {
    "unordered page": (SPREAD, "did not order", lambda _, items, total: (items[::-1], total)),
    "ignores desc": (SPREAD, "did not order", lambda asked, _, total: (SPREAD[: asked["limit"]], total)),
    "the same page again": (
        SPREAD,
        "outside",
        lambda asked, items, total: (items if asked["limit"] == 2 else SPREAD[:10], total),
    ),
    "ignores the offset": (TIES, "in a row", lambda _, items, total: (TIES[:10], total)),
    "clamps the offset": (TIES, "in a row", lambda asked, _, total: (TIES[min(asked["offset"], 12) :][:10], total)),
    "count far too large": (TIES, "in a row", lambda _, items, total: (items, 10**9)),
    "one item a page": (TIES, "in a row", lambda _, items, total: (items[:1], total)),
    "nothing inside the count": (SPREAD, "in a row", lambda _, items, total: ([], total)),
    "ignores the lower bound": (SPREAD, "outside", lambda asked, _, total: (unbounded(asked, "create_since"), total)),
    "ignores the upper bound": (
        SPREAD,
        "outside",
        lambda asked, items, _: (items if asked["limit"] == 2 else [*items[:5], job(99, 1000)], 1),
    ),
    "a second that grows while it is read": (
        ENDLESS,
        "grows",
        lambda asked, items, total: (items, min(total, 15 + 2 * asked["offset"])),
    ),
    "unreadable time": (SPREAD, "no readable time", lambda _, items, total: ([timed("soon")], total)),
    "no time": (SPREAD, "no readable time", lambda _, items, total: ([timed(None)], total)),
    "end of the calendar": (
        SPREAD,
        "no readable time",
        lambda _, items, total: ([timed(datetime.fromisoformat("9999-12-31T23:59:59.9Z"))], total),
    ),
    "start of the calendar": (
        SPREAD,
        "no readable time",
        lambda _, items, total: ([timed(datetime.fromisoformat("0001-01-01T00:00:00+01:00"))], total),
    ),
    "time without zone": (SPREAD, "no readable time", lambda _, items, total: ([timed(datetime(2024, 1, 1))], total)),
}

TOLERATED: dict[str, tuple[Jobs, Spoil]] = {
    "fewer than asked, ties": (TIES, lambda _, items, total: (items[:2], total)),
    "fewer than asked": (SPREAD, lambda _, items, total: (items[:3], total)),
    "no count, ties": (TIES, lambda _, items, total: (items, None)),
    "no count": (SPREAD, lambda _, items, total: (items, None)),
    "a count that is text": (SPREAD, lambda _, items, total: (items, str(total))),
    "a count below zero": (TIES, lambda _, items, total: (items, -1)),
    "more than asked": (TIES, lambda _, items, total: (items + items[:3], total)),
    "count that wavers": (SPREAD, lambda asked, items, total: (items, total + asked["offset"])),
}


@pytest.mark.parametrize(("data", "message", "spoil"), FAULTY.values(), ids=FAULTY.keys())
def test_servers_that_do_not_keep_the_order_are_refused(data: Jobs, message: str, spoil: Spoil) -> None:
    with pytest.raises(ListChangedError, match=message):
        read(UntrustedServer(data, spoil), {}, CONSISTENT)


@pytest.mark.parametrize(("data", "spoil"), TOLERATED.values(), ids=TOLERATED.keys())
def test_other_faults_of_servers_are_tolerated(data: Jobs, spoil: Spoil) -> None:
    assert sorted(ids(read(UntrustedServer(data, spoil), {}, CONSISTENT))) == ids(data)


def test_gives_up_on_a_second_that_changes_each_time() -> None:
    server = SimulatedServer(jobs(30, second=lambda _: 0))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if arguments["offset"]:
            server.jobs.pop(0)
            server.jobs.append(job(len(server.requests) + 100))
        return server.fetch(arguments)

    with pytest.raises(ListChangedError, match="times in a row"):
        list(iterate_pages(OPERATION, fetch, {}, Executor(), CONSISTENT))
    assert len(server.requests) < 40


def test_a_second_that_changes_is_read_again_without_repeating_items() -> None:
    server = SimulatedServer(jobs(30, second=lambda _: 0))
    first = server.jobs[0]

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if arguments["offset"] == 9 and first in server.jobs:
            server.jobs.remove(first)
        return server.fetch(arguments)

    pages = list(iterate_pages(OPERATION, fetch, {}, Executor(), CONSISTENT))
    assert [each for page in pages for each in ids(page.items)] == ids(jobs(30))
    assert [request["offset"] for request in server.requests] == [0, 0, 0, 9, 0, 9, 18, 27]


def test_restarts_are_counted_per_second() -> None:
    server = SimulatedServer(jobs(400, second=lambda number: number // 16))
    disturbed = set[datetime]()

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        if arguments["offset"] and arguments["create_since"] not in disturbed:
            disturbed.add(arguments["create_since"])
            server.jobs.remove(next(each for each in server.jobs if each.create_time == arguments["create_since"]))
        return server.fetch(arguments)

    pages = list(iterate_pages(OPERATION, fetch, {}, Executor(), CONSISTENT))
    assert len(disturbed) > MAX_RESTARTS
    assert [each for page in pages for each in ids(page.items)] == ids(jobs(400))


def test_no_warning_if_the_list_shrinks() -> None:
    server = SimulatedServer(jobs(30))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        server.jobs.pop()
        return server.fetch(arguments)

    assert list(iterate_pages(OPERATION, fetch, {}, Executor(), CONSISTENT))  # warnings are errors in this suite
