"""Settings and results of request generation, separate from schemathesis because that is slow to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from metastudio.tester.caller import Caller
from metastudio.tester.http_client import HttpResponse


@dataclass(frozen=True)
class GenerationSettings:
    """Settings of schemathesis.

    Args:
        base_url: base URL of the server.
        caller: signs the requests.
        path_values: values of the path parameters.
        examples: number of random requests.
        seed: seed of the random requests.
        timeout: seconds to wait for the next byte of a response.
        writes: also send methods that may change data.
        is_over: returns whether the time limit of the run is reached.
        verify: whether to verify certificates, or the path of a CA bundle.
        app: an application in this process; None for a server at `base_url`.
    """

    base_url: str
    caller: Caller
    path_values: Mapping[str, str]
    examples: int
    seed: int
    timeout: float
    writes: bool = False
    is_over: Callable[[], bool] = lambda: False
    verify: bool | str = True
    app: Any = None


@dataclass(frozen=True)
class GeneratedCall:
    """A generated request with its response."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    response: HttpResponse | None
    command: str


@dataclass(frozen=True)
class GenerationProblem:
    """A problem that kept schemathesis from testing."""

    what: str
