"""The response of one operation: authentication, parameters, body, and what its kind does with the items."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

from metastudio.contract.json_pointer import set_at, split, values_at
from metastudio.sandbox.authentication import PROJECT_RULES, AccountRegistry, apply_rules, authenticate
from metastudio.sandbox.fixtures import ItemGenerator, stamp
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import PROJECT, ServedOperation, is_time, object_properties
from metastudio.sandbox.overrides import Overrides
from metastudio.sandbox.parameters import invalid_keyword
from metastudio.sandbox.store import Store, equal

Values = Mapping[str, Any]
Item = dict[str, Any]


class OperationService:
    """Serves an operation of the contract. Every decision about its parameters is a function of `overrides`.

    Args:
        served: The operation.
        store: The items of the list that it belongs to, None if it belongs to none.
        registry: The known accounts.
        overrides: The functions that decide.
    """

    def __init__(
        self, served: ServedOperation, store: Store | None, registry: AccountRegistry, overrides: Overrides
    ) -> None:
        self._served, self._registry, self._overrides = served, registry, overrides
        self._envelope = deepcopy(served.example)
        if served.example is None and served.body_schema is not None:
            self._envelope = ItemGenerator(None, Random(0)).value(served.body_schema)  # noqa: S311 - not for secrets
        self._handle: Callable[[Values, Any], Any] = lambda _values, _body: deepcopy(self._envelope)
        if store is None:
            return
        self._store, self._listing, self._rules = store, store.listing, store.listing.rules
        self._state = self._listing.operation.state_property
        handlers = {
            "list": self._list,
            "show": self._show,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
            "command": self._command,
        }
        self._handle = handlers[served.operation.kind]
        self._place, self._properties = "", object_properties(served.body_schema or {})
        identity = (self._rules.identity or "").strip("/")
        if identity not in self._properties:
            inner = {name: object_properties(each) for name, each in self._properties.items()}
            self._place = next((name for name, each in inner.items() if identity in each), "")
            self._properties = inner.get(self._place, self._properties)

    def respond(self, request: SandboxRequest, in_path: Mapping[str, str]) -> SandboxResponse:
        """Return the response of a success. Raises RefusedError."""
        security = self._served.security
        if security and all(security):
            attempt = authenticate(request, security, self._registry, self._overrides, in_path.get(PROJECT))
            apply_rules(PROJECT_RULES, attempt, self._overrides)
        values = self._values(request, in_path)
        body = self._handle(values, self._body(request))
        return SandboxResponse(self._served.status, b"" if self._served.body_schema is None else body)

    def _values(self, request: SandboxRequest, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the given parameters, converted and checked."""
        overrides, in_query = self._overrides, dict[str, list[str]]()
        for name, text in overrides.split_query(request.query):
            in_query.setdefault(name, []).append(text)
        values: dict[str, Any] = {}
        for name, parameter in self._served.operation.parameters.items():
            if parameter.location == "header":
                texts = request.header(name)
            else:
                texts = [in_path[name]] if parameter.location == "path" else in_query.pop(name, [])
            if texts:
                chosen = overrides.choose(parameter, texts)
                if isinstance(chosen, list):
                    values[name] = [overrides.convert(parameter.schema.get("items", {}), text) for text in chosen]
                else:
                    values[name] = overrides.convert(parameter.schema, chosen)
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

    def _list(self, values: Values, _body: Any) -> Any:
        listing, rules, overrides = self._listing, self._rules, self._overrides
        columns, order = listing.columns, rules.order
        conditions = overrides.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                given = values[name] if isinstance(values[name], list) else [values[name]]
                found = overrides.condition(rule, columns[rule.property] if rule.property else None, given)
                conditions += [found] if found else []
        key, direction = (values.get(order.parameter), values.get(order.direction or "")) if order else (None, None)
        order_by = overrides.order(order, columns, columns.get(rules.identity or ""), key, direction)
        window = overrides.window(values.get(rules.offset), values.get(rules.limit), listing)
        items, matching = self._store.select(conditions, order_by, window)
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
        listing, store, states = self._listing, self._store, self._listing.operation.states.items()
        scope = {pointer: values[name] for name, pointer in self._rules.scope.items() if name in values}
        generator = ItemGenerator(listing, Random(), scope=scope, sparse=True, count=len(store.items()))  # noqa: S311
        item = generator.item()
        while self._exists(item):
            item = generator.item()
        now = datetime.fromtimestamp(self._registry.now(), UTC)
        item |= {name: stamp(now, each) for name, each in listing.listed.items() if name in item and is_time(each)}
        if self._state:
            first = [name for name, each in states if each.new] or [name for name, each in states if not each.ended]
            set_at(item, self._state, first[0])
        item = self._merged(item, body, self._state)
        if self._exists(item):
            reason = "conflict" if 409 in self._served.errors else "invalid_parameter"
            raise RefusedError(reason, reason="the item exists")
        store.add(item)
        return self._shown(item)

    def _update(self, values: Values, body: Any) -> Any:
        position, item = self._find(values)
        item = self._merged(item, body, self._rules.identity)
        self._store.put(position, item)
        return self._shown(item)

    def _delete(self, values: Values, _body: Any) -> Any:
        position, item = self._find(values)
        self._store.put(position, None)
        return self._shown(item)

    def _command(self, values: Values, body: Any) -> Any:
        position, item = self._find(values)
        moves = self._served.operation.moves
        chosen = values_at(body, moves.property) if moves and moves.property else [""]
        if moves and self._state and chosen and str(chosen[0]) in moves.states:
            set_at(item, self._state, moves.states[str(chosen[0])])
            self._store.put(position, item)
        return self._shown(item)

    def _find(self, values: Values) -> tuple[int, Item]:
        """Return the item that the path names, and its position. Raises RefusedError."""
        operation = self._served.operation
        in_path = {name: pointer for name, pointer in self._rules.scope.items() if name in values}
        scope = self._overrides.scope(self._rules._replace(scope=in_path), self._listing.columns, values)
        try:
            position, item = self._store.find(values[operation.item_parameter or ""], *scope)
        except KeyError:
            raise RefusedError("no_such_item") from None
        states = {str(each) for each in values_at(item, self._state)} if self._state else set(operation.allowed_in)
        if operation.allowed_in and not states & set(operation.allowed_in):
            raise RefusedError("conflict")
        return position, item

    def _exists(self, item: Item) -> bool:
        pointer, store = self._rules.identity or "", self._store
        identities = values_at(item, pointer) if pointer else []
        return any(store.positions(equal(self._listing.columns[pointer], each)) for each in identities)

    def _merged(self, item: Item, body: Item, keep: str | None) -> Item:
        """Return the item with the properties of a request body, except its scope and what the pointer `keep` names."""
        kept = {split(pointer)[0] for pointer in (*self._rules.scope.values(), keep) if pointer}
        known = self._listing.details | self._listing.listed
        given = {
            name: value for name, value in body.items() if name in known and not invalid_keyword(known[name], value)
        }
        return item | {name: value for name, value in given.items() if name not in kept}

    def _shown(self, item: Item) -> Any:
        """Return the body of a success, with the properties of an item in the places that the contract has."""
        body, required = deepcopy(self._envelope), (self._served.body_schema or {}).get("required", [])
        place = body.setdefault(self._place, {}) if self._place else body
        for name in self._properties:
            if name in item:
                place[name] = item[name]
            elif name in self._listing.listed and name not in required:
                place.pop(name, None)
        return body
