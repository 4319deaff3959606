"""Reading by offset from servers that are not to be trusted, and from lists that change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from metastudio import errors
from metastudio.http.throttle import Throttle
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.paginator import async_items, async_iterate_pages, items, iterate_pages
from simulated_lists import (
    OPERATION,
    Arguments,
    HeldServer,
    Job,
    SimulatedServer,
    UntrustedServer,
    ids,
    job,
    jobs,
    options,
    read,
)

Spoil = Callable[[Arguments, list[Job], int], tuple[list[Job], Any]]


def last_page(asked: Arguments, count: int) -> list[Job]:
    """Return what a server returns that answers an offset beyond the end with the last page."""
    start = min(asked["offset"], max(0, count - asked["limit"]))
    return jobs(count)[start : start + asked["limit"]]


def empty_once(asked: Arguments, found: list[Job], total: int) -> tuple[list[Job], int]:
    """Return no items every other time that the second page is requested."""
    EMPTIED[asked["offset"]] = EMPTIED.get(asked["offset"], 0) + 1
    return ([] if asked["offset"] == 10 and EMPTIED[10] % 2 else found), total


EMPTIED = dict[int, int]()


WHOLE: dict[str, tuple[int, Spoil]] = {
    "clamps the offset": (35, lambda asked, _, total: (last_page(asked, 35), total)),
    "pages smaller than asked": (35, lambda _, found, total: (found[:4], total)),
    "one item a page": (35, lambda _, found, total: (found[:1], total)),
    "pages smaller than asked, later": (
        35,
        lambda asked, found, total: (found[:3] if asked["offset"] in (10, 13) else found, total),
    ),
    "an empty page for once": (35, empty_once),
    "pages larger than asked": (35, lambda asked, _, total: (jobs(35)[asked["offset"] :], total)),
    "no count": (35, lambda _, found, total: (found, None)),
    "no count, full pages only": (30, lambda _, found, total: (found, None)),
    "a count that is text": (35, lambda _, found, total: (found, "35")),
    "a count that is true": (35, lambda _, found, total: (found, True)),
    "a count below zero": (35, lambda _, found, total: (found, -1)),
    "a count that goes away": (35, lambda asked, found, total: (found, None if asked["offset"] else total)),
}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("count", "spoil"), WHOLE.values(), ids=WHOLE.keys())
def test_odd_servers_are_read_whole(count: int, spoil: Spoil, concurrency: int) -> None:
    server = UntrustedServer(jobs(count), spoil)
    assert ids(read(server, {}, options(concurrency=concurrency))) == ids(jobs(count))


def test_the_server_may_use_smaller_pages() -> None:
    server = UntrustedServer(jobs(35), WHOLE["pages smaller than asked"][1])
    read(server, {}, options())
    assert [each["offset"] for each in server.requests] == list(range(0, 35, 4))


def test_without_a_total_a_short_page_is_the_end() -> None:
    server = UntrustedServer(jobs(35), WHOLE["no count"][1])
    read(server, {}, options())
    assert len(server.requests) == 4


def test_a_first_page_that_is_empty_once_and_then_short() -> None:
    answered = list[int]()

    def spoil(asked: Arguments, found: list[Job], total: int) -> tuple[list[Job], int]:
        answered.append(asked["offset"])
        return (found[: 4 * (answered.count(0) - 1)] if asked["offset"] == 0 else found), total

    assert ids(read(UntrustedServer(jobs(65), spoil), {}, options(concurrency=4))) == ids(jobs(65))


def test_responses_beyond_the_end_of_a_list_that_shrank_are_ignored() -> None:
    held = HeldServer(100)

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        held.fetch(arguments)
        if arguments["offset"] == 50:
            raise errors.ServerError(500, "E", "broken")
        count = 35 if arguments["offset"] else 100
        return FetchedPage(last_page(arguments, count), count, None)

    found = items(iterate_pages(OPERATION, fetch, {}, Executor(), options(concurrency=5)))
    assert [next(found).job_id for _ in range(10)] == ids(jobs(10))
    held.wait_for(10, 20, 30, 40, 50)
    held.release(*range(10, 100, 10))
    with pytest.warns(errors.ListChangedWarning, match="from 100 to 35"):
        assert ids(found) == ids(jobs(35)[10:])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_items_that_move_to_the_next_page_are_not_repeated(concurrency: int) -> None:
    server, lock = SimulatedServer(jobs(60)), threading.Lock()

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        with lock:
            page = server.fetch(arguments)
            if not arguments["offset"]:
                server.jobs[:0] = [job(number + 100) for number in range(3)]
            return page

    given = options(concurrency=concurrency, max_items=40)
    found = ids(items(iterate_pages(OPERATION, fetch, {}, Executor(), given)))
    assert found == ids(jobs(40))


FAULTY: dict[str, tuple[str, Spoil]] = {
    "a count that runs ahead": (
        "none from offset 100 on",
        lambda asked, found, total: (found, total + asked["offset"]),
    ),
    "ignores the offset": ("same page twice", lambda asked, _, total: (jobs(10), total)),
    "ignores the offset, in another order": (
        "same page twice",
        lambda asked, _, total: (jobs(10)[:: -1 if asked["offset"] else 1], total),
    ),
    "two pages in turn": (
        "same page twice",
        lambda asked, _, total: (jobs(20)[asked["offset"] % 20 :][:10], None),
    ),
    "no page beyond a window": (
        "none from offset 20 on",
        lambda asked, found, total: (found[: 20 - asked["offset"]], total),
    ),
    "clamps the offset to a window": ("same page twice", lambda asked, _, total: (last_page(asked, 100), 10**4)),
    "grows for ever": (
        "grows faster",
        lambda asked, _, total: ([job(asked["offset"] + more) for more in range(10)], asked["offset"] + 20),
    ),
    "repeats and grows for ever": ("grows faster", lambda asked, _, total: (jobs(10), asked["offset"] + 20)),
}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(("message", "spoil"), FAULTY.values(), ids=FAULTY.keys())
def test_faulty_servers_end_in_an_error(message: str, spoil: Spoil, concurrency: int) -> None:
    server = UntrustedServer(jobs(100), spoil)
    with pytest.raises(errors.ListChangedError, match=message):
        read(server, {}, options(concurrency=concurrency))
    assert len(server.requests) <= (12 if message == "same page twice" and concurrency == 1 else 50)


def test_a_shrinking_total_is_warned_of_once() -> None:
    server = SimulatedServer(jobs(100))

    def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        page = server.fetch(arguments)
        del server.jobs[:3]
        return page

    for found in (
        items(iterate_pages(OPERATION, fetch, {}, Executor(), options())),
        iterate_pages(OPERATION, fetch, {}, Executor(), options()),
    ):
        server.jobs[:] = jobs(100)
        with pytest.warns(errors.ListChangedWarning, match=r"from 100 to 97 .*consistent=True") as warned:
            read = list(found)
        assert len(warned) == 1
        assert warned[0].filename == __file__
        assert len(read) > 5


@pytest.mark.anyio
async def test_a_shrinking_total_is_warned_of_async() -> None:
    server = SimulatedServer(jobs(100))

    async def fetch(arguments: Arguments, throttle: Throttle | None) -> FetchedPage[Job]:
        page = server.fetch(arguments)
        server.jobs.pop()
        return page

    found = async_items(async_iterate_pages(OPERATION, fetch, {}, AsyncExecutor(), options()))
    with pytest.warns(errors.ListChangedWarning) as warned:
        _ = [each async for each in found]
    assert [each.filename for each in warned] == [__file__]


def test_a_list_without_a_total_is_read_sequentially() -> None:
    server = UntrustedServer(jobs(35), lambda _, found, total: (found, None))
    with closing(iterate_pages(OPERATION, server.fetch, {}, Executor(), options(concurrency=8))) as found:
        next(found)
        assert len(server.requests) == 1
