"""Calls through a Session or an AsyncSession with a fake clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from metastudio.auth import AkSkAuth, Clock
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio.http.session import AsyncSession, Session
from metastudio_client.contract import LIST_TRAINING_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

E = TypeVar("E", bound=Exception)
Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")

PATH = "/v1/p/digital-human-training-manage/user/jobs"
LISTING = replace(
    LIST_TRAINING_JOBS,
    success={
        200: JsonObject(
            ("count", "jobs"), {"jobs": JsonArray(JsonObject(("job_id",), {"tags": JsonArray(nullable=True)}))}
        )
    },
)


@dataclass
class FakeTime:
    """A clock that starts at 0 and advances only by sleeping. Random numbers are always 0.5."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list[float])
    when_asleep: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def random(self) -> float:
        return 0.5

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "time.sleep refuses a negative time"
        self.slept.append(seconds)
        self.now += seconds
        self.when_asleep()

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def wall(self) -> datetime:
        return datetime(2024, 7, 4, 8, 0, tzinfo=UTC) + timedelta(seconds=self.now)


@dataclass
class CallOutcome:
    """The response or the exception of a call."""

    time: FakeTime
    response: httpx.Response | None = None
    error: Exception | None = None

    def raised(self, cls: type[E]) -> E:
        assert type(self.error) is cls, repr(self.error or self.response)
        return self.error


def call(kind: Kind, base_url: str, *, path: str = PATH, **settings: Any) -> CallOutcome:
    """Make one call; see `calls`."""
    return calls(kind, base_url, [path], **settings)[0]


def calls(
    kind: Kind,
    base_url: str,
    paths: list[str],
    *,
    method: str = "GET",
    time: FakeTime | None = None,
    before_closing: Callable[[], None] = lambda: None,
    **settings: Any,
) -> list[CallOutcome]:
    """Request the paths in turn through one session. `settings` are its arguments."""
    time = time or FakeTime()
    results = [CallOutcome(time) for _ in paths]
    common: dict[str, Any] = {
        "base_url": base_url,
        "operations": [LISTING],
        "clock": time.clock,
        "random": time.random,
        "auth": AkSkAuth("AKEXAMPLE", "SKEXAMPLE", project_id="p", clock=Clock(time.wall)),
        "timeout": 5.0,
        "trust_env": False,
        **settings,
    }

    def run() -> None:
        with Session(sleep=time.sleep, **common) as session:
            for path, result in zip(paths, results, strict=True):
                try:
                    result.response = session.request(method, path)
                except Exception as error:  # noqa: BLE001 - any exception is an outcome
                    result.error = error
            before_closing()

    async def run_async() -> None:
        async with AsyncSession(sleep=time.sleep_async, **common) as session:
            for path, result in zip(paths, results, strict=True):
                try:
                    result.response = await session.request(method, path)
                except Exception as error:  # noqa: BLE001
                    result.error = error
            await asyncio.to_thread(before_closing)

    if kind == "sync":
        run()
    else:
        asyncio.run(run_async())
    return results
