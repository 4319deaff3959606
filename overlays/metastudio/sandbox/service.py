"""The response of one operation: authentication, parameters, body, and what its kind does with the items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from metastudio.contract.json_pointer import set_at, split, values_at
from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.authentication import PROJECT_RULES, apply_rules, authenticate
from metastudio.sandbox.fixtures import ItemGenerator, stamp
from metastudio.sandbox.gateway import SERVICE_REASONS
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import PROJECT, Listing, ServedOperation, is_time, object_properties
from metastudio.sandbox.overrides import Overrides
from metastudio.sandbox.parameters import accepts, invalid_keyword
from metastudio.sandbox.store import Store

Values = Mapping[str, Any]
_HEADERS = {"Allow": "allowed", "Retry-After": "seconds", "X-Sandbox-Reason": "reason"}
"""Headers of error responses, and the detail that each shows."""


class Service:
    """Responds to the requests of one method of a path. This one knows no path."""

    def __init__(self, registry: AccountRegistry, overrides: Overrides) -> None:
        self._registry = registry
        self._overrides = overrides

    def respond(self, request: SandboxRequest, in_path: Mapping[str, str]) -> SandboxResponse:
        """Return the response of a success. Raises RefusedError."""
        raise RefusedError("unknown_path")

    def refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        """Return the error response."""
        refusal, details = self._overrides.refusals[refused.reason], refused.details
        headers = {name: ascii(details[key])[1:-1] for name, key in _HEADERS.items() if key in details}
        return SandboxResponse(refusal.status, refusal.body(request_id, details), headers)


class OperationService(Service):
    """Serves an operation of the contract. Every decision about its parameters is a function of `overrides`."""

    def __init__(self, served: ServedOperation, registry: AccountRegistry, overrides: Overrides) -> None:
        super().__init__(registry, overrides)
        self._served = served
        self._envelope = deepcopy(served.example)
        if served.example is None and served.body_schema is not None:
            self._envelope = ItemGenerator(None, Random(0)).value(served.body_schema)  # noqa: S311 - not for secrets

    def respond(self, request: SandboxRequest, in_path: Mapping[str, str]) -> SandboxResponse:
        """Return the response of a success. Raises RefusedError."""
        security = self._served.security
        if security and all(security):
            attempt = authenticate(request, security, self._registry, self._overrides, in_path.get(PROJECT))
            apply_rules(PROJECT_RULES, attempt, self._overrides)
        values = self._values(request, in_path)
        body = self._handle(values, self._body(request))
        return SandboxResponse(self._served.status, b"" if self._served.body_schema is None else body)

    def refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        """Return the error response, with the contract's example as its body where there is one."""
        response = super().refuse(refused, request_id)
        example = self._served.errors.get(response.status) if refused.reason in SERVICE_REASONS else None
        return replace(response, body=example or response.body)

    def _handle(self, values: Values, body: Any) -> Any:
        """Return the body of a success."""
        return deepcopy(self._envelope)

    def _values(self, request: SandboxRequest, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the given parameters, converted and checked."""
        overrides, in_query = self._overrides, dict[str, list[str]]()
        for name, text in overrides.split_query(request.query):
            in_query.setdefault(name, []).append(text)
        values: dict[str, Any] = {}
        for name, parameter in self._served.operation.parameters.items():
            match parameter.location:
                case "path":
                    texts = [in_path[name]]
                case "header":
                    texts = request.header(name)
                case _:
                    texts = in_query.pop(name, [])
            if texts:
                chosen = overrides.choose(parameter, texts)
                items = parameter.schema.get("items", {})
                values[name] = (
                    [overrides.convert(items, text) for text in chosen]
                    if isinstance(chosen, list)
                    else overrides.convert(parameter.schema, chosen)
                )
                overrides.check(parameter, values[name])
            elif parameter.required:
                raise RefusedError("invalid_parameter", reason=f"{name} (required)")
        overrides.check_all(self._served, values, list(in_query))
        return values

    def _body(self, request: SandboxRequest) -> Any:
        """Return the JSON body, checked against the contract; {} if there is none and none is required."""
        declared = self._served.operation.body
        if declared is None or (not request.body and not declared.required):
            return {}
        try:
            body = json.loads(request.body)
            json.dumps(body, ensure_ascii=False, allow_nan=False).encode()  # neither NaN nor halves of characters
        except (ValueError, RecursionError):
            raise RefusedError("invalid_parameter", reason="body (not JSON)") from None
        if keyword := invalid_keyword(declared.schema, body):
            raise RefusedError("invalid_parameter", reason=f"body {keyword}")
        return body


class ItemService(OperationService):
    """Serves an operation of a list: the list itself, or one about its items.

    Args:
        served: The operation.
        listing: The list.
        store: The items of the list.
        registry: The known accounts.
        overrides: The functions that decide.
    """

    def __init__(
        self,
        served: ServedOperation,
        listing: Listing,
        store: Store,
        registry: AccountRegistry,
        overrides: Overrides,
    ) -> None:
        super().__init__(served, registry, overrides)
        self._listing = listing
        self._store = store

    def _handle(self, values: Values, body: Any) -> Any:
        return getattr(self, f"_{self._served.operation.kind}")(values, body)

    def _list(self, values: Values, _body: Any) -> Any:
        listing, store, overrides = self._listing, self._store, self._overrides
        rules, columns = listing.rules, listing.columns
        conditions = overrides.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                given = values[name] if isinstance(values[name], list) else [values[name]]
                found = overrides.condition(rule, columns[rule.property] if rule.property else None, given)
                conditions += [found] if found else []
        key = values.get(rules.order.parameter) if rules.order else None
        direction = values.get(rules.order.direction) if rules.order and rules.order.direction else None
        order = overrides.order(rules.order, columns, columns.get(rules.identity or ""), key, direction)
        window = overrides.window(values.get(rules.offset), values.get(rules.limit), listing)
        items, matching = store.select(conditions, order, window)
        items = [{name: value for name, value in item.items() if name not in listing.details} for item in items]
        items = overrides.items(items, window)
        body = deepcopy(self._envelope)
        if rules.total is not None:
            set_at(body, rules.total, overrides.total(matching, items, window))
        set_at(body, rules.items, items)
        return body

    def _show(self, values: Values, _body: Any) -> Any:
        return self._shown(self._find(values)[1])

    def _create(self, values: Values, body: Any) -> Any:
        """Add a new item: with an identity, the present time, and the first state."""
        listing, store = self._listing, self._store
        rules, operation = listing.rules, listing.operation
        scope = {pointer: values[name] for name, pointer in rules.scope.items() if name in values}
        generator = ItemGenerator(listing, Random(), scope=scope, sparse=True, count=len(store.items()))  # noqa: S311
        item = generator.item()
        while self._exists(item):
            item = generator.item()
        now = datetime.fromtimestamp(self._registry.now(), UTC)
        for name, schema in object_properties(listing.item_schema).items():
            if name in item and is_time(schema):
                item[name] = stamp(now, schema)
        if operation.state_property:
            states = operation.states.items()
            first = [name for name, each in states if each.new] or [name for name, each in states if not each.ended]
            set_at(item, operation.state_property, first[0])
        item = self._merged(item, body, operation.state_property)
        if self._exists(item):
            reason = "conflict" if 409 in self._served.errors else "invalid_parameter"
            raise RefusedError(reason, reason="the item exists")
        store.add(item)
        return self._shown(item)

    def _update(self, values: Values, body: Any) -> Any:
        position, item = self._find(values)
        item = self._merged(item, body, self._listing.rules.identity)
        self._store.replace_at(position, item)
        return self._shown(item)

    def _delete(self, values: Values, _body: Any) -> Any:
        position, item = self._find(values)
        self._store.remove_at(position)
        return self._shown(item)

    def _command(self, values: Values, body: Any) -> Any:
        position, item = self._find(values)
        moves, state_property = self._served.operation.moves, self._listing.operation.state_property
        chosen = values_at(body, moves.property) if moves and moves.property else [""]
        if moves and state_property and chosen and str(chosen[0]) in moves.states:
            set_at(item, state_property, moves.states[str(chosen[0])])
            self._store.replace_at(position, item)
        return self._shown(item)

    def _find(self, values: Values) -> tuple[int, dict[str, Any]]:
        """Return the item that the path names, and its position. Raises RefusedError."""
        rules, operation = self._listing.rules, self._served.operation
        in_path = {name: pointer for name, pointer in rules.scope.items() if name in values}
        scope = self._overrides.scope(rules._replace(scope=in_path), self._listing.columns, values)
        found = self._store.with_identity(values[operation.item_parameter or ""], *scope)
        if found is None:
            raise RefusedError("no_such_item")
        state_property = self._listing.operation.state_property
        states = (
            values_at(found[1], state_property) if operation.allowed_in and state_property else operation.allowed_in
        )
        if operation.allowed_in and not {str(each) for each in states} & set(operation.allowed_in):
            raise RefusedError("conflict")
        return found

    def _exists(self, item: dict[str, Any]) -> bool:
        identity = values_at(item, self._listing.rules.identity) if self._listing.rules.identity else []
        return bool(identity) and self._store.with_identity(identity[0]) is not None

    def _merged(self, item: dict[str, Any], body: Any, keep: str | None) -> dict[str, Any]:
        """Return the item with the properties of a request body, except its scope and what the pointer `keep` names."""
        kept = {split(pointer)[0] for pointer in (*self._listing.rules.scope.values(), keep) if pointer}
        known = {name: schema for name, schema in self._listing.properties.items() if name not in kept}
        return item | {name: value for name, value in body.items() if name in known and accepts(known[name], value)}

    def _shown(self, item: dict[str, Any]) -> Any:
        """Return the body of a success, with the properties of an item in the places that the contract has."""
        schema, body = self._served.body_schema or {}, deepcopy(self._envelope)
        place, properties = body, object_properties(schema)
        identity = (self._listing.rules.identity or "").strip("/")
        for name, each in properties.items():
            if identity not in properties and identity in object_properties(each):
                place, properties = body.setdefault(name, {}), object_properties(each)
                break
        for name in properties:
            if name in item:
                place[name] = item[name]
            elif name in object_properties(self._listing.item_schema) and name not in schema.get("required", []):
                place.pop(name, None)
        return body
