"""Accounts of the sandbox: their credentials, the tokens issued to them, and the lock on failing access keys."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_FAILED_SIGNATURES = 5
"""Consecutive failed signatures an access key survives; the next one locks it (docs/service-notes.md#key-lockout)."""
LOCK_SECONDS = 5 * 60
TOKEN_LIFETIME = 24 * 3600
"""Seconds an issued token is valid (docs/service-notes.md#iam-tokens)."""


@dataclass(frozen=True)
class KeyPair:
    """An access key and its secret key, both fictitious. A temporary pair has a security token too."""

    access_key: str
    secret_key: str
    security_token: str | None = None


@dataclass(frozen=True)
class Account:
    """An account with one project and every kind of credentials.

    Args:
        project_id: ID of the account's only project.
        project_name: Name of the project in IAM, which is the name of a region.
        keys: Permanent key pair.
        temporary: Temporary key pair, with a security token.
        token: IAM token that does not expire.
        domain: Name of the IAM domain, for a login by password.
        user: Name of the IAM user.
        password: Password of the IAM user.
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


class AccountRegistry:
    """Looks up accounts by access key or token, issues tokens, and locks access keys.

    Args:
        accounts: Accounts that may use the sandbox; the first one is the main account.
        now: Returns the server's time in seconds since 1970.
    """

    def __init__(self, accounts: Sequence[Account], now: Callable[[], float]) -> None:
        self.accounts = accounts
        self.now = now
        self.keys = {pair.access_key: (each, pair) for each in accounts for pair in (each.keys, each.temporary)}
        self.tokens: dict[str, tuple[Account, float | None]] = {each.token: (each, None) for each in accounts}
        self._failed = Counter[str]()  # consecutive failures by access key
        self._locked_at: dict[str, float] = {}

    def issue_token(self, account: Account, *, valid: bool = True) -> tuple[str, float]:
        """Return a new token and its expiry time in seconds since 1970. The sandbox refuses an invalid one."""
        token, expires_at = f"sandbox-{uuid.uuid4().hex}", self.now() + TOKEN_LIFETIME
        if valid:
            self.tokens[token] = account, expires_at
        return token, expires_at

    def is_locked(self, access_key: str) -> bool:
        """Return whether an access key is locked now."""
        return self.now() - self._locked_at.get(access_key, -math.inf) < LOCK_SECONDS

    def record_signature(self, access_key: str, *, success: bool) -> None:
        """Count a failed signature, or reset the count after a valid one."""
        self._failed[access_key] = 0 if success else self._failed[access_key] + 1
        if self._failed[access_key] > MAX_FAILED_SIGNATURES:
            self._locked_at[access_key] = self.now()
            self._failed[access_key] = 0
