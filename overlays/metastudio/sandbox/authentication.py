"""Authentication of requests by signature or token, the check of their project, and two operations of IAM.

Each rule is a function of an attempt that raises RefusedError or returns. `Overrides` holds them by name, so a server
without a rule, or with another one in its place, is quickly built.
"""

from __future__ import annotations

import json
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
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
_IAM_SECURITY = (frozenset({"authorization", "x-sdk-date"}), frozenset({"x-auth-token"}))
NO_AUTHORIZATION = ParsedAuthorization("", (), "")
_DATE = "%Y%m%dT%H%M%SZ"


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
        self.tokens: dict[str, tuple[Account, float]] = {each.token: (each, math.inf) for each in accounts}
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
    authorization: ParsedAuthorization = NO_AUTHORIZATION

    @property
    def keys(self) -> KeyPair:
        """The key pair of the access key. Raises RefusedError if the key is unknown."""
        access_key = self.authorization.access_key
        if access_key not in self.registry.keys:
            raise RefusedError("unknown_key", access_key=access_key)
        return self.registry.keys[access_key][1]

    @property
    def token(self) -> tuple[Account, float] | None:
        """The account of the token and the time at which it expires; None if the token is unknown."""
        tokens = self.request.header(TOKEN)
        return self.registry.tokens.get(tokens[0]) if len(tokens) == 1 else None

    @property
    def account(self) -> Account:
        """The account that owns the access key or the token, the main one for an unknown token."""
        if self.authorization.access_key:
            return self.registry.keys[self.authorization.access_key][0]
        return self.token[0] if self.token else self.registry.accounts[0]

    @property
    def signed_at(self) -> float | None:
        """The X-Sdk-Date in seconds since 1970; None unless there is exactly one, in the form YYYYMMDD'T'HHMMSS'Z'."""
        dates = self.request.header("x-sdk-date")
        try:
            signed = datetime.strptime(dates[0], _DATE) if [len(each) for each in dates] == [16] else None
        except ValueError:
            return None
        return signed.replace(tzinfo=UTC).timestamp() if signed else None

    @property
    def details(self) -> dict[str, str]:
        """What the messages of refusals name."""
        signed, server = self.request.header("x-sdk-date"), datetime.fromtimestamp(self.registry.now(), UTC)
        details = {
            "access_key": self.authorization.access_key,
            "signed": "".join(signed),
            "server": f"{server:{_DATE}}",
        }
        if self.token and self.token[1] < math.inf:
            details["expires_at"] = _timestamp(self.token[1])
        return details

    def unsigned(self, *names: str) -> str | None:
        """Return the first of these headers that is not signed."""
        return next((name for name in names if name not in self.authorization.signed_headers), None)


Rule = Callable[[Attempt], None]


def _rule(reason: str, offends: Callable[[Attempt], str | bool | None]) -> Rule:
    """Return a rule that refuses an attempt if a function is true of it, or returns the name of a header."""

    def rule(attempt: Attempt) -> None:
        if header := offends(attempt):
            raise RefusedError(reason, header=str(header), **attempt.details)

    return rule


def _wrong_project_header(attempt: Attempt) -> bool:
    sent = attempt.request.header("x-project-id")
    signed = bool(attempt.authorization.access_key)
    return signed and bool(sent) and sent != [attempt.project or attempt.account.project_id]


KEY_RULES: Mapping[str, Rule] = {
    "key_is_known": _rule("unknown_key", lambda it: it.authorization.access_key not in it.registry.keys),
    "key_is_not_locked": _rule("locked", lambda it: it.registry.is_locked(it.authorization.access_key)),
}
"""Run first. A refusal by one of these is not a failed signature."""
SIGNATURE_RULES: Mapping[str, Rule] = {
    "date_is_well_formed": _rule("malformed_date", lambda it: it.signed_at is None),
    "date_is_signed": _rule("not_signed", lambda it: it.unsigned("x-sdk-date")),  # the only header that must be signed
    "date_is_within_tolerance": _rule(
        "expired", lambda it: it.signed_at is not None and abs(it.signed_at - it.registry.now()) > CLOCK_TOLERANCE
    ),
    # The signing guide does not require it, but they select the data that is read, and all vendor SDKs sign them.
    "identity_headers_are_signed": _rule(
        "not_signed", lambda it: it.unsigned(*filter(it.request.header, ("x-project-id", "x-security-token")))
    ),
    "signed_headers_were_sent": _rule(
        "signed_header_missing",
        lambda it: next((name for name in it.authorization.signed_headers if len(it.request.header(name)) != 1), None),
    ),
    "security_token_matches": _rule(
        "wrong_security_token",
        lambda it: it.request.header("x-security-token") != [each for each in [it.keys.security_token] if each],
    ),
    "signature_matches": _rule(
        "wrong_signature", lambda it: not verify(it.request, it.authorization, it.keys.secret_key)
    ),
}
"""Run after the key rules. A refusal by one of these counts towards the lock of the access key."""
TOKEN_RULES: Mapping[str, Rule] = {
    "token_is_known": _rule("unknown_token", lambda it: it.token is None),
    "token_is_not_expired": _rule(
        "expired_token", lambda it: it.token is not None and it.registry.now() >= it.token[1]
    ),
}
PROJECT_RULES: Mapping[str, Rule] = {
    "project_belongs_to_caller": _rule(
        "foreign_project", lambda it: it.project is not None and it.project != it.account.project_id
    ),
    # A signed request may name the project of the path, or else that of the account.
    "project_header_matches": _rule("project_mismatch", _wrong_project_header),
}
"""Run last, for the operations of the contract."""
RULES: Mapping[str, Rule] = {**KEY_RULES, **SIGNATURE_RULES, **TOKEN_RULES, **PROJECT_RULES}


