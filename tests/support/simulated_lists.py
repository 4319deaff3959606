"""A list in memory, on a server that may change it between requests. Paginators are tested against it and its truth."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

from metastudio.errors import ServerError
from metastudio.http.throttle import Throttle
from metastudio.lists import IterateOptions, Page
from metastudio.lists.base import FetchedPage
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.paginator import async_iterate_pages, items, iterate_pages
from metastudio_client.contract import LIST_TRAINING_JOBS
from metastudio_client.models.training_job_basic_info import TrainingJobBasicInfo

Arguments = Mapping[str, Any]
Job = TrainingJobBasicInfo

OPERATION = LIST_TRAINING_JOBS
START = datetime(2024, 1, 1, tzinfo=UTC)
STATES = ("TRAINING", "JOB_FINISH")
TIMEOUT = 20  # seconds until a test that hangs fails


def job(number: int, seconds: float = 0, state: str = "TRAINING") -> Job:
    return Job(
        job_id=f"{number:04}",
        name=f"Name {number}",
        state=state,
        project_id="p",
        create_time=START + timedelta(seconds=seconds),
    )


def jobs(count: int, *, second: Callable[[int], float] = float) -> list[Job]:
    return [job(number, second(number)) for number in range(count)]


def ids(found: Iterable[Job]) -> list[str]:
    return [each.job_id for each in found]


def options(**given: Any) -> IterateOptions:
    """Return options with small pages and no prefetch, unless given otherwise."""
    chosen: dict[str, Any] = {"page_size": 10, "concurrency": 1, **given}
    return IterateOptions(**chosen)


@dataclass
class SimulatedServer:
    """Filters, orders (ties by `tie`, in both directions), counts and pages like the service of the contract."""

    jobs: list[Job]
    tie: Callable[[Job], Any] = lambda job: job.job_id
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def matching(self, arguments: Arguments) -> list[Job]:
        since, until = arguments.get("create_since"), arguments.get("create_until")
        return [
            each
            for each in self.jobs
            if (since is None or each.create_time >= since)
            and (until is None or each.create_time <= until)
            and ("state" not in arguments or each.state in arguments["state"])
        ]

    def answer(self, arguments: Arguments) -> tuple[list[Job], int]:
        found = self.matching(arguments)
        if arguments.get("sort_key") == "create_time":
            found.sort(key=self.tie)
            found.sort(key=lambda each: each.create_time, reverse=arguments.get("sort_dir") == "desc")
        offset, limit = arguments.get("offset", 0), arguments.get("limit", 10)
        return found[offset : offset + limit], len(found)

    def fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        self.requests.append(dict(arguments))
        found, total = self.answer(arguments)
        return FetchedPage(found, total, f"request-{len(self.requests)}")

    async def async_fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        return self.fetch(arguments, throttle)


class UntrustedServer(SimulatedServer):
    """Returns what `spoil` makes of each correct response: of arguments, items and total."""

    def __init__(self, jobs: list[Job], spoil: Callable[[Arguments, list[Job], int], tuple[Any, Any]]) -> None:
        super().__init__(jobs)
        self._spoil = spoil

    def fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        assert len(self.requests) < 300, "the iteration does not end"
        page = super().fetch(arguments)
        assert page.total is not None
        return FetchedPage(*self._spoil(arguments, page.items, page.total), None)


class ChangingServer(SimulatedServer):
    """Creates, deletes and changes jobs before each response but the first, and records the truth of the iteration."""

    def __init__(self, random: Random, *, count: int, seconds: int, churn: float, filters: Arguments) -> None:
        super().__init__([])
        salt = random.random()
        self.tie = lambda each: crc32(f"{salt}{each.job_id}".encode())
        self._random = random
        self._seconds = seconds
        self._churn = churn
        self._filters = filters
        self._number = 0
        for _ in range(count):
            self._create()
        self.always = set[str]()
        """Identities of the jobs that existed and passed the filters at every moment so far."""

    def fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        if self.requests:
            while self._random.random() < self._churn:
                self._change()
                self.always &= set(ids(self.matching(self._filters)))
        else:
            self.always = set(ids(self.matching(self._filters)))
        return super().fetch(arguments)

    def _create(self, second: float | None = None) -> None:
        self._number += 1
        at = self._random.randint(0, self._seconds) if second is None else second
        self.jobs.append(job(self._number, at, self._random.choice(STATES)))

    def _change(self) -> None:
        kind = self._random.randrange(5)
        if kind == 0:
            self._seconds += self._random.choice((0, 0, 1))  # the server's clock goes on
            self._create(self._seconds)
        elif kind == 1:
            self._create()  # with an older time, as after a restore
        elif self.jobs and kind in (2, 3):
            self.jobs.pop(self._random.randrange(len(self.jobs)))
        elif self.jobs:
            changed = self._random.choice(self.jobs)
            changed.state = STATES[1 - STATES.index(changed.state)]


class HeldServer:
    """Holds each request beyond the first page until the test releases it. For threads."""

    def __init__(self, count: int, *, failing: int | None = None) -> None:
        self.server = SimulatedServer(jobs(count))
        self.failing = failing
        self.started: list[int] = []
        self.ended: list[int] = []
        self._changed = threading.Condition()
        self._released = {0}

    def fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        offset = arguments["offset"]
        with self._changed:
            self.started.append(offset)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: offset in self._released, TIMEOUT)
            self.ended.append(offset)
            self._changed.notify_all()
        if offset == self.failing:
            raise ServerError(500, "E", "broken")
        return self.server.fetch(arguments)

    def release(self, *offsets: int) -> None:
        """Answer the requests of these offsets, now or when they come."""
        with self._changed:
            self._released |= set(offsets)
            self._changed.notify_all()

    def wait_for(self, *offsets: int, ended: bool = False) -> None:
        """Wait until the requests of these offsets have arrived, or ended."""
        seen = self.ended if ended else self.started
        with self._changed:
            assert self._changed.wait_for(lambda: set(offsets) <= set(seen), TIMEOUT), (offsets, seen)

    def pages(self, executor: Executor, **given: Any) -> Generator[Page[Job], None, None]:
        """Return the pages of this server, four requests in flight unless given otherwise."""
        return iterate_pages(OPERATION, self.fetch, {}, executor, options(**{"concurrency": 4, **given}))


class AsyncHeldServer:
    """Holds all requests beyond the first page until `released` is set. For tasks."""

    def __init__(self, count: int, *, failing: int | None = None) -> None:
        self.server = SimulatedServer(jobs(count))
        self.failing = failing
        self.started: list[int] = []
        self.cancelled: list[int] = []
        """Offsets of cancelled requests, added when their clean-up is done."""
        self.most_in_flight = 0
        self.released = asyncio.Event()
        self._in_flight = 0
        self._arrivals = asyncio.Queue[int]()

    async def arrived(self, count: int) -> None:
        """Wait for so many requests."""
        for _ in range(count):
            await self._arrivals.get()

    async def fetch(self, arguments: Arguments, throttle: Throttle | None = None) -> FetchedPage[Job]:
        self.started.append(arguments["offset"])
        self._arrivals.put_nowait(arguments["offset"])
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            if arguments["offset"]:
                await self.released.wait()
            if arguments["offset"] == self.failing:
                raise ServerError(500, "E", "broken")
            return self.server.fetch(arguments)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.cancelled.append(arguments["offset"])
            raise
        finally:
            self._in_flight -= 1

    def pages(self, executor: AsyncExecutor, **given: Any) -> AsyncGenerator[Page[Job], None]:
        """Return the pages of this server, four requests in flight unless given otherwise."""
        return async_iterate_pages(OPERATION, self.fetch, {}, executor, options(**{"concurrency": 4, **given}))


def request_tasks() -> list[str]:
    """Return the tasks that send requests of iterations."""
    return [str(task) for task in asyncio.all_tasks() if "async_pages" in str(task)]


def random_arguments(random: Random) -> tuple[IterateOptions, dict[str, Any]]:
    """Return random options and arguments of a consistent iteration."""
    filters: dict[str, Any] = {}
    if random.random() < 0.5:
        filters["state"] = [random.choice(STATES)]
    if random.random() < 0.3:
        filters["create_since"] = START + timedelta(seconds=random.choice((0, 1, 1.5, 3)))
    if random.random() < 0.3:
        filters["create_until"] = START + timedelta(seconds=random.choice((3, 4.5, 9)))
    arguments = dict(filters)
    if random.random() < 0.6:
        arguments["sort_dir"] = random.choice(("asc", "desc"))
    return options(page_size=random.randint(2, 7), consistent=True), arguments


def read(server: SimulatedServer, arguments: Arguments, chosen: IterateOptions) -> list[Job]:
    return list(items(iterate_pages(OPERATION, server.fetch, arguments, Executor(), chosen)))
