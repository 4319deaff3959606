"""A process with one client and only the packages that client depends on.

    python -I -S worker.py SITE PEER URL

Reads commands, one line of JSON each: `[name of a function below, {arguments}]`. Writes each result as a line of JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent)]


def calls(peer: Any, count: int, limit: int) -> dict[str, float]:
    """Measure seconds of CPU and wall time of one call: the mean of `count` consecutive calls for different pages."""
    offsets = [number * limit % 10_000 for number in range(count)]
    started = time.process_time(), time.perf_counter()
    peer.calls(offsets, limit)
    return _since(started, count)


def everything(peer: Any, page_size: int, concurrency: int | None) -> dict[str, float]:
    """Measure seconds of CPU and wall time to read 10,000 jobs. A `concurrency` of None is the client's default."""
    started = time.process_time(), time.perf_counter()
    peer.everything(page_size, concurrency, seen := JobCounter())
    assert seen.jobs == 10_000, f"{seen.jobs} of 10,000 jobs"
    return _since(started, 1)


def signing(peer: Any, count: int, how: str) -> dict[str, float]:
    """Measure seconds of CPU and wall time to sign one request: the mean of `count`."""
    sign = _signer(peer, how)
    started = time.process_time(), time.perf_counter()
    for number in range(count):
        sign(number)
    return _since(started, count)


@cache
def _signer(peer: Any, how: str) -> Callable[[int], object]:
    made: Callable[[int], object] = getattr(peer, how)()
    return made


def capacity(peer: Any, count: int, limit: int) -> dict[str, float]:
    """Measure seconds for each page with 16 bare connections."""
    started = time.process_time(), time.perf_counter()
    peer.pages(limit, count, 16)
    return _since(started, count)


def hold(peer: Any) -> dict[str, float]:
    """Measure the bytes that one job takes in memory: the mean of 100,000."""
    peer.calls([0], 1000)
    before = _resident()
    held = [peer.page(offset, 1000)[1] for offset in range(0, 100_000, 1000)]
    return {"bytes": (_resident() - before) / sum(map(len, held))}


def growth(peer: Any, page_size: int) -> dict[str, float]:
    """Measure the bytes by which the process grows, at most, from one call to iterating 100,000 jobs."""
    peer.calls([0], page_size)
    before = _resident()
    peer.everything(page_size, None, seen := JobCounter())
    assert seen.jobs == 100_000, f"{seen.jobs} of 100,000 jobs"
    return {"bytes": seen.most - before}


class JobCounter:
    """Counts jobs and records the largest size of the process, sampled every 10,000 jobs."""

    def __init__(self) -> None:
        self.jobs = 0
        self.most = 0

    def __call__(self, job: object) -> None:
        self.jobs += 1
        if self.jobs % 10_000 == 0:
            self.most = max(self.most, _resident(collect=False))


def _since(started: tuple[float, float], count: int) -> dict[str, float]:
    return {"cpu": (time.process_time() - started[0]) / count, "wall": (time.perf_counter() - started[1]) / count}


def _resident(*, collect: bool = True) -> int:
    if collect:
        gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    """Connect the client and run commands until standard input is closed."""
    from importlib import import_module

    peer = import_module(f"peers.{sys.argv[2]}").connect(*sys.argv[3:])
    print('"ready"', flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(globals()[name](peer, **arguments)), flush=True)
    peer.close()


if __name__ == "__main__":
    main()
