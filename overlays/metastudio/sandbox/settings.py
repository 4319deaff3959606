"""Settings of a sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from metastudio.sandbox.accounts import MAIN, OTHER, Account
from metastudio.sandbox.faults import Fault


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of a sandbox.

    Args:
        jobs: Number of items of each list in the main project.
        seed: Seed of the generated items and of the faults.
        newer: Add unlisted values, unknown properties and nulls, as servers newer than the contract send.
        spec: Contract to serve; the packaged one by default.
        recent: Move the generated dates by whole days, so that the newest are of the last 24 hours.
        progress: Seconds between two moves of the tasks that are not at rest; None keeps their states.
        data: SQLite file that keeps the items between runs; None keeps them in memory.
        latency: Seconds added to each response of the contract's operations.
        faults: Faults to inject.
        clock_offset: Seconds that the server's clock is ahead of `clock`.
        clock: Returns the true time in seconds since 1970.
        sleep: Waits a number of seconds; replaced in tests.
        accounts: The main account, then the others.

    Raises:
        ValueError: `jobs`, `latency` or `progress` is out of range.
    """

    jobs: int = 101
    seed: int = 0
    newer: bool = False
    spec: Path | str | None = None
    recent: bool = False
    progress: float | None = None
    data: Path | str | None = None
    latency: float = 0.0
    faults: tuple[Fault, ...] = ()
    clock_offset: float = 0.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    accounts: tuple[Account, ...] = (MAIN, OTHER)

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise ValueError(f"jobs must be 0 or more, not {self.jobs}")
        if not 0 <= self.latency < float("inf"):
            raise ValueError(f"latency must be a number of seconds, 0 or more, not {self.latency}")
        if self.progress is not None and not 0 < self.progress < float("inf"):
            raise ValueError(f"progress must be a number of seconds above 0, not {self.progress}")

    def now(self) -> float:
        """Return the server's time in seconds since 1970."""
        return self.clock() + self.clock_offset
