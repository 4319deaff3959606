"""The soak behind scripts/soak: lists, early leaves and cancelled calls against a sandbox with 5 % faults.

Every round reads the whole list in several ways and compares the IDs with those of the server. After a warm-up, the
number of open files must not grow, memory and threads by little.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, closing, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "overlays"), str(ROOT / "generated")]

from metastudio import AsyncMetaStudio, MetaStudio  # noqa: E402
from metastudio.errors import MetaStudioError  # noqa: E402
from metastudio.sandbox import Fault, serve  # noqa: E402

ITEMS, PAGE, RETRIES = 300, 20, 8
FAULTS = ("503:0.02", "429:0.005", "reset:0.01", "truncated:0.01", "cut:0.005")
"""5 % of all requests."""
WARM_UP = 0.2
"""Share of the time after which resources are measured first."""
MEMORY_GROWTH, THREAD_GROWTH = 20_000_000, 8
"""Growth that is tolerated from then on. The pool keeps a thread for each request that was ever in flight at once, and
requests of an iteration that was left early overlap with those of the next one."""


class Resources(NamedTuple):
    """Threads, open file descriptors and resident memory in bytes of this process."""

    threads: int
    files: int
    memory: int

    @classmethod
    def now(cls) -> Resources:
        """Measure this process."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
        return cls(threading.active_count(), files, pages * os.sysconf("SC_PAGE_SIZE"))


def main() -> int:
    """Run the soak. Returns 1 if items were lost or doubled, or resources grew."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description="Run the client against a sandbox with faults.")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = Random(arguments.seed)  # noqa: S311 - no secret
    counts: Counter[str] = Counter()
    start, seconds = time.monotonic(), arguments.minutes * 60
    first: Resources | None = None
    faults = tuple(Fault.parse(text) for text in FAULTS)
    with serve(jobs=ITEMS, seed=arguments.seed, faults=faults) as sandbox:
        [store] = sandbox.stores.values()
        wanted = {item["job_id"] for item in store.items() if item["project_id"] == sandbox.project_id}
        os.environ.update(sandbox.environment)
        with MetaStudio(max_retries=RETRIES) as studio:
            while time.monotonic() - start < seconds:
                _sync_round(studio, wanted, counts, chance)
                asyncio.run(_async_round(wanted, counts, chance))
                if first is None and time.monotonic() - start > WARM_UP * seconds:
                    first = Resources.now()
            last = Resources.now()
    before = first or last
    grown = {
        "threads": last.threads - before.threads,
        "files": last.files - before.files,
        "memory": last.memory - before.memory,
    }
    for name, value in {**counts, **{f"{name} grown": value for name, value in grown.items()}}.items():
        print(f"{name:<24}{value:>12,}")
    failed = counts["lost"] or counts["twice"] or counts["slow calls"] or grown["files"] > 0
    return int(bool(failed) or grown["threads"] > THREAD_GROWTH or grown["memory"] > MEMORY_GROWTH)


def _sync_round(studio: MetaStudio, wanted: set[str], counts: Counter[str], chance: Random) -> None:
    for consistent in (False, True):
        _attempt(counts, partial(_read_all, studio, wanted, counts, consistent=consistent))

    def leave() -> None:
        with closing(studio.training_jobs.iterate(page_size=PAGE)) as jobs:
            for _ in range(chance.randrange(ITEMS)):
                next(jobs)
        counts["early leaves"] += 1

    _attempt(counts, leave)
    _attempt(counts, lambda: studio.training_jobs.list(limit=1))


def _read_all(studio: MetaStudio, wanted: set[str], counts: Counter[str], *, consistent: bool) -> None:
    jobs = studio.training_jobs.iterate(page_size=PAGE, consistent=consistent)
    _compare([job.job_id for job in jobs], wanted, counts)


async def _async_round(wanted: set[str], counts: Counter[str], chance: Random) -> None:
    async with AsyncMetaStudio(max_retries=RETRIES) as studio:

        async def read_all() -> None:
            _compare([job.job_id async for job in studio.training_jobs.iterate(page_size=PAGE)], wanted, counts)

        async def leave() -> None:
            left = chance.randint(1, ITEMS)
            async with aclosing(studio.training_jobs.iterate(page_size=PAGE)) as jobs:
                async for _ in jobs:
                    left -= 1
                    if left <= 0:
                        break
            counts["early leaves"] += 1

        async def cancelled() -> None:
            task = asyncio.create_task(studio.training_jobs.list(limit=PAGE))
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            counts["cancelled calls"] += 1

        for work in (read_all, leave, cancelled, read_all):
            started = time.monotonic()
            try:
                await work()
            except MetaStudioError as error:
                counts[f"failed: {type(error).__name__}"] += 1
            _finish(counts, started)


def _attempt(counts: Counter[str], work: Callable[[], object]) -> None:
    started = time.monotonic()
    try:
        work()
    except MetaStudioError as error:  # a fault that outlasted the retries; the caller was told
        counts[f"failed: {type(error).__name__}"] += 1
    _finish(counts, started)


def _finish(counts: Counter[str], started: float) -> None:
    counts["operations"] += 1
    counts["slow calls"] += time.monotonic() - started > 60


def _compare(found: list[str], wanted: set[str], counts: Counter[str]) -> None:
    counts["items"] += len(found)
    counts["lost"] += len(wanted - set(found))
    counts["twice"] += len(found) - len(set(found))


if __name__ == "__main__":
    sys.exit(main())
