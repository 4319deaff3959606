"""Every test of this package must end the threads that it starts."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

TIMEOUT = 20  # seconds


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    if left:
        gc.collect()  # their executor may be kept by the traceback of an error that a test caught
    for thread in left:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), f"{thread} was left"
