"""Failures on demand: what they are called and how often they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from metastudio.sandbox.http import Answer

KINDS: Mapping[str, str] = {
    "500": "the service fails, with the error body of the contract",
    "502": "the gateway finds no service: an HTML page",
    "503": "the service is not available for now",
    "504": "the service does not answer the gateway in time",
    "429": "too many requests, with Retry-After: 1",
    "redirect": "302 to another address",
    "login": "200 with the HTML of a login page",
    "empty": "200 without a body",
    "cut": "200 with JSON that ends in the middle",
    "truncated": "the connection closes in the middle of the body",
    "reset": "the connection is reset before anything is answered",
    "slow": "nothing is answered for 30 seconds",
}
REFUSED: Mapping[str, str] = {
    "500": "failure",
    "503": "unavailable",
    "504": "backend_timeout",
    "429": "too_many_requests",
}
"""Failures that are refusals with a body of their own, by their key in `Parts.refusals`."""
SLOW = 30.0
"""Seconds that nothing is answered for."""


@dataclass(frozen=True)
class Fault:
    """A kind of failure, and the share of the requests (above 0, at most 1) that meets it. Raises ValueError."""

    kind: str
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(KINDS)}")
        if not 0 < self.rate <= 1:
            raise ValueError(f"the rate of a fault is above 0 and at most 1, not {self.rate}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `KIND` or `KIND:RATE`, for example `503:0.2`. Raises ValueError."""
        kind, _, rate = text.partition(":")
        try:
            return cls(kind, float(rate) if rate else 1.0)
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"the rate of a fault is a number such as 0.2, not {rate!r}") from None
            raise


class Chance:
    """Draws the fault of each request in turn: the same ones for the same seed."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = faults
        self._random = Random(seed)  # noqa: S311 - a dice, no secret

    def draw(self) -> str | None:
        """Return the kind of failure that the next request meets, or None."""
        for fault in self._faults:
            if self._random.random() < fault.rate:
                return fault.kind
        return None


def broken_answer(kind: str) -> Answer | None:
    """Return the answer that a failure gives instead of the right one, None for those that spoil the right one."""
    html = {"Content-Type": "text/html; charset=utf-8"}
    match kind:
        case "502":
            return Answer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", html)
        case "redirect":
            return Answer(302, b"", {"Location": "https://login.example.com/"})
        case "login":
            return Answer(200, b"<!DOCTYPE html><html><title>Sign in</title><form></form></html>", html)
        case "empty":
            return Answer(200, b"")
        case _:
            return None
