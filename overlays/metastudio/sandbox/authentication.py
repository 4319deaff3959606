"""Authentication of requests by signature or token, and the check of their project.

Each rule is a small function that raises RefusedError or returns. `Overrides` holds the rules in the order in which
they run, so a server without a rule, or with another one in its place, is quickly built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from metastudio.sandbox.accounts import Account, AccountRegistry, KeyPair
from metastudio.sandbox.http import RefusedError, SandboxRequest
from metastudio.sandbox.signature import ParsedAuthorization, verify

if TYPE_CHECKING:
    from metastudio.sandbox.overrides import Overrides

CLOCK_TOLERANCE = 15 * 60
"""Seconds that X-Sdk-Date may differ from the server's time (docs/service-notes.md#clock-tolerance)."""
AUTHORIZATION, TOKEN = "authorization", "x-auth-token"
"""The header that selects a security requirement. A signature takes precedence over a token."""
_IDENTITY_HEADERS = ("x-project-id", "x-security-token")


@dataclass(frozen=True)
class SignedRequest:
    """A request with an Authorization header, before the signature is verified."""

    request: SandboxRequest
    authorization: ParsedAuthorization
    registry: AccountRegistry

    @property
    def account(self) -> Account:
        """The account that owns the access key. Raises RefusedError if the key is unknown."""
        return self._owner[0]

    @property
    def keys(self) -> KeyPair:
        """The key pair of the access key. Raises RefusedError if the key is unknown."""
        return self._owner[1]

    @property
    def _owner(self) -> tuple[Account, KeyPair]:
        access_key = self.authorization.access_key
        if access_key not in self.registry.keys:
            raise RefusedError("unknown_key", access_key=access_key)
        return self.registry.keys[access_key]


@dataclass(frozen=True)
class AuthenticatedRequest:
    """A request of a known account. `project` is the project ID in the path, None if the path has none."""

    request: SandboxRequest
    account: Account
    project: str | None
    signed: bool


SignatureRule = Callable[[SignedRequest], None]
TokenRule = Callable[[SandboxRequest, AccountRegistry], None]
ProjectRule = Callable[[AuthenticatedRequest], None]


def authenticate(
    request: SandboxRequest,
    security: Sequence[frozenset[str]],
    registry: AccountRegistry,
    overrides: Overrides,
) -> Account:
    """Return the account that sent a request.

    Args:
        request: The request as received.
        security: Security requirements of the operation, each the lower-case names of the headers it needs.
        registry: The known accounts.
        overrides: The rules to apply.

    Raises:
        RefusedError: The credentials are missing or not accepted.
    """
    for selector, check in ((AUTHORIZATION, _by_signature), (TOKEN, _by_token)):
        for requirement in security:
            if selector in requirement and request.header(selector):
                for name in sorted(requirement):
                    if not request.header(name):
                        raise RefusedError("missing_header", header=name)
                return check(request, registry, overrides)
    raise RefusedError("no_credentials")


def key_is_known(signed: SignedRequest) -> None:
    """Require an access key of a known account."""
    _ = signed.keys


def key_is_not_locked(signed: SignedRequest) -> None:
    """Refuse an access key that is locked."""
    if signed.registry.is_locked(signed.authorization.access_key):
        raise RefusedError("locked")


def date_is_well_formed(signed: SignedRequest) -> None:
    """Require exactly one X-Sdk-Date, in the form YYYYMMDD'T'HHMMSS'Z'."""
    if _signing_time(signed.request) is None:
        raise RefusedError("malformed_date")


def date_is_signed(signed: SignedRequest) -> None:
    """Require X-Sdk-Date among the signed headers. It is the only header that must be signed."""
    if "x-sdk-date" not in signed.authorization.signed_headers:
        raise RefusedError("not_signed", header="x-sdk-date")


def date_is_within_tolerance(signed: SignedRequest) -> None:
    """Require an X-Sdk-Date within 15 minutes of the server's time."""
    date, now = _signing_time(signed.request), signed.registry.now()
    if date is not None and abs(date.timestamp() - now) > CLOCK_TOLERANCE:
        server = datetime.fromtimestamp(now, UTC)
        raise RefusedError("expired", signed=f"{date:%Y%m%dT%H%M%SZ}", server=f"{server:%Y%m%dT%H%M%SZ}")


