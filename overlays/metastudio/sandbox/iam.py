"""The two IAM operations that the client calls (docs/service-notes.md#iam-tokens, docs/service-notes.md#project-id).

IAM has an error body of its own, nested and with an integer code.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs

from metastudio.sandbox.authentication import AccountRegistry, authenticate
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.overrides import Overrides

_SECURITY = (frozenset({"authorization", "x-sdk-date"}), frozenset({"x-auth-token"}))


def issue_token(request: SandboxRequest, registry: AccountRegistry) -> SandboxResponse:
    """Issue a token for a password. Without a project scope, it is useless for a service of a project."""
    try:
        auth = json.loads(request.body)["auth"]
        user = auth["identity"]["password"]["user"]
        name, password, domain = user["name"], user["password"], user["domain"]["name"]
        in_scope = auth.get("scope", {})
        scope = {**in_scope.get("project", {})}
        methods = auth["identity"]["methods"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _error(400, "The body is not a request for a token by password.")
    if "project" in in_scope and not {"id", "name"} & scope.keys():
        return _error(400, "The project in the scope has neither id nor name.")
    login = [domain, name, password]
    accounts = (each for each in registry.accounts if [each.domain, each.user, each.password] == login)
    account = next(accounts, None)
    if methods != ["password"] or account is None:
        return _error(401, "The username or password is wrong.")
    project = {"id": account.project_id, "name": account.project_name}
    if any(project.get(key) != value for key, value in scope.items() if key in project):
        return _error(401, "The project does not exist or does not belong to the user.")
    token, expires_at = registry.issue_token(account, valid=bool(scope))
    times = {"issued_at": _timestamp(registry.now()), "expires_at": _timestamp(expires_at)}
    scoped = {"project": {**project, "domain": {"name": domain}}} if scope else {}
    owner = {"name": name, "domain": {"name": domain}}
    body = {"token": {"methods": methods, **times, **scoped, "user": owner}}
    return SandboxResponse(201, body, {"X-Subject-Token": token})


def list_projects(request: SandboxRequest, registry: AccountRegistry, overrides: Overrides) -> SandboxResponse:
    """List the project of the caller if it has the requested name."""
    try:
        account = authenticate(request, _SECURITY, registry, overrides).account
    except RefusedError as refused:
        return _error(401, overrides.refusals[refused.reason].message.format(**refused.details))
    names = parse_qs(request.query.decode("latin-1")).get("name", [account.project_name])
    project = {"id": account.project_id, "name": account.project_name, "domain_id": account.domain, "enabled": True}
    return SandboxResponse(200, {"projects": [project] if names == [account.project_name] else []})


def _error(status: int, message: str) -> SandboxResponse:
    return SandboxResponse(status, {"error": {"message": message, "code": status, "title": HTTPStatus(status).phrase}})


def _timestamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
