"""What schemathesis is asked to do, and what comes of it; without schemathesis itself, which takes long to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from metastudio.tester.access import Access
from metastudio.tester.http_client import Answer


@dataclass(frozen=True)
class Plan:
    """How schemathesis is run.

    `is_over` tells whether the time is up, `app` is an application in this process, None for a server at `base_url`.
    """

    base_url: str
    access: Access
    path_values: Mapping[str, str]
    examples: int
    seed: int
    timeout: float
    writes: bool = False
    is_over: Callable[[], bool] = lambda: False
    verify: bool | str = True
    app: Any = None


@dataclass(frozen=True)
class Generated:
    """A request that was made up, and its answer. `said` are the checks of schemathesis that failed, in its words."""

    method: str
    url: str
    headers: Mapping[str, str]
    answer: Answer | None
    said: Mapping[str, str]
    command: str


@dataclass(frozen=True)
class Trouble:
    """Something that kept schemathesis from testing, in its words."""

    what: str
