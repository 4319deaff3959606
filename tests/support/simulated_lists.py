"""A list on a server that never stands still, in memory: the pagers are tested against it and its truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Unpack
from zlib import crc32

from metastudio.contract.operation import Operation
from metastudio.lists.offset import FetchedPage
from metastudio_client._engine import IterateOptions
from metastudio_client.contract import OPERATIONS
from metastudio_client.models.training_job_basic_info import TrainingJobBasicInfo

OPERATION: Operation = OPERATIONS["list_training_jobs"]
START = datetime(2024, 1, 1, tzinfo=UTC)
STATES = ("TRAINING", "JOB_FINISH")


def job(number: int, seconds: float = 0, state: str = "TRAINING") -> TrainingJobBasicInfo:
    return TrainingJobBasicInfo(
        job_id=f"{number:04}",
        name=f"Name {number}",
        state=state,
        project_id="p",
        create_time=START + timedelta(seconds=seconds),
    )


def jobs(count: int, *, second: Callable[[int], float] = float) -> list[TrainingJobBasicInfo]:
    return [job(number, second(number)) for number in range(count)]


def ids(found: Iterable[TrainingJobBasicInfo]) -> list[str]:
    return [each.job_id for each in found]


def options(**given: Any) -> IterateOptions:
    plain: IterateOptions = {
        "page_size": 10,
        "concurrency": 1,
        "max_items": None,
        "max_rate": None,
        "consistent": False,
    }
    plain.update(given)  # type: ignore[typeddict-item]
    return plain


@dataclass
class SimulatedServer:
    """Answers like the service of the contract: filters, orders (ties by `tie`, in both directions), counts, pages."""

    jobs: list[TrainingJobBasicInfo]
    tie: Callable[[TrainingJobBasicInfo], Any] = lambda job: job.job_id
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def matching(self, arguments: Mapping[str, Any]) -> list[TrainingJobBasicInfo]:
        since, until = arguments.get("create_since"), arguments.get("create_until")
        return [
            each
            for each in self.jobs
            if (since is None or each.create_time >= since)
            and (until is None or each.create_time <= until)
            and ("state" not in arguments or each.state in arguments["state"])
        ]

    def answer(self, arguments: Mapping[str, Any]) -> tuple[list[TrainingJobBasicInfo], int]:
        found = self.matching(arguments)
        if arguments.get("sort_key") == "create_time":
            found.sort(key=self.tie)
            found.sort(key=lambda each: each.create_time, reverse=arguments.get("sort_dir") == "desc")
        offset, limit = arguments.get("offset", 0), arguments.get("limit", 10)
        return found[offset : offset + limit], len(found)

    def fetch(self, arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        self.requests.append(dict(arguments))
        items, total = self.answer(arguments)
        return FetchedPage(items, total, f"request-{len(self.requests)}")

    async def afetch(self, arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        return self.fetch(arguments)


class RestlessServer(SimulatedServer):
    """Creates, deletes and changes jobs before each answer but the first, and keeps the truth about the whole walk."""

    def __init__(self, random: Random, *, count: int, seconds: int, churn: float, filters: Mapping[str, Any]) -> None:
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

    def fetch(self, arguments: Mapping[str, Any]) -> FetchedPage[TrainingJobBasicInfo]:
        if self.requests:
            while self._random.random() < self._churn:
                self._disturb()
                self.always &= set(ids(self.matching(self._filters)))
        else:
            self.always = set(ids(self.matching(self._filters)))
        return super().fetch(arguments)

    def _create(self, second: float | None = None) -> None:
        self._number += 1
        at = self._random.randint(0, self._seconds) if second is None else second
        self.jobs.append(job(self._number, at, self._random.choice(STATES)))

    def _disturb(self) -> None:
        kind = self._random.randrange(5)
        if kind == 0:
            self._seconds += self._random.choice((0, 0, 1))  # the clock of the server goes on
            self._create(self._seconds)
        elif kind == 1:
            self._create()  # one with an older time appears, as after a restore
        elif self.jobs and kind in (2, 3):
            self.jobs.pop(self._random.randrange(len(self.jobs)))
        elif self.jobs:
            changed = self._random.choice(self.jobs)
            changed.state = STATES[1 - STATES.index(changed.state)]


def walk_options(random: Random) -> tuple[IterateOptions, dict[str, Any]]:
    """Random options and filters of a walk."""
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


def run(
    server: SimulatedServer, arguments: Mapping[str, Any], **given: Unpack[IterateOptions]
) -> list[TrainingJobBasicInfo]:
    from metastudio.lists.executor import Iterations
    from metastudio.lists.paginator import iterate_pages
    from metastudio.lists.prefetch import items

    return list(items(iterate_pages(OPERATION, server.fetch, arguments, Iterations(), **given)))
