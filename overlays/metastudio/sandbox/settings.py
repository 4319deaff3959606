"""What a sandbox is told at its start, and the people who may use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from metastudio.sandbox.faults import Fault


@dataclass(frozen=True)
class Keys:
    """An access key with its secret; a temporary pair has a security token too. All of them are made up."""

    access_key: str
    secret_key: str
    security_token: str | None = None


@dataclass(frozen=True)
class Account:
    """Somebody with one project, and every way in: a key pair, a temporary one, a token, a password for IAM.

    `project_name` is what IAM calls the project: the name of a region. `domain` is the account of the user.
    """

    project_id: str
    project_name: str
    keys: Keys
    temporary: Keys
    token: str
    domain: str
    user: str
    password: str


MAIN = Account(
    # The id that the contract gives as its example, so that the page at /docs can be tried out as it is.
    project_id="0123456789abcdef0123456789abcdef",
    project_name="cn-north-4",
    keys=Keys("SANDBOXACCESSKEY0001", "sandbox-secret-key-of-the-main-project-1"),
    temporary=Keys("SANDBOXTEMPORARY0001", "sandbox-temporary-secret-main-project-01", "sandbox-security-token-main"),
    token="sandbox-token-of-the-main-project",  # noqa: S106
    domain="sandbox-account",
    user="sandbox-user",
    password="sandbox-password",  # noqa: S106
)
OTHER = Account(
    project_id="fedcba9876543210fedcba9876543210",
    project_name="cn-east-3",
    keys=Keys("SANDBOXACCESSKEY0002", "sandbox-secret-key-of-the-other-project2"),
    temporary=Keys("SANDBOXTEMPORARY0002", "sandbox-temporary-secret-other-project-2", "sandbox-security-token-other"),
    token="sandbox-token-of-the-other-project",  # noqa: S106
    domain="sandbox-other-account",
    user="sandbox-other-user",
    password="sandbox-other-password",  # noqa: S106
)


@dataclass(frozen=True)
class Settings:
    """What a sandbox is told at its start.

    `jobs` is the number of items of each list in the main project, `seed` decides which (and the faults). `newer` adds
    what servers newer than the contract send: unlisted values, unknown properties, nulls. `spec` is the contract to
    serve, the packaged one by default. `latency` is seconds added to each answer of the contract's operations. `clock`
    gives the true time in seconds since 1970, `clock_offset` is by how much the server's clock is ahead of it.
    Raises ValueError when something is out of its range.
    """

    jobs: int = 101
    seed: int = 0
    newer: bool = False
    spec: Path | None = None
    latency: float = 0.0
    faults: tuple[Fault, ...] = ()
    clock_offset: float = 0.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    accounts: tuple[Account, ...] = (MAIN, OTHER)

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise ValueError(f"the number of jobs is 0 or more, not {self.jobs}")
        if not 0 <= self.latency < float("inf"):
            raise ValueError(f"the latency is a number of seconds, 0 or more, not {self.latency}")

    def now(self) -> float:
        """Return the server's time in seconds since 1970."""
        return self.clock() + self.clock_offset
