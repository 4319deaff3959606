"""A process with one peer in it, and only what that peer depends on. Obeys lines of JSON, answers with lines of JSON.

    python -I -S worker.py SITE PEER URL [CA]

A command is `[name of a function below, {arguments}]`.
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
    """Seconds of CPU and wall for each of `count` calls, one after another, each for another page."""
    offsets = [number * limit % 10_000 for number in range(count)]
    started = time.process_time(), time.perf_counter()
    peer.calls(offsets, limit)
    return _since(started, count)


def everything(peer: Any, page_size: int, concurrency: int | None) -> dict[str, float]:
    """Seconds of CPU and wall to get 10,000 jobs."""
    started = time.process_time(), time.perf_counter()
    peer.everything(page_size, concurrency, seen := Counter())
    assert seen.jobs == 10_000, f"{seen.jobs} of 10,000 jobs"
    return _since(started, 1)


def signing(peer: Any, count: int, how: str) -> dict[str, float]:
    """Seconds of CPU and wall to sign one request."""
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
    """Seconds for each page with 16 bare connections."""
    started = time.process_time(), time.perf_counter()
    peer.pages(limit, count, 16)
    return _since(started, count)


def hold(peer: Any) -> dict[str, float]:
    """Bytes that each of 100,000 jobs takes in memory."""
    peer.calls([0], 1000)
    before = _resident()
    held = peer.calls(range(0, 100_000, 1000), 1000, keep=True)
    return {"bytes": (_resident() - before) / sum(map(len, held))}


def growth(peer: Any, page_size: int) -> dict[str, float]:
    """Bytes by which the process is larger, at most, while 100,000 jobs are iterated, than after one call."""
    peer.calls([0], page_size)
    before = _resident()
    peer.everything(page_size, None, seen := Counter())
    assert seen.jobs == 100_000, f"{seen.jobs} of 100,000 jobs"
    return {"bytes": seen.most - before}


class Counter:
    """Called with each job; looks at the memory now and then."""

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
    """Make the peer and obey until standard input ends."""
    from importlib import import_module

    peer = import_module(f"peers.{sys.argv[2]}").Peer(*sys.argv[3:])
    print('"ready"', flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(globals()[name](peer, **arguments)), flush=True)
    peer.close()


if __name__ == "__main__":
    main()
