"""The response of one operation: authentication, parameters, body, and what its kind does with the items."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.authentication import AUTHORIZATION, AuthenticatedRequest, authenticate
from metastudio.sandbox.fixtures import ItemGenerator, envelope, stamp
from metastudio.sandbox.gateway import SERVICE_REASONS
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import PROJECT, Listing, ServedOperation, is_time, object_properties, set_at, values_at
from metastudio.sandbox.overrides import Overrides
from metastudio.sandbox.parameters import accepts, invalid_keyword
from metastudio.sandbox.query import StoreQuery
from metastudio.sandbox.store import Store

Values = Mapping[str, Any]


class OperationService:
    """Serves an operation. Every decision about its parameters is a function of `overrides`.

    Args:
        served: The operation.
        listing: The list that it belongs to; None for other operations.
        store: The items of that list.
        registry: The known accounts.
        overrides: The functions that decide.
    """

    def __init__(
        self,
        served: ServedOperation,
        listing: Listing | None,
        store: Store | None,
        registry: AccountRegistry,
        overrides: Overrides,
    ) -> None:
        self.served = served
        self._registry = registry
        self._overrides = overrides
        self._envelope = envelope(served)
        self._respond: Callable[[Values, Any], SandboxResponse] = lambda _values, _body: self._success(None)
        if listing is not None and store is not None:
            self._items = StoredItems(listing, store, registry, overrides)
            self._respond = getattr(self, f"_{served.operation.kind}")

    def respond(self, request: SandboxRequest, in_path: Mapping[str, str]) -> SandboxResponse:
        """Return the response of a success. Raises RefusedError."""
        self._authorise(request, in_path.get(PROJECT))
        values = self._values(request, in_path)
        return self._respond(values, self._body(request))

    def refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        """Return the error response, with the contract's example as its body where there is one."""
        refusal = self._overrides.refusals[refused.reason]
        body, headers = refusal.body(request_id, refused.details), dict[str, str]()
        if refused.reason in SERVICE_REASONS:
            body = self.served.errors.get(refusal.status) or body
        if refused.reason == "invalid_parameter":
            headers["X-Sandbox-Reason"] = ascii(refused.details.get("reason", ""))[1:-1]
        if refused.reason == "too_many_requests":
            headers["Retry-After"] = "1"
        return SandboxResponse(refusal.status, body, headers)

    def _list(self, values: Values, _body: Any) -> SandboxResponse:
        rules, overrides = self._items.listing.rules, self._overrides
        query = self._items.query(values)
        found, matching = self._items.store.select(query)
        for name in self._items.listing.details:
            for item in found:
                item.pop(name, None)
        found = overrides.items(found, query.window)
        body = deepcopy(self._envelope)
        if rules.total is not None:
            set_at(body, rules.total, overrides.total(matching, found, query.window))
        set_at(body, rules.items, found)
        return SandboxResponse(self.served.status, body)

    def _show(self, values: Values, _body: Any) -> SandboxResponse:
        return self._success(self._items.find(self.served, values)[1])

    def _create(self, values: Values, body: Any) -> SandboxResponse:
        item = self._items.new(values, body)
        if item is None:
            raise self._conflict("the item exists")
        return self._success(item)

    def _update(self, values: Values, body: Any) -> SandboxResponse:
        position, item = self._items.find(self.served, values)
        self._require_allowed(item)
        keep = (self._items.listing.rules.identity or "", *self._items.scope)
        item = self._items.merged(item, body, keep=keep)
        self._items.store.replace_at(position, item)
        return self._success(item)

    def _delete(self, values: Values, _body: Any) -> SandboxResponse:
        position, item = self._items.find(self.served, values)
        self._require_allowed(item)
        self._items.store.remove_at(position)
        return self._success(item)

    def _command(self, values: Values, body: Any) -> SandboxResponse:
        position, item = self._items.find(self.served, values)
        self._require_allowed(item)
        moves, state_property = self.served.operation.moves, self._items.listing.operation.state_property
        if moves and state_property:
            chosen = values_at(body, moves.property) if moves.property else [""]
            state = moves.states.get(str(chosen[0])) if chosen else None
            if state is not None:
                set_at(item, state_property, state)
                self._items.store.replace_at(position, item)
        return self._success(item)

    def _success(self, item: dict[str, Any] | None) -> SandboxResponse:
        """Return the response of a success, with the properties of an item in the places that the contract has."""
        schema = self.served.body_schema
        if schema is None:
            return SandboxResponse(self.served.status, b"")
        body = deepcopy(self._envelope)
        if item is not None:
            place, properties = self._place(body, object_properties(schema))
            for name in properties:
                if name in item:
                    place[name] = item[name]
                elif name in object_properties(self._items.listing.item_schema) and name not in schema.get(
                    "required", []
                ):
                    place.pop(name, None)
        return SandboxResponse(self.served.status, body)

    def _place(self, body: Any, properties: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the object of a response that has the item's identity, one level down at most, and its properties."""
        identity = (self._items.listing.rules.identity or "").strip("/")
        for name, schema in properties.items():
            inner = object_properties(schema)
            if identity not in properties and identity in inner:
                return body.setdefault(name, {}), inner
        return body, properties

    def _require_allowed(self, item: dict[str, Any]) -> None:
        """Refuse an operation that the contract does not allow in the item's state."""
        allowed, pointer = self.served.operation.allowed_in, self._items.listing.operation.state_property
        if allowed and pointer and not set(allowed) & {str(each) for each in values_at(item, pointer)}:
            raise RefusedError("conflict")

    def _conflict(self, reason: str) -> RefusedError:
        return RefusedError("conflict" if 409 in self.served.errors else "invalid_parameter", reason=reason)

    def _authorise(self, request: SandboxRequest, project: str | None) -> None:
        """Authenticate the request and check its project, unless the operation needs no authentication."""
        security = self.served.security
        if not security or not all(security):
            return
        account = authenticate(request, security, self._registry, self._overrides)
        signed = bool(request.header(AUTHORIZATION))
        for rule in self._overrides.project_rules:
            rule(AuthenticatedRequest(request, account, project, signed=signed))

    def _values(self, request: SandboxRequest, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the given parameters, converted and checked."""
        overrides, in_query = self._overrides, dict[str, list[str]]()
        for name, text in overrides.split_query(request.query):
            in_query.setdefault(name, []).append(text)
        values: dict[str, Any] = {}
        for parameter in self.served.operation.parameters.values():
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
        overrides.check_all(self.served, values, list(in_query))
        return values

    def _value(self, parameter: Parameter, texts: list[str]) -> Any:
        chosen = self._overrides.choose(parameter, texts)
        if isinstance(chosen, list):
            value: Any = [self._overrides.convert(parameter.schema.get("items", {}), text) for text in chosen]
        else:
            value = self._overrides.convert(parameter.schema, chosen)
        self._overrides.check(parameter, value)
        return value

    def _body(self, request: SandboxRequest) -> Any:
        """Return the JSON body, checked against the contract; {} if there is none and none is required."""
        declared = self.served.operation.body
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


class StoredItems:
    """The items of a list, as its operations find and change them."""

    def __init__(self, listing: Listing, store: Store, registry: AccountRegistry, overrides: Overrides) -> None:
        self.listing = listing
        self.store = store
        self.scope = tuple(listing.rules.scope.values())
        self._registry = registry
        self._overrides = overrides

    def query(self, values: Values) -> StoreQuery:
        """Return the query of a list request."""
        overrides, rules, columns = self._overrides, self.listing.rules, self.listing.columns
        conditions = overrides.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                value = values[name] if isinstance(values[name], list) else [values[name]]
                condition = overrides.condition(rule, columns[rule.property] if rule.property else None, value)
                conditions += [condition] if condition else []
        key = values.get(rules.order.parameter) if rules.order else None
        direction = values.get(rules.order.direction) if rules.order and rules.order.direction else None
        order = overrides.order(rules.order, columns, columns.get(rules.identity or ""), key, direction)
        window = overrides.window(values.get(rules.offset), values.get(rules.limit), self.listing)
        return StoreQuery(tuple(conditions), order, window)

    def find(self, served: ServedOperation, values: Values) -> tuple[int, dict[str, Any]]:
        """Return the position of the item that the path names, and the item. Raises RefusedError if there is none."""
        rules = self.listing.rules
        identity = self.store.identity_is(values[served.operation.item_parameter or ""])
        in_path = {name: pointer for name, pointer in rules.scope.items() if name in values}
        scope = self._overrides.scope(rules._replace(scope=in_path), self.listing.columns, values)
        found = self.store.find([*scope, identity])
        if found is None:
            raise RefusedError("no_such_item")
        return found

    def new(self, values: Values, body: Any) -> dict[str, Any] | None:
        """Add a new item and return it: with an identity, the present time, and the first state. None if it exists."""
        rules, operation = self.listing.rules, self.listing.operation
        scope = {pointer: values[name] for name, pointer in rules.scope.items() if name in values}
        count = len(self.store.items())
        generator = ItemGenerator(self.listing, Random(), scope=scope, sparse=True, count=count)  # noqa: S311
        item = generator.item()
        while self._exists(item):
            item = generator.item()
        now = datetime.fromtimestamp(self._registry.now(), UTC)
        for name, schema in object_properties(self.listing.item_schema).items():
            if name in item and is_time(schema):
                item[name] = stamp(now, schema)
        if operation.state_property:
            states = operation.states.items()
            first = [name for name, each in states if each.new] or [name for name, each in states if not each.ended]
            set_at(item, operation.state_property, first[0])
        item = self.merged(item, body, keep=(operation.state_property or "", *self.scope))
        if self._exists(item):
            return None
        self.store.add(item)
        return item

    def merged(self, item: dict[str, Any], body: Any, *, keep: tuple[str, ...]) -> dict[str, Any]:
        """Return the item with the properties of a request body, but for those at the pointers to keep."""
        known = self.listing.properties
        kept = {pointer.split("/")[1] for pointer in keep if pointer}
        changes = {
            name: value for name, value in body.items() if name in known.keys() - kept and accepts(known[name], value)
        }
        return {**item, **changes}

    def _exists(self, item: dict[str, Any]) -> bool:
        identity = values_at(item, self.listing.rules.identity) if self.listing.rules.identity else []
        return bool(identity) and self.store.find([self.store.identity_is(identity[0])]) is not None
