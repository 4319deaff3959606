"""Settings of a sandbox: its accounts, and the faults that it can inject."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

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
            share = float(rate or 1)
        except ValueError:
            raise ValueError(f"the rate of a fault must be a number such as 0.2, not {rate!r}") from None
        return cls(kind, share)


@dataclass(frozen=True)
class KeyPair:
    """An access key and its secret key, both fictitious. A temporary pair has a security token too."""

    access_key: str
    secret_key: str
    security_token: str | None = None


@dataclass(frozen=True)
class Account:
    """An account with one project and every kind of credentials.

    The project has the name that it has in IAM, which is that of a region. The temporary key pair has a security token,
    the token does not expire, and IAM issues others for domain, user and password.
    """

    project_id: str
    project_name: str
    keys: KeyPair
    temporary: KeyPair
    token: str
    domain: str
    user: str
    password: str


MAIN = Account(
    # The example value of the contract, so that /docs works without typing a project ID.
    project_id="0123456789abcdef0123456789abcdef",
    project_name="cn-north-4",
    keys=KeyPair("SANDBOXACCESSKEY0001", "sandbox-secret-key-of-the-main-project-1"),
    temporary=KeyPair(
        "SANDBOXTEMPORARY0001", "sandbox-temporary-secret-main-project-01", "sandbox-security-token-main"
    ),
    token="sandbox-token-of-the-main-project",  # noqa: S106
    domain="sandbox-account",
    user="sandbox-user",
    password="sandbox-password",  # noqa: S106
)
OTHER = Account(
    project_id="fedcba9876543210fedcba9876543210",
    project_name="cn-east-3",
    keys=KeyPair("SANDBOXACCESSKEY0002", "sandbox-secret-key-of-the-other-project2"),
    temporary=KeyPair(
        "SANDBOXTEMPORARY0002", "sandbox-temporary-secret-other-project-2", "sandbox-security-token-other"
    ),
    token="sandbox-token-of-the-other-project",  # noqa: S106
    domain="sandbox-other-account",
    user="sandbox-other-user",
    password="sandbox-other-password",  # noqa: S106
)


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
