"""Who sent a request: rules for signatures, tokens and projects, one small function each (facts, sections 2 to 4).

A rule looks at what arrived and raises RefusedError, or returns. `Parts` holds them in the order in which they are
asked, so that a server without one of them, or with another one in its place, is quickly built.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from metastudio.sandbox.http import RefusedError, Request
from metastudio.sandbox.settings import Account, Keys
from metastudio.sandbox.signature import Claim, is_right

WINDOW = 15 * 60
"""Seconds that the date of a signature may be away from the server's time (facts, section 2.2)."""
FAILURES = 5
"""Failed signatures in a row that a key survives; the next one locks it (facts, section 2.2)."""
LOCKED = 5 * 60
"""Seconds that a key stays locked."""
TOKEN_LIFETIME = 24 * 3600
"""Seconds that a token of the IAM stand-in is valid (facts, section 2.1)."""
_NEED_A_SIGNATURE = ("x-project-id", "x-security-token")


@dataclass
class _Failures:
    in_a_row: int = 0
    locked_at: float | None = None


class Gate:
    """What the gateway knows: whose the keys and tokens are, and which keys failed how often. Safe in threads."""

    def __init__(self, accounts: Sequence[Account], now: Callable[[], float]) -> None:
        self.accounts = accounts
        self.now = now
        self.keys = {each.access_key: (account, each) for account in accounts for each in _pairs(account)}
        self.tokens: dict[str, tuple[Account, float | None]] = {each.token: (each, None) for each in accounts}
        self._failures: dict[str, _Failures] = {}
        self._lock = threading.Lock()

    def issue_token(self, account: Account, *, valid: bool = True) -> tuple[str, float]:
        """Return a fresh token and the time at which it expires. One that is not valid opens nothing here."""
        token, expires_at = f"sandbox-{uuid.uuid4().hex}", self.now() + TOKEN_LIFETIME
        if valid:
            self.tokens[token] = account, expires_at
        return token, expires_at

    def is_locked(self, access_key: str) -> bool:
        """Return whether a key failed too often, too short a time ago."""
        with self._lock:
            found = self._failures.get(access_key)
            if found is None or found.locked_at is None:
                return False
            if self.now() - found.locked_at < LOCKED:
                return True
            del self._failures[access_key]
            return False

    def note(self, access_key: str, *, success: bool) -> None:
        """Count a failed signature, or forget those before a right one."""
        with self._lock:
            if success:
                self._failures.pop(access_key, None)
                return
            found = self._failures.setdefault(access_key, _Failures())
            found.in_a_row += 1
            if found.in_a_row > FAILURES:
                found.locked_at = self.now()


@dataclass(frozen=True)
class Attempt:
    """A signed request, what it claims, and what is known about it."""

    request: Request
    claim: Claim
    gate: Gate

    @property
    def account(self) -> Account:
        """Whose the key is. Raises RefusedError where nobody's."""
        return self._known[0]

    @property
    def keys(self) -> Keys:
        """The key pair that the claim names. Raises RefusedError where there is none."""
        return self._known[1]

    @property
    def _known(self) -> tuple[Account, Keys]:
        if self.claim.access_key not in self.gate.keys:
            raise RefusedError("unknown_key", access_key=self.claim.access_key)
        return self.gate.keys[self.claim.access_key]


@dataclass(frozen=True)
class Visit:
    """A caller who is known, at the path of a project (None where the path names none)."""

    request: Request
    account: Account
    project: str | None
    signed: bool


SignatureRule = Callable[[Attempt], None]
TokenRule = Callable[[Request, Gate], None]
ProjectRule = Callable[[Visit], None]


def key_is_known(attempt: Attempt) -> None:
    """The access key exists."""
    _ = attempt.keys


def key_is_not_locked(attempt: Attempt) -> None:
    """The access key did not fail too often: more than five times in a row lock it for five minutes."""
    if attempt.gate.is_locked(attempt.claim.access_key):
        raise RefusedError("locked")


def date_is_well_formed(attempt: Attempt) -> None:
    """X-Sdk-Date is there once and reads YYYYMMDD'T'HHMMSS'Z'."""
    if _signing_time(attempt.request) is None:
        raise RefusedError("malformed_date")