def identity_headers_are_signed(signed: SignedRequest) -> None:
    """Require X-Project-Id and X-Security-Token to be signed if they are sent.

    The signing guide does not require it, but they select the data that is read, and all vendor SDKs sign them.
    """
    for name in _IDENTITY_HEADERS:
        if signed.request.header(name) and name not in signed.authorization.signed_headers:
            raise RefusedError("not_signed", header=name)


def signed_headers_were_sent(signed: SignedRequest) -> None:
    """Require every signed header exactly once."""
    for name in signed.authorization.signed_headers:
        if len(signed.request.header(name)) != 1:
            raise RefusedError("signed_header_missing", header=name)


def security_token_matches(signed: SignedRequest) -> None:
    """Require the security token of a temporary key pair, and none with a permanent one."""
    expected = signed.keys.security_token
    if signed.request.header("x-security-token") != ([expected] if expected else []):
        raise RefusedError("wrong_security_token", access_key=signed.authorization.access_key)


def signature_matches(signed: SignedRequest) -> None:
    """Require the signature that the secret key gives for this request."""
    if not verify(signed.request, signed.authorization, signed.keys.secret_key):
        raise RefusedError("wrong_signature", access_key=signed.authorization.access_key)


def token_is_known(request: SandboxRequest, registry: AccountRegistry) -> None:
    """Require exactly one X-Auth-Token, issued by the sandbox."""
    tokens = request.header(TOKEN)
    if len(tokens) != 1 or tokens[0] not in registry.tokens:
        raise RefusedError("unknown_token")


def token_is_not_expired(request: SandboxRequest, registry: AccountRegistry) -> None:
    """Refuse an expired token."""
    _, expires_at = registry.tokens.get(request.header(TOKEN)[0], (None, None))
    if expires_at is not None and registry.now() >= expires_at:
        raise RefusedError(
            "expired_token", expires_at=f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        )


def project_belongs_to_caller(authenticated: AuthenticatedRequest) -> None:
    """Require the project in the path to belong to the account."""
    if authenticated.project is not None and authenticated.project != authenticated.account.project_id:
        raise RefusedError("foreign_project")


def project_header_matches(authenticated: AuthenticatedRequest) -> None:
    """Require the X-Project-Id of a signed request to name the project in the path, or else the account's project."""
    sent = authenticated.request.header("x-project-id")
    if authenticated.signed and sent and sent != [authenticated.project or authenticated.account.project_id]:
        raise RefusedError("project_mismatch")


KEY_RULES: tuple[SignatureRule, ...] = (key_is_known, key_is_not_locked)
"""Run first. A refusal by one of these is not a failed signature."""
SIGNATURE_RULES: tuple[SignatureRule, ...] = (
    date_is_well_formed,
    date_is_signed,
    date_is_within_tolerance,
    identity_headers_are_signed,
    signed_headers_were_sent,
    security_token_matches,
    signature_matches,
)
"""Run after the key rules. A refusal by one of these counts towards the lock of the access key."""
TOKEN_RULES: tuple[TokenRule, ...] = (token_is_known, token_is_not_expired)
PROJECT_RULES: tuple[ProjectRule, ...] = (project_belongs_to_caller, project_header_matches)
"""Run for every authenticated request."""


def _by_signature(request: SandboxRequest, registry: AccountRegistry, overrides: Overrides) -> Account:
    headers = request.header(AUTHORIZATION)
    authorization = overrides.parse_authorization(headers[0]) if len(headers) == 1 else None
    if authorization is None:
        raise RefusedError("malformed_authorization")
    signed = SignedRequest(request, authorization, registry)
    for rule in overrides.key_rules:
        rule(signed)
    try:
        for rule in overrides.signature_rules:
            rule(signed)
    except RefusedError:
        registry.record_signature(authorization.access_key, success=False)
        raise
    registry.record_signature(authorization.access_key, success=True)
    return signed.account


def _by_token(request: SandboxRequest, registry: AccountRegistry, overrides: Overrides) -> Account:
    for rule in overrides.token_rules:
        rule(request, registry)
    known = registry.tokens.get(request.header(TOKEN)[0])
    return known[0] if known else registry.accounts[0]


def _signing_time(request: SandboxRequest) -> datetime | None:
    dates = request.header("x-sdk-date")
    if len(dates) != 1 or len(dates[0]) != 16:
        return None
    try:
        return datetime.strptime(dates[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
