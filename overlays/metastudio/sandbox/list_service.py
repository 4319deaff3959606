"""Responses of one list operation: authentication, parameters, and the page of items."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.authentication import AUTHORIZATION, AuthenticatedRequest, authenticate
from metastudio.sandbox.fixtures import envelope
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import Listing, set_at
from metastudio.sandbox.overrides import Overrides
from metastudio.sandbox.parameters import decode
from metastudio.sandbox.query import StoreQuery
from metastudio.sandbox.store import Store

_PATH_PARAMETER = re.compile(r"\{([^/]+?)\}")


class ListService:
    """Serves a list operation from its store. Every decision is a function of `overrides`."""

    def __init__(self, listing: Listing, store: Store, registry: AccountRegistry, overrides: Overrides) -> None:
        self.listing = listing
        self.store = store
        self._registry = registry
        self._overrides = overrides
        self._envelope = envelope(listing)
        path = listing.operation.path
        self._path_parameters = _PATH_PARAMETER.findall(path)
        self._pattern = re.compile(re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", re.escape(path)).encode())

    def matches(self, request: SandboxRequest) -> bool:
        """Return whether the request's path, without decoding it, is that of this operation."""
        return bool(self._pattern.fullmatch(request.path))

    def respond(self, request: SandboxRequest) -> SandboxResponse:
        """Return the requested page. Raises RefusedError."""
        listing, overrides = self.listing, self._overrides
        if request.method not in overrides.methods(listing.operation):
            raise RefusedError("method_not_allowed", method=request.method)
        found = self._pattern.fullmatch(request.path)
        in_path = dict(zip(self._path_parameters, map(decode, found.groups() if found else ()), strict=True))
        self._authorise(request, in_path.get("project_id"))
        query = self._query(self._values(request, in_path))
        items, matching = self.store.select(query)
        items = overrides.items(items, query.window)
        body = deepcopy(self._envelope)
        if listing.rules.total is not None:
            set_at(body, listing.rules.total, overrides.total(matching, items, query.window))
        set_at(body, listing.rules.items, items)
        return SandboxResponse(listing.status, body)

    def refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        """Return the error response, with the contract's example as its body where there is one."""
        refusal = self._overrides.refusals[refused.reason]
        body, headers = refusal.body(request_id, refused.details), dict[str, str]()
        if refused.reason in ("invalid_parameter", "failure"):
            body = self.listing.errors.get(refusal.status, body)
        if refused.reason == "invalid_parameter":
            headers["X-Sandbox-Reason"] = ascii(refused.details.get("reason", ""))[1:-1]
        if refused.reason == "method_not_allowed":
            headers["Allow"] = ", ".join(self._overrides.methods(self.listing.operation))
        if refused.reason == "too_many_requests":
            headers["Retry-After"] = "1"
        return SandboxResponse(refusal.status, body, headers)

    def _authorise(self, request: SandboxRequest, project: str | None) -> None:
        """Authenticate the request and check its project, unless the operation needs no authentication."""
        security = self.listing.security
        if not security or not all(security):
            return
        account = authenticate(request, security, self._registry, self._overrides)
        signed = bool(request.header(AUTHORIZATION))
        for rule in self._overrides.project_rules:
            rule(AuthenticatedRequest(request, account, project, signed=signed))

    def _values(self, request: SandboxRequest, in_path: dict[str, str]) -> dict[str, Any]:
        """Return the values of the given parameters, converted and checked."""
        overrides, in_query = self._overrides, dict[str, list[str]]()
        for name, text in overrides.split_query(request.query):
            in_query.setdefault(name, []).append(text)
        values: dict[str, Any] = {}
        for parameter in self.listing.operation.parameters.values():
            match parameter.location:
                case "path":
                    texts = [in_path[parameter.name]]
                case "header":
                    texts = request.header(parameter.name)
                case _:
                    texts = in_query.pop(parameter.name, [])
            if texts:
                values[parameter.name] = self._value(parameter, texts)
            elif parameter.required:
                raise RefusedError("invalid_parameter", reason=f"{parameter.name} (required)")
        overrides.check_all(self.listing, values, list(in_query))
        return values

    def _value(self, parameter: Parameter, texts: list[str]) -> Any:
        chosen = self._overrides.choose(parameter, texts)
        if isinstance(chosen, list):
            value: Any = [self._overrides.convert(parameter.schema.get("items", {}), text) for text in chosen]
        else:
            value = self._overrides.convert(parameter.schema, chosen)
        self._overrides.check(parameter, value)
        return value

    def _query(self, values: dict[str, Any]) -> StoreQuery:
        overrides, rules, columns = self._overrides, self.listing.rules, self.listing.columns
        conditions = overrides.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                value = values[name] if isinstance(values[name], list) else [values[name]]
                condition = overrides.condition(rule, columns[rule.property] if rule.property else None, value)
                conditions += [condition] if condition else []
        key = values.get(rules.order.parameter) if rules.order else None
        direction = values.get(rules.order.direction) if rules.order and rules.order.direction else None
        order = overrides.order(rules.order, columns, columns[rules.identity or ""], key, direction)
        window = overrides.window(values.get(rules.offset), values.get(rules.limit), self.listing)
        return StoreQuery(tuple(conditions), order, window)
