"""Injected faults: their kinds and how often they occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from metastudio.sandbox.http import SandboxResponse

FAULT_KINDS: Mapping[str, str] = {
    "500": "the service fails; error body from the contract",
    "502": "the gateway cannot reach the service; HTML body",
    "503": "the service is unavailable",
    "504": "the service does not respond to the gateway in time",
    "429": "too many requests, with Retry-After: 1",
    "redirect": "302 to another URL",
    "login": "200 with the HTML of a login page",
    "empty": "200 without a body",
    "cut": "200 with incomplete JSON",
    "truncated": "the connection is closed in the middle of the body",
    "reset": "the connection is reset before the response",
    "slow": "the response is delayed by 30 seconds",
}
FAULT_REASONS: Mapping[str, str] = {
    "500": "failure",
    "503": "unavailable",
    "504": "backend_timeout",
    "429": "too_many_requests",
}
"""Faults that are error responses of the gateway or service: their key in `Overrides.refusals`."""
SLOW_SECONDS = 30.0
"""Seconds that the fault `slow` delays a response."""


@dataclass(frozen=True)
class Fault:
    """A fault to inject.

    Args:
        kind: A key of `FAULT_KINDS`.
        rate: Share of the requests that fail, above 0 and at most 1.

    Raises:
        ValueError: The kind is unknown or the rate out of range.
    """

    kind: str
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; use one of {', '.join(FAULT_KINDS)}")
        if not 0 < self.rate <= 1:
            raise ValueError(f"the rate of a fault must be above 0 and at most 1, not {self.rate}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Parse `KIND` or `KIND:RATE`, for example `503:0.2`. Raises ValueError if it is neither."""
        kind, _, rate = text.partition(":")
        try:
            return cls(kind, float(rate) if rate else 1.0)
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"the rate of a fault must be a number such as 0.2, not {rate!r}") from None
            raise


class FaultInjector:
    """Decides which requests fail. The same seed gives the same sequence."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = faults
        self._random = Random(seed)  # noqa: S311 - not used for secrets

    def draw(self) -> str | None:
        """Return the fault of the next request, or None."""
        for fault in self._faults:
            if self._random.random() < fault.rate:
                return fault.kind
        return None


def faulty_response(kind: str) -> SandboxResponse | None:
    """Return the response that replaces the regular one, or None if the fault only alters the regular one."""
    html = {"Content-Type": "text/html; charset=utf-8"}
    match kind:
        case "502":
            return SandboxResponse(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", html)
        case "redirect":
            return SandboxResponse(302, b"", {"Location": "https://login.example.com/"})
        case "login":
            return SandboxResponse(200, b"<!DOCTYPE html><html><title>Sign in</title><form></form></html>", html)
        case "empty":
            return SandboxResponse(200, b"")
        case _:
            return None