def date_is_signed(attempt: Attempt) -> None:
    """The signature covers X-Sdk-Date, the one header that the recipe obliges to."""
    if "x-sdk-date" not in attempt.claim.signed_headers:
        raise RefusedError("not_signed", header="x-sdk-date")


def date_is_near(attempt: Attempt) -> None:
    """The date of the signature is at most 15 minutes away from the server's time."""
    signed, now = _signing_time(attempt.request), attempt.gate.now()
    if signed is not None and abs(signed.timestamp() - now) > WINDOW:
        server = datetime.fromtimestamp(now, UTC)
        raise RefusedError("expired", signed=f"{signed:%Y%m%dT%H%M%SZ}", server=f"{server:%Y%m%dT%H%M%SZ}")


def what_decides_is_signed(attempt: Attempt) -> None:
    """X-Project-Id and X-Security-Token, where sent, are signed.

    The recipe obliges nobody to, but they decide whose data are read, and every SDK of the vendor signs them.
    """
    for name in _NEED_A_SIGNATURE:
        if attempt.request.header(name) and name not in attempt.claim.signed_headers:
            raise RefusedError("not_signed", header=name)


def signed_headers_were_sent(attempt: Attempt) -> None:
    """Each signed header arrived exactly once."""
    for name in attempt.claim.signed_headers:
        if len(attempt.request.header(name)) != 1:
            raise RefusedError("signed_header_missing", header=name)


def security_token_is_right(attempt: Attempt) -> None:
    """A temporary key comes with its security token, a permanent one with none."""
    expected = attempt.keys.security_token
    if attempt.request.header("x-security-token") != ([expected] if expected else []):
        raise RefusedError("wrong_security_token", access_key=attempt.claim.access_key)


def signature_is_right(attempt: Attempt) -> None:
    """The signature is the one that the secret key gives for what arrived."""
    if not is_right(attempt.request, attempt.claim, attempt.keys.secret_key):
        raise RefusedError("wrong_signature", access_key=attempt.claim.access_key)


def token_is_known(request: Request, gate: Gate) -> None:
    """X-Auth-Token is there once and was issued by the IAM stand-in."""
    tokens = request.header("x-auth-token")
    if len(tokens) != 1 or tokens[0] not in gate.tokens:
        raise RefusedError("unknown_token")


def token_is_fresh(request: Request, gate: Gate) -> None:
    """The token has not expired."""
    _, expires_at = gate.tokens.get(request.header("x-auth-token")[0], (None, None))
    if expires_at is not None and gate.now() >= expires_at:
        raise RefusedError(
            "expired_token", expires_at=f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        )


def project_is_the_callers(visit: Visit) -> None:
    """The project of the path belongs to the caller."""
    if visit.project is not None and visit.project != visit.account.project_id:
        raise RefusedError("foreign_project")


def header_names_the_project(visit: Visit) -> None:
    """The X-Project-Id of a signed request is the project of the path, or else a project of the caller."""
    sent = visit.request.header("x-project-id")
    if visit.signed and sent and sent != [visit.project or visit.account.project_id]:
        raise RefusedError("project_mismatch")


KEY_RULES: tuple[SignatureRule, ...] = (key_is_known, key_is_not_locked)
"""Asked first; a refusal here is no failed signature."""
SIGNATURE_RULES: tuple[SignatureRule, ...] = (
    date_is_well_formed,
    date_is_signed,
    date_is_near,
    what_decides_is_signed,
    signed_headers_were_sent,
    security_token_is_right,
    signature_is_right,
)
"""Asked next; a refusal here counts towards the lock of the key."""
TOKEN_RULES: tuple[TokenRule, ...] = (token_is_known, token_is_fresh)
PROJECT_RULES: tuple[ProjectRule, ...] = (project_is_the_callers, header_names_the_project)
"""Asked of everybody who is known."""


def _pairs(account: Account) -> tuple[Keys, Keys]:
    return account.keys, account.temporary


def _signing_time(request: Request) -> datetime | None:
    dates = request.header("x-sdk-date")
    if len(dates) != 1 or len(dates[0]) != 16:
        return None
    try:
        return datetime.strptime(dates[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
