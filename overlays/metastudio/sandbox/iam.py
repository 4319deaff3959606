"""Stands in for the two calls to IAM that the client makes (facts, sections 1 and 2.1).

IAM words its errors in its own way, nested and with a number as code.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from metastudio.sandbox.authentication import Gate
from metastudio.sandbox.entrance import identify
from metastudio.sandbox.http import Answer, RefusedError, Request
from metastudio.sandbox.overrides import Parts
from metastudio.sandbox.settings import Account

_WAYS = (frozenset({"authorization", "x-sdk-date"}), frozenset({"x-auth-token"}))
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class Iam:
    """Issues tokens for a password, and tells the projects of a key or a token."""

    def __init__(self, gate: Gate, parts: Parts) -> None:
        self._gate = gate
        self._parts = parts
        self._calls = {b"/v3/auth/tokens": ("POST", self._token), b"/v3/projects": ("GET", self._projects)}

    def serves(self, request: Request) -> bool:
        """Return whether the path is one of IAM's."""
        return request.path in self._calls

    def answer(self, request: Request) -> Answer:
        """Answer a call to IAM."""
        method, call = self._calls[request.path]
        return call(request) if request.method == method else _error(405, "Method not allowed.", {"Allow": method})

    def _token(self, request: Request) -> Answer:
        """Issue a token. Without the scope of a project it opens no service of a project, as in the cloud."""
        try:
            asked = json.loads(request.body)["auth"]
            user = asked["identity"]["password"]["user"]
            name, password, domain = user["name"], user["password"], user["domain"]["name"]
            scope = {**asked.get("scope", {}).get("project", {})}
            methods = asked["identity"]["methods"]
        except (ValueError, LookupError, TypeError, AttributeError):
            return _error(400, "The body is no request for a token by password.")
        given = [domain, name, password]
        found = (each for each in self._gate.accounts if [each.domain, each.user, each.password] == given)
        account = next(found, None)
        if methods != ["password"] or account is None:
            return _error(401, "The username or password is wrong.")
        project = {"id": account.project_id, "name": account.project_name}
        if any(project.get(key) != value for key, value in scope.items() if key in project):
            return _error(401, "The project does not exist or is not the user's.")
        token, expires_at = self._gate.issue_token(account, valid=bool(scope))
        times = {"issued_at": _time(self._gate.now()), "expires_at": _time(expires_at)}
        scoped = {"project": {**project, "domain": {"name": domain}}} if scope else {}
        who = {"name": name, "domain": {"name": domain}}
        body = {"token": {"methods": methods, **times, **scoped, "user": who}}
        return Answer(201, body, {"X-Subject-Token": token})

    def _projects(self, request: Request) -> Answer:
        try:
            account = identify(request, _WAYS, self._gate, self._parts)
        except RefusedError as refused:
            refusal = self._parts.refusals[refused.reason]
            return _error(401, refusal.message.format(**refused.details))
        wanted = parse_qs(request.query.decode("latin-1")).get("name", [account.project_name])
        found = [_project(account)] if wanted == [account.project_name] else []
        return Answer(200, {"projects": found, "links": {"self": None, "previous": None, "next": None}})


def _project(account: Account) -> dict[str, Any]:
    return {
        "id": account.project_id,
        "name": account.project_name,
        "domain_id": account.domain,
        "parent_id": account.domain,
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {},
    }


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"error": {"message": message, "code": status, "title": _TITLES[status]}}, headers or {})


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
