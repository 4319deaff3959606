"""Answers one list operation: who asks, for what, and the page of items that this is."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.sandbox.authentication import Gate, Visit
from metastudio.sandbox.entrance import SIGNED, identify
from metastudio.sandbox.fixtures import frame
from metastudio.sandbox.http import Answer, RefusedError, Request
from metastudio.sandbox.listing import Listing, put
from metastudio.sandbox.overrides import Parts
from metastudio.sandbox.parameters import decode
from metastudio.sandbox.query import Selection
from metastudio.sandbox.store import Store

_PARAMETER = re.compile(r"\{([^/]+?)\}")


class Service:
    """A list operation with its items. What it decides, the parts decide."""

    def __init__(self, listing: Listing, store: Store, gate: Gate, parts: Parts) -> None:
        self.listing = listing
        self.store = store
        self._gate = gate
        self._parts = parts
        self._frame = frame(listing)
        path = listing.operation.path
        self._names = _PARAMETER.findall(path)
        self._pattern = re.compile(re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", re.escape(path)).encode())

    def serves(self, request: Request) -> bool:
        """Return whether the path is this operation's, as it stands on the wire."""
        return bool(self._pattern.fullmatch(request.path))

    def answer(self, request: Request) -> Answer:
        """Return the page that a request asks for. Raises RefusedError."""
        listing, parts = self.listing, self._parts
        if request.method not in parts.methods(listing.operation):
            raise RefusedError("method_not_allowed", method=request.method)
        found = self._pattern.fullmatch(request.path)
        in_path = dict(zip(self._names, map(decode, found.groups() if found else ()), strict=True))
        self._authorise(request, in_path.get("project_id"))
        selection = self._selection(self._values(request, in_path))
        items, matching = self.store.select(selection)
        items = parts.items(items, selection.window)
        body = deepcopy(self._frame)
        if listing.rules.total is not None:
            put(body, listing.rules.total, parts.total(matching, items, selection.window))
        put(body, listing.rules.items, items)
        return Answer(listing.status, body)

    def refusal(self, refused: RefusedError, request_id: str) -> Answer:
        """Return the answer that refuses, in the contract's own words where it has some."""
        refusal = self._parts.refusals[refused.reason]
        body, headers = refusal.body(request_id, refused.details), dict[str, str]()
        if refused.reason in ("invalid_parameter", "failure"):
            body = self.listing.errors.get(refusal.status, body)
        if refused.reason == "invalid_parameter":
            headers["X-Sandbox-Reason"] = ascii(refused.details.get("reason", ""))[1:-1]
        if refused.reason == "method_not_allowed":
            headers["Allow"] = ", ".join(self._parts.methods(self.listing.operation))
        if refused.reason == "too_many_requests":
            headers["Retry-After"] = "1"
        return Answer(refusal.status, body, headers)

    def _authorise(self, request: Request, project: str | None) -> None:
        """Refuse whoever is not known or not allowed. An operation with an empty way in is open to everybody."""
        ways = self.listing.ways
        if not ways or not all(ways):
            return
        account = identify(request, ways, self._gate, self._parts)
        for rule in self._parts.project_rules:
            rule(Visit(request, account, project, signed=bool(request.header(SIGNED))))

    def _values(self, request: Request, in_path: dict[str, str]) -> dict[str, Any]:
        """Return the parameters that were given, converted and checked."""
        parts, in_query = self._parts, dict[str, list[str]]()
        for name, text in parts.split_query(request.query):
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
        parts.check_all(self.listing, values, list(in_query))
        return values

    def _value(self, parameter: Parameter, texts: list[str]) -> Any:
        chosen = self._parts.choose(parameter, texts)
        if isinstance(chosen, list):
            value: Any = [self._parts.convert(parameter.schema.get("items", {}), text) for text in chosen]
        else:
            value = self._parts.convert(parameter.schema, chosen)
        self._parts.check(parameter, value)
        return value

    def _selection(self, values: dict[str, Any]) -> Selection:
        """Return what the parameters ask of the store."""
        parts, rules, columns = self._parts, self.listing.rules, self.listing.columns
        conditions = parts.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                value = values[name] if isinstance(values[name], list) else [values[name]]
                found = parts.condition(rule, columns[rule.property] if rule.property else None, value)
                conditions += [found] if found else []
        key = values.get(rules.order.parameter) if rules.order else None
        direction = values.get(rules.order.direction) if rules.order and rules.order.direction else None
        order = parts.order(rules.order, columns, columns[rules.identity], key, direction)
        window = parts.window(values.get(rules.offset), values.get(rules.limit), self.listing)
        return Selection(tuple(conditions), order, window)
