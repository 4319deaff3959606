"""Authentication of requests by signature or token, and the check of their project.

Each rule is a small function that raises RefusedError or returns. `Overrides` holds them by name, so a server without a
rule, or with another one in its place, is quickly built.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from metastudio.sandbox.http import RefusedError, SandboxRequest
from metastudio.sandbox.settings import Account, KeyPair
from metastudio.sandbox.signature import ParsedAuthorization, verify

if TYPE_CHECKING:
    from metastudio.sandbox.overrides import Overrides

MAX_FAILED_SIGNATURES = 5
"""Consecutive failed signatures an access key survives; the next one locks it (docs/service-notes.md#key-lockout)."""
LOCK_SECONDS = 5 * 60
TOKEN_LIFETIME = 24 * 3600
"""Seconds an issued token is valid (docs/service-notes.md#iam-tokens)."""
CLOCK_TOLERANCE = 15 * 60
"""Seconds that X-Sdk-Date may differ from the server's time (docs/service-notes.md#clock-tolerance)."""
AUTHORIZATION, TOKEN = "authorization", "x-auth-token"
"""The header that selects a security requirement. A signature takes precedence over a token."""
_IDENTITY_HEADERS = ("x-project-id", "x-security-token")


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


@dataclass(frozen=True)
class Attempt:
    """A request with credentials, which the rules verify.

    Attributes:
        request: The request as received.
        registry: The known accounts.
        project: The project ID in the path, None if the path has none.
        authorization: The parsed Authorization header; one without an access key if the request has a token.
    """

    request: SandboxRequest
    registry: AccountRegistry
    project: str | None
    authorization: ParsedAuthorization

    @property
    def keys(self) -> KeyPair:
        """The key pair of the access key. Raises RefusedError if the key is unknown."""
        access_key = self.authorization.access_key
        if access_key not in self.registry.keys:
            raise RefusedError("unknown_key", access_key=access_key)
        return self.registry.keys[access_key][1]

    @property
    def account(self) -> Account:
        """The account that owns the access key or the token, the main one for an unknown token."""
        if self.authorization.access_key:
            return self.registry.keys[self.authorization.access_key][0]
        return self.registry.tokens.get(self.request.header(TOKEN)[0], (self.registry.accounts[0],))[0]


Rule = Callable[[Attempt], None]


def authenticate(
    request: SandboxRequest,
    security: Sequence[frozenset[str]],
    registry: AccountRegistry,
    overrides: Overrides,
    project: str | None = None,
) -> Attempt:
    """Verify the credentials of a request.

    Args:
        request: The request as received.
        security: Security requirements of the operation, each the lower-case names of the headers it needs.
        registry: The known accounts.
        overrides: The rules to apply.
        project: The project ID in the path.

    Raises:
        RefusedError: The credentials are missing or not accepted.
    """
    for selector, check in ((AUTHORIZATION, _check_signature), (TOKEN, _check_token)):
        for requirement in security:
            if selector in requirement and request.header(selector):
                for name in sorted(requirement):
                    if not request.header(name):
                        raise RefusedError("missing_header", header=name)
                return check(Attempt(request, registry, project, ParsedAuthorization("", (), "")), overrides)
    raise RefusedError("no_credentials")


def apply_rules(rules: Sequence[Rule], attempt: Attempt, overrides: Overrides) -> None:
    """Apply rules, or those that replace them. Raises RefusedError."""
    for name in (each.__name__ for each in rules):
        if name in overrides.rules:
            overrides.rules[name](attempt)


def key_is_known(attempt: Attempt) -> None:
    """Require an access key of a known account."""
    _ = attempt.keys


def key_is_not_locked(attempt: Attempt) -> None:
    """Refuse an access key that is locked."""
    if attempt.registry.is_locked(attempt.authorization.access_key):
        raise RefusedError("locked")


def date_is_well_formed(attempt: Attempt) -> None:
    """Require exactly one X-Sdk-Date, in the form YYYYMMDD'T'HHMMSS'Z'."""
    if _signing_time(attempt.request) is None:
        raise RefusedError("malformed_date")


def date_is_signed(attempt: Attempt) -> None:
    """Require X-Sdk-Date among the signed headers. It is the only header that must be signed."""
    if "x-sdk-date" not in attempt.authorization.signed_headers:
        raise RefusedError("not_signed", header="x-sdk-date")


def date_is_within_tolerance(attempt: Attempt) -> None:
    """Require an X-Sdk-Date within 15 minutes of the server's time."""
    date, now = _signing_time(attempt.request), attempt.registry.now()
    if date is not None and abs(date.timestamp() - now) > CLOCK_TOLERANCE:
        server = datetime.fromtimestamp(now, UTC)
        raise RefusedError("expired", signed=f"{date:%Y%m%dT%H%M%SZ}", server=f"{server:%Y%m%dT%H%M%SZ}")


def identity_headers_are_signed(attempt: Attempt) -> None:
    """Require X-Project-Id and X-Security-Token to be signed if they are sent.

    The signing guide does not require it, but they select the data that is read, and all vendor SDKs sign them.
    """
    for name in _IDENTITY_HEADERS:
        if attempt.request.header(name) and name not in attempt.authorization.signed_headers:
            raise RefusedError("not_signed", header=name)


def signed_headers_were_sent(attempt: Attempt) -> None:
    """Require every signed header exactly once."""
    for name in attempt.authorization.signed_headers:
        if len(attempt.request.header(name)) != 1:
            raise RefusedError("signed_header_missing", header=name)


def security_token_matches(attempt: Attempt) -> None:
    """Require the security token of a temporary key pair, and none with a permanent one."""
    expected = attempt.keys.security_token
    if attempt.request.header("x-security-token") != ([expected] if expected else []):
        raise RefusedError("wrong_security_token", access_key=attempt.authorization.access_key)


def signature_matches(attempt: Attempt) -> None:
    """Require the signature that the secret key gives for this request."""
    if not verify(attempt.request, attempt.authorization, attempt.keys.secret_key):
        raise RefusedError("wrong_signature", access_key=attempt.authorization.access_key)


def token_is_known(attempt: Attempt) -> None:
    """Require exactly one X-Auth-Token, issued by the sandbox."""
    tokens = attempt.request.header(TOKEN)
    if len(tokens) != 1 or tokens[0] not in attempt.registry.tokens:
        raise RefusedError("unknown_token")


def token_is_not_expired(attempt: Attempt) -> None:
    """Refuse an expired token."""
    _, expires_at = attempt.registry.tokens.get(attempt.request.header(TOKEN)[0], (None, None))
    if expires_at is not None and attempt.registry.now() >= expires_at:
        raise RefusedError(
            "expired_token", expires_at=f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        )


def project_belongs_to_caller(attempt: Attempt) -> None:
    """Require the project in the path to belong to the account."""
    if attempt.project is not None and attempt.project != attempt.account.project_id:
        raise RefusedError("foreign_project")


def project_header_matches(attempt: Attempt) -> None:
    """Require the X-Project-Id of a signed request to name the project in the path, or else the account's project."""
    sent = attempt.request.header("x-project-id")
    if attempt.authorization.access_key and sent and sent != [attempt.project or attempt.account.project_id]:
        raise RefusedError("project_mismatch")


KEY_RULES = (key_is_known, key_is_not_locked)
"""Run first. A refusal by one of these is not a failed signature."""
SIGNATURE_RULES = (
    date_is_well_formed,
    date_is_signed,
    date_is_within_tolerance,
    identity_headers_are_signed,
    signed_headers_were_sent,
    security_token_matches,
    signature_matches,
)
"""Run after the key rules. A refusal by one of these counts towards the lock of the access key."""
TOKEN_RULES = (token_is_known, token_is_not_expired)
PROJECT_RULES = (project_belongs_to_caller, project_header_matches)
"""Run last, for the operations of the contract."""
RULES: Mapping[str, Rule] = {each.__name__: each for each in KEY_RULES + SIGNATURE_RULES + TOKEN_RULES + PROJECT_RULES}


def _check_signature(attempt: Attempt, overrides: Overrides) -> Attempt:
    headers = attempt.request.header(AUTHORIZATION)
    authorization = overrides.parse_authorization(headers[0]) if len(headers) == 1 else None
    if authorization is None:
        raise RefusedError("malformed_authorization")
    attempt = replace(attempt, authorization=authorization)
    apply_rules(KEY_RULES, attempt, overrides)
    try:
        apply_rules(SIGNATURE_RULES, attempt, overrides)
    except RefusedError:
        attempt.registry.record_signature(authorization.access_key, success=False)
        raise
    attempt.registry.record_signature(authorization.access_key, success=True)
    return attempt


def _check_token(attempt: Attempt, overrides: Overrides) -> Attempt:
    apply_rules(TOKEN_RULES, attempt, overrides)
    return attempt


def _signing_time(request: SandboxRequest) -> datetime | None:
    dates = request.header("x-sdk-date")
    if len(dates) != 1 or len(dates[0]) != 16:
        return None
    try:
        return datetime.strptime(dates[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
