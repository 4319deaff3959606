"""The promise of consistent=True, against the truth, in thousands of histories; and servers that do not deserve it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Answer, Received, serve
from metastudio import Credentials, MetaStudio
from metastudio.contract import operation
from metastudio.errors import ListChangedError
from metastudio.lists.executor import AsyncIterations, Iterations
from metastudio.lists.keyset import RESTARTS
from metastudio.lists.offset import FetchedPage
from metastudio.lists.paginator import async_iterate_pages, iterate_pages, plan
from metastudio.lists.prefetch import async_items
from metastudio_client.models import SortDirection, TrainingJobBasicInfo, TrainingJobSortKey
from simulated_lists import (
    OPERATION,
    START,
    RestlessServer,
    SimulatedServer,
    ids,
    job,
    jobs,
    options,
    run,
    walk_options,
)

WALK = options(consistent=True)


def history(seed: int) -> tuple[RestlessServer, list[str] | None]:
    """Walk through a random list that changes in random ways. No result where the walk gave up."""
    random = Random(seed)
    chosen, arguments = walk_options(random)
    filters = {name: value for name, value in arguments.items() if name != "sort_dir"}
    server = RestlessServer(
        random,
        count=random.randint(0, 40),
        seconds=random.choice((0, 1, 3, 12)),
        churn=random.choice((0.2, 0.5, 0.8)),
        filters=filters,
    )
    try:
        return server, ids(run(server, arguments, **chosen))
    except ListChangedError:
        return server, None


def check_promise(seed: int) -> bool:
    server, delivered = history(seed)
    if delivered is None:
        return False
    assert len(delivered) == len(set(delivered)), f"history {seed}: twice"
    assert server.always <= set(delivered), f"history {seed}: lost {server.always - set(delivered)}"
    return True


def test_promise_in_seeded_histories() -> None:
    kept = sum(check_promise(seed) for seed in range(2500))
    assert kept >= 2485, "the walk gives up too often"


@pytest.mark.slow
def test_promise_in_many_more_seeded_histories() -> None:
    kept = sum(check_promise(seed) for seed in range(2500, 60_000))
    assert kept >= 57_200


@settings(max_examples=500, deadline=None, database=None)
@given(seed=st.integers(min_value=1_000_000))
def test_promise_in_histories_of_hypothesis(seed: int) -> None:
    check_promise(seed)


@pytest.mark.filterwarnings("ignore::metastudio.lists.offset.ListChangedWarning")
def test_histories_are_hard_plain_iteration_loses_in_them() -> None:
    lost = 0
    for seed in range(300):
        random = Random(seed)
        server = RestlessServer(random, count=30, seconds=random.choice((1, 12)), churn=0.5, filters={})
        try:
            delivered = ids(run(server, {"sort_key": "create_time"}, **options(page_size=4)))
        except ListChangedError:
            continue
        lost += not server.always <= set(delivered)
    assert lost > 50


def test_histories_are_hard_ties_by_offset_lose_in_them() -> None:
    """Walking by the cursor is not enough: advancing the offset among ties without overlap loses items too."""

    def walk(server: SimulatedServer, size: int) -> list[str]:
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
        server = RestlessServer(Random(seed), count=30, seconds=1, churn=0.5, filters={})
        delivered = set(walk(server, 4))
        lost += not server.always <= delivered
    assert lost > 50


@pytest.mark.parametrize("direction", ["asc", "desc", SortDirection.DESC])
@pytest.mark.parametrize("page_size", [2, 3, 10, 100])
@pytest.mark.parametrize("ties", [1, 7, 40, 57])
def test_a_list_that_stands_still_comes_whole_and_in_order(ties: int, page_size: int, direction: str) -> None:
    everything = jobs(57, second=lambda number: number // ties)
    server = SimulatedServer(Random(1).sample(everything, 57))
    found = run(server, {"sort_dir": direction}, **options(page_size=page_size, consistent=True))
    assert ids(sorted(found, key=lambda each: each.job_id)) == ids(everything)
    times = [each.create_time for each in found]
    assert times == sorted(times, reverse=direction == "desc")


def test_fractions_of_seconds_in_the_data_and_in_the_bounds_are_kept_apart() -> None:
    server = SimulatedServer(jobs(60, second=lambda number: number / 8))
    window = {"create_since": START + timedelta(seconds=1.3), "create_until": START + timedelta(seconds=5.6)}
    expected = ids(server.matching(window))
    for direction in ("asc", "desc"):
        found = ids(run(server, {**window, "sort_dir": direction}, **options(page_size=4, consistent=True)))
        assert sorted(found) == expected


def test_cursors_are_whole_seconds() -> None:
    server = SimulatedServer(jobs(60, second=lambda number: number / 8))
    for direction in ("asc", "desc"):
        run(server, {"sort_dir": direction}, **options(page_size=5, consistent=True))
    bounds = [request.get(name) for request in server.requests for name in ("create_since", "create_until")]
    assert {bound.microsecond for bound in bounds if bound is not None} == {0}


def test_requests_of_a_walk() -> None:
    server = SimulatedServer(jobs(5))
    run(server, {"state": ["TRAINING"]}, **options(page_size=3, consistent=True))
    newest = START + timedelta(seconds=4)
    common = {"state": ["TRAINING"], "sort_key": "create_time", "offset": 0}
    assert server.requests == [
        {**common, "sort_dir": "desc", "limit": 2},
        {**common, "sort_dir": "asc", "limit": 3, "create_until": newest},
        {**common, "sort_dir": "asc", "limit": 3, "create_until": newest, "create_since": START + timedelta(seconds=2)},
    ]


@pytest.mark.parametrize("arguments", [{}, {"create_until": START + timedelta(days=1)}])
def test_jobs_created_while_walking_do_not_keep_it_going(arguments: dict[str, Any]) -> None:
    server = SimulatedServer(jobs(10))

    def fetch(arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        number = len(server.jobs)
        server.jobs += [job(number + more, number + more) for more in range(5)]
        assert len(server.requests) < 50
        return server.fetch(arguments)

    with closing(iterate_pages(OPERATION, fetch, arguments, Iterations(), **WALK)) as pages:
        found = [each for page in pages for each in ids(page.items)]
    assert found == ids(jobs(15))


def test_pages_say_where_they_are_and_hold_only_what_is_new() -> None:
    server = SimulatedServer(jobs(7, second=lambda number: number // 2))
    pages = list(iterate_pages(OPERATION, server.fetch, {}, Iterations(), **options(page_size=4, consistent=True)))
    assert [(page.offset, ids(page.items), page.total) for page in pages] == [
        (0, ["0000", "0001", "0002", "0003"], 7),
        (4, ["0004", "0005"], 7),
        (6, ["0006"], 7),
    ]
    assert all(page.request_id for page in pages)


def test_an_empty_list_is_one_empty_page() -> None:
    server = SimulatedServer([])
    (page,) = iterate_pages(OPERATION, server.fetch, {}, Iterations(), **WALK)
    assert (page.items, page.total) == ([], 0)


@pytest.mark.parametrize("most", [0, 1, 4, 6, 100])
def test_max_items(most: int) -> None:
    server = SimulatedServer(jobs(9, second=lambda number: number // 4))
    assert len(run(server, {}, **options(page_size=3, max_items=most, consistent=True))) == min(most, 9)
    assert len(server.requests) == 0 if most == 0 else server.requests


@pytest.mark.anyio
async def test_async_walk_keeps_the_promise_too() -> None:
    for seed in range(100):
        server = RestlessServer(Random(seed), count=30, seconds=3, churn=0.5, filters={})
        pages = async_iterate_pages(
            OPERATION, server.afetch, {}, AsyncIterations(), **options(page_size=5, consistent=True)
        )
        found = [each.job_id async for each in async_items(pages)]
        assert len(found) == len(set(found))
        assert server.always <= set(found)


def test_over_http_with_the_real_client() -> None:
    server = RestlessServer(Random(3), count=40, seconds=4, churn=0.6, filters={"state": ["TRAINING"]})

    def answer(request: Received) -> Answer:
        arguments: dict[str, Any] = dict(parse_qsl(urlsplit(request.target).query))
        for name in ("offset", "limit"):
            arguments[name] = int(arguments[name])
        for name in {"create_since", "create_until"} & arguments.keys():
            arguments[name] = datetime.fromisoformat(arguments[name])
        arguments["state"] = arguments["state"].split(",")
        page = server.fetch(arguments)
        body = {"count": page.total, "jobs": [each.to_dict() for each in page.items]}
        return Answer(body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"})

    with (
        serve(answer) as http,
        MetaStudio(base_url=http.url, project_id="p", credentials=Credentials("AK", "SK")) as studio,
    ):
        found = ids(studio.training_jobs.iterate(state=["TRAINING"], page_size=4, consistent=True))
    assert len(server.requests) > 5
    assert server.always
    assert len(found) == len(set(found))
    assert server.always <= set(found)


# What a walk cannot do


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ({"sort_key": "name"}, {}, "leave sort_key out"),
        ({}, {"page_size": 1}, "2 or more"),
    ],
)
def test_refused_at_the_call(arguments: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(OPERATION, arguments, **options(**{**WALK, **given}))


def test_the_key_that_the_walk_goes_by_may_be_named() -> None:
    for key in ("create_time", TrainingJobSortKey.CREATE_TIME):
        assert len(run(SimulatedServer(jobs(5)), {"sort_key": key}, **WALK)) == 5


def changed_contract(change: Callable[[dict[str, Any]], object]) -> operation.Operation:
    from metastudio_client.contract import OPERATIONS

    raw = json.loads(json.dumps(OPERATIONS["list_training_jobs"]))
    raw["success"] = {}
    change(raw["x-list"])
    return operation.read({"list_training_jobs": raw})["list_training_jobs"]


NO_WAY: list[Callable[[dict[str, Any]], object]] = [
    lambda rules: rules.pop("order"),
    lambda rules: rules["order"].pop("direction"),
    lambda rules: rules["filters"].pop("create_since"),
    lambda rules: rules["filters"]["create_until"].update(op="lt"),
    lambda rules: rules["filters"]["create_until"].update(property="/last_update_time"),
]


@pytest.mark.parametrize("change", NO_WAY)
def test_contracts_that_state_nothing_to_walk_by(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(ValueError, match=r"consistent=True is not possible.*x-list"):
        plan(changed_contract(change), {}, **WALK)
    plan(changed_contract(change), {}, **options())


Jobs = list[TrainingJobBasicInfo]
Spoil = Callable[[Mapping[str, Any], Jobs, int], tuple[Any, Any]]


class Hostile(SimulatedServer):
    """Gives what `spoil` makes of each right answer."""

    def __init__(self, jobs: Jobs, spoil: Spoil) -> None:
        super().__init__(list(jobs))
        self._spoil = spoil

    def fetch(self, arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        assert len(self.requests) < 200, "the walk does not end"
        page = super().fetch(arguments)
        return FetchedPage(*self._spoil(arguments, page.items, page.total or 0), None)


def timed(time: Any) -> TrainingJobBasicInfo:
    found = job(1)
    found.create_time = time
    return found


def unbounded(asked: Mapping[str, Any], bound: str) -> Jobs:
    return SimulatedServer(SPREAD).answer({name: value for name, value in asked.items() if name != bound})[0]


TIES = jobs(30, second=lambda _: 0)
SPREAD = jobs(30)
ENDLESS = jobs(3000, second=lambda _: 0)

UNWALKABLE: dict[str, tuple[Jobs, str, Spoil]] = {
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
    "time without zone": (SPREAD, "no readable time", lambda _, items, total: ([timed(datetime(2024, 1, 1))], total)),
}

WALKABLE: dict[str, tuple[Jobs, Spoil]] = {
    "fewer than asked, ties": (TIES, lambda _, items, total: (items[:2], total)),
    "fewer than asked": (SPREAD, lambda _, items, total: (items[:3], total)),
    "no count, ties": (TIES, lambda _, items, total: (items, None)),
    "no count": (SPREAD, lambda _, items, total: (items, None)),
    "a count that is text": (SPREAD, lambda _, items, total: (items, str(total))),
    "a count below zero": (TIES, lambda _, items, total: (items, -1)),
    "more than asked": (TIES, lambda _, items, total: (items + items[:3], total)),
    "count that wavers": (SPREAD, lambda asked, items, total: (items, total + asked["offset"])),
}


@pytest.mark.parametrize(("data", "message", "spoil"), UNWALKABLE.values(), ids=UNWALKABLE.keys())
def test_servers_that_cannot_be_walked(data: Jobs, message: str, spoil: Spoil) -> None:
    with pytest.raises(ListChangedError, match=message):
        run(Hostile(data, spoil), {}, **WALK)


@pytest.mark.parametrize(("data", "spoil"), WALKABLE.values(), ids=WALKABLE.keys())
def test_servers_that_are_walked_all_the_same(data: Jobs, spoil: Spoil) -> None:
    assert sorted(ids(run(Hostile(data, spoil), {}, **WALK))) == ids(data)


def test_a_group_that_changes_whenever_it_is_read_is_given_up() -> None:
    server = SimulatedServer(jobs(30, second=lambda _: 0))

    def fetch(arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        if arguments["offset"]:
            server.jobs.pop(0)
            server.jobs.append(job(len(server.requests) + 100))
        return server.fetch(arguments)

    with pytest.raises(ListChangedError, match="times in a row"):
        list(iterate_pages(OPERATION, fetch, {}, Iterations(), **WALK))
    assert len(server.requests) < 40


def test_a_group_of_ties_is_read_again_only_from_its_start_and_delivers_nothing_twice() -> None:
    server = SimulatedServer(jobs(30, second=lambda _: 0))
    first = server.jobs[0]

    def fetch(arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        if arguments["offset"] == 9 and first in server.jobs:
            server.jobs.remove(first)
        return server.fetch(arguments)

    pages = list(iterate_pages(OPERATION, fetch, {}, Iterations(), **WALK))
    assert [each for page in pages for each in ids(page.items)] == ids(jobs(30))
    assert [request["offset"] for request in server.requests] == [0, 0, 0, 9, 0, 9, 18, 27]


def test_restarts_are_counted_for_each_second_anew() -> None:
    server = SimulatedServer(jobs(400, second=lambda number: number // 16))
    disturbed = set[datetime]()

    def fetch(arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        if arguments["offset"] and arguments["create_since"] not in disturbed:
            disturbed.add(arguments["create_since"])
            server.jobs.remove(next(each for each in server.jobs if each.create_time == arguments["create_since"]))
        return server.fetch(arguments)

    pages = list(iterate_pages(OPERATION, fetch, {}, Iterations(), **WALK))
    assert len(disturbed) > RESTARTS
    assert [each for page in pages for each in ids(page.items)] == ids(jobs(400))


def test_a_walk_does_not_warn_of_what_it_copes_with() -> None:
    server = SimulatedServer(jobs(30))

    def fetch(arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        server.jobs.pop()
        return server.fetch(arguments)

    assert list(iterate_pages(OPERATION, fetch, {}, Iterations(), **WALK))  # warnings are errors in this suite