def apply_rules(rules: Iterable[str], attempt: Attempt, overrides: Overrides) -> None:
    """Apply the rules with these names, or those that replace them. Raises RefusedError."""
    for name in rules:
        if name in overrides.rules:
            overrides.rules[name](attempt)


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
    choices = [(each, names) for each in (AUTHORIZATION, TOKEN) for names in security if each in names]
    selector, names = next((each for each in choices if request.header(each[0])), ("", frozenset[str]()))
    if not selector:
        raise RefusedError("no_credentials")
    for name in sorted(names):
        if not request.header(name):
            raise RefusedError("missing_header", header=name)
    attempt, headers = Attempt(request, registry, project), request.header(AUTHORIZATION)
    if selector == TOKEN:
        apply_rules(TOKEN_RULES, attempt, overrides)
        return attempt
    authorization = overrides.parse_authorization(headers[0]) if len(headers) == 1 else None
    if authorization is None:
        raise RefusedError("malformed_authorization")
    attempt = replace(attempt, authorization=authorization)
    apply_rules(KEY_RULES, attempt, overrides)
    try:
        apply_rules(SIGNATURE_RULES, attempt, overrides)
    except RefusedError:
        registry.record_signature(authorization.access_key, success=False)
        raise
    registry.record_signature(authorization.access_key, success=True)
    return attempt


def issue_token(request: SandboxRequest, registry: AccountRegistry) -> SandboxResponse:
    """Issue a token for a password (docs/service-notes.md#iam-tokens). Services refuse one without a project scope."""
    try:
        auth = json.loads(request.body)["auth"]
        user = auth["identity"]["password"]["user"]
        name, password, domain = user["name"], user["password"], user["domain"]["name"]
        in_scope = auth.get("scope", {})
        scope = {**in_scope.get("project", {})}
        methods = auth["identity"]["methods"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _iam_error(400, "The body is not a request for a token by password.")
    if "project" in in_scope and not {"id", "name"} & scope.keys():
        return _iam_error(400, "The project in the scope has neither id nor name.")
    login = [domain, name, password]
    accounts = (each for each in registry.accounts if [each.domain, each.user, each.password] == login)
    account = next(accounts, None)
    if methods != ["password"] or account is None:
        return _iam_error(401, "The username or password is wrong.")
    project = {"id": account.project_id, "name": account.project_name}
    if any(project.get(key) != value for key, value in scope.items() if key in project):
        return _iam_error(401, "The project does not exist or does not belong to the user.")
    token, expires_at = registry.issue_token(account, valid=bool(scope))
    times = {"issued_at": _timestamp(registry.now()), "expires_at": _timestamp(expires_at)}
    scoped = {"project": {**project, "domain": {"name": domain}}} if scope else {}
    owner = {"name": name, "domain": {"name": domain}}
    body = {"token": {"methods": methods, **times, **scoped, "user": owner}}
    return SandboxResponse(201, body, {"X-Subject-Token": token})


def list_projects(request: SandboxRequest, registry: AccountRegistry, overrides: Overrides) -> SandboxResponse:
    """List the project of the caller (docs/service-notes.md#project-id) if it has the requested name."""
    try:
        account = authenticate(request, _IAM_SECURITY, registry, overrides).account
    except RefusedError as refused:
        return _iam_error(401, overrides.refusals[refused.reason].message.format(**refused.details))
    names = parse_qs(request.query.decode("latin-1")).get("name", [account.project_name])
    project = {"id": account.project_id, "name": account.project_name, "domain_id": account.domain, "enabled": True}
    return SandboxResponse(200, {"projects": [project] if names == [account.project_name] else []})


def _iam_error(status: int, message: str) -> SandboxResponse:
    """Return an error of IAM, which has a body of its own, nested and with an integer code."""
    return SandboxResponse(status, {"error": {"message": message, "code": status, "title": HTTPStatus(status).phrase}})


def _timestamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
