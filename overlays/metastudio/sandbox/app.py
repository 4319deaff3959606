"""The server as an ASGI application: a request comes in, the parts are asked in turn, an answer goes out."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from copy import deepcopy
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from typing import Any

from metastudio.operations import Operation
from metastudio.sandbox import signature
from metastudio.sandbox.authentication import Attempt, Gate, Visit
from metastudio.sandbox.faults import REFUSED, SLOW, Chance, broken_answer
from metastudio.sandbox.listing import Listing, put, read_contract
from metastudio.sandbox.messages import Answer, RefusedError, Request
from metastudio.sandbox.parameters import decode
from metastudio.sandbox.parts import PARTS, Parts
from metastudio.sandbox.population import frame, population
from metastudio.sandbox.query import Selection
from metastudio.sandbox.settings import Account, Settings
from metastudio.sandbox.store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger("metastudio.sandbox")


@dataclass(frozen=True)
class _Route:
    listing: Listing
    pattern: re.Pattern[bytes]
    store: Store
    frame: dict[str, Any]


class App:
    """The server as an ASGI application. `stores` has the items of each list operation, by operation id."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.gate = Gate(settings.accounts, settings.now)
        self._parts = parts
        self._chance = Chance(settings.faults, settings.seed)
        projects = [account.project_id for account in settings.accounts]
        self._routes = [
            _Route(
                listing,
                _pattern(listing.operation),
                Store(listing, population(listing, projects, settings.jobs, settings.seed, settings.newer)),
                frame(listing),
            )
            for listing in read_contract(settings.spec).listings
        ]
        self.stores = {route.listing.operation.id: route.store for route in self._routes}

    def close(self) -> None:
        """Forget the items."""
        for store in self.stores.values():
            store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the sandbox speaks HTTP, not {scope['type']}")
        request = await _read(scope, receive)
        route, path = self._route(request)
        fault = self._chance.draw() if route else None
        pause = (self.settings.latency if route else 0.0) + (SLOW if fault == "slow" else 0.0)
        if pause and not await self._pause(pause, receive):
            return
        if fault == "reset":
            await _reset(scope, receive)
            return
        answer = self._finish(self._answer(request, route, path, fault), request)
        content = answer.content()
        headers = {"content-length": str(len(content)), **{name.lower(): text for name, text in answer.headers.items()}}
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if fault == "truncated":
            # An answer that does not end makes the server close the connection.
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        else:
            await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})

    def _route(self, request: Request) -> tuple[_Route | None, tuple[bytes, ...]]:
        for route in self._routes:
            found = route.pattern.fullmatch(request.path)
            if found:
                return route, found.groups()
        return None, ()

    async def _pause(self, seconds: float, receive: Receive) -> bool:
        """Wait, and return whether the client did so too."""
        asleep, gone = asyncio.ensure_future(self.settings.sleep(seconds)), asyncio.ensure_future(receive())
        done, pending = await asyncio.wait({asleep, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return asleep in done

    def _answer(self, request: Request, route: _Route | None, path: tuple[bytes, ...], fault: str | None) -> Answer:
        request_id = uuid.uuid4().hex
        listing = route.listing if route else None
        try:
            if fault and fault in REFUSED:
                raise RefusedError(REFUSED[fault])
            answer = (fault and broken_answer(fault)) or self._list(request, route, path)
            if fault == "cut":
                answer = replace(answer, body=answer.content()[:-20])
        except RefusedError as refused:
            answer = self._refusal(refused, listing, request_id)
        except Exception:
            log.exception("the sandbox failed")
            answer = self._refusal(RefusedError("failure"), listing, request_id)
        return replace(answer, headers={"X-Request-Id": request_id, **answer.headers})

    def _list(self, request: Request, route: _Route | None, path: tuple[bytes, ...]) -> Answer:
        """Answer a list operation, or refuse."""
        if route is None:
            raise RefusedError("unknown_path")
        listing, parts = route.listing, self._parts
        if request.method not in parts.methods(listing.operation):
            raise RefusedError("method_not_allowed", method=request.method)
        names = re.findall(r"\{([^/]+?)\}", listing.operation.path)
        in_path = {name: decode(value) for name, value in zip(names, path, strict=True)}
        self._authorise(request, listing, in_path.get("project_id"))
        values = self._values(request, listing, in_path)
        selection = self._selection(listing, values)
        found, matching = route.store.select(selection)
        items = parts.items(found, selection.window)
        body = deepcopy(route.frame)
        if listing.rules.total is not None:
            put(body, listing.rules.total, parts.total(matching, items, selection.window))
        put(body, listing.rules.items, items)
        return Answer(listing.status, body)

    def _authorise(self, request: Request, listing: Listing, project: str | None) -> None:
        """Refuse whoever is not known or not allowed."""
        if not all(listing.ways):
            return
        account = self.caller(request, listing.ways)
        for rule in self._parts.project_rules:
            rule(Visit(request, account, project, signed=bool(request.header("authorization"))))

    def caller(self, request: Request, ways: Iterable[frozenset[str]]) -> Account:
        """Return who sent a request, by the way in that its headers choose. Raises RefusedError."""
        for way in sorted(ways, key=lambda way: "authorization" not in way):
            leading = "authorization" if "authorization" in way else "x-auth-token"
            if leading in way and request.header(leading):
                for name in sorted(way):
                    if not request.header(name):
                        raise RefusedError("missing_header", header=name)
                return self._by_signature(request) if leading == "authorization" else self._by_token(request)
        raise RefusedError("no_credentials")

    def _by_signature(self, request: Request) -> Account:
        headers, parts = request.header("authorization"), self._parts
        claim = parts.read_authorization(headers[0]) if len(headers) == 1 else None
        if claim is None:
            raise RefusedError("malformed_authorization")
        is_right = partial(signature.is_right, canonical=parts.canonical_request)
        attempt = Attempt(request, claim, self.gate, is_right)
        for rule in parts.key_rules:
            rule(attempt)
        try:
            for rule in parts.signature_rules:
                rule(attempt)
        except RefusedError:
            self.gate.note(claim.access_key, success=False)
            raise
        self.gate.note(claim.access_key, success=True)
        return attempt.account

    def _by_token(self, request: Request) -> Account:
        for rule in self._parts.token_rules:
            rule(request, self.gate)
        known = self.gate.tokens.get(request.header("x-auth-token")[0])
        return known[0] if known else self.settings.accounts[0]

    def _values(self, request: Request, listing: Listing, in_path: dict[str, str]) -> dict[str, Any]:
        """Return the parameters that were given, converted and checked."""
        parts, given = self._parts, dict[tuple[str, str], list[str]]()
        for name, text in in_path.items():
            given["path", name] = [text]
        for name, text in parts.split_query(request.query):
            given.setdefault(("query", name), []).append(text)
        values: dict[str, Any] = {}
        for parameter in listing.operation.parameters.values():
            key = (parameter.location, parameter.name)
            texts = request.header(parameter.name) if parameter.location == "header" else given.pop(key, [])
            if not texts:
                if parameter.required:
                    raise RefusedError("invalid_parameter", reason=f"{parameter.name} (required)")
                continue
            chosen = parts.choose(parameter, texts)
            if isinstance(chosen, list):
                value: Any = [parts.convert(parameter.schema.get("items", {}), text) for text in chosen]
            else:
                value = parts.convert(parameter.schema, chosen)
            parts.check(parameter, value)
            values[parameter.name] = value
        parts.check_all(listing, values, [name for _, name in given])
        return values

    def _selection(self, listing: Listing, values: dict[str, Any]) -> Selection:
        """Return what the parameters ask of the store."""
        parts, rules, columns = self._parts, listing.rules, listing.columns
        conditions = parts.scope(rules, columns, values)
        for name, rule in rules.filters.items():
            if name in values:
                value = values[name] if isinstance(values[name], list) else [values[name]]
                found = parts.condition(rule, columns[rule.property] if rule.property else None, value)
                conditions += [found] if found else []
        key = values.get(rules.order.parameter) if rules.order else None
        direction = values.get(rules.order.direction) if rules.order and rules.order.direction else None
        order = parts.order(rules.order, columns, columns[rules.identity], key, direction)
        window = parts.window(values.get(rules.offset), values.get(rules.limit), listing)
        return Selection(tuple(conditions), order, window)

    def _refusal(self, refused: RefusedError, listing: Listing | None, request_id: str) -> Answer:
        """Return the answer that refuses: in the contract's own words where it has some."""
        headers = dict[str, str]()
        refusal, example = self._parts.refusals[refused.reason], None
        if refused.reason in ("invalid_parameter", "failure") and listing:
            example = listing.errors.get(refusal.status)
        if refused.reason == "invalid_parameter":
            headers["X-Sandbox-Reason"] = ascii(refused.details.get("reason", ""))[1:-1]
        if refused.reason == "method_not_allowed" and listing:
            headers["Allow"] = ", ".join(self._parts.methods(listing.operation))
        if refused.reason == "too_many_requests":
            headers["Retry-After"] = "1"
        body = example if example is not None else refusal.body(request_id, refused.details)
        return Answer(refusal.status, body, headers)

    def _finish(self, answer: Answer, request: Request) -> Answer:
        date = formatdate(self.settings.now(), usegmt=True)
        return self._parts.finish(
            replace(answer, headers={"Content-Type": "application/json", "Date": date, **answer.headers}), request
        )


def create_app(settings: Settings | None = None, parts: Parts = PARTS) -> App:
    """Return the server as an ASGI application. Raises ContractError when the contract is wrong."""
    return App(settings or Settings(), parts)


def _pattern(operation: Operation) -> re.Pattern[bytes]:
    return re.compile(re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", re.escape(operation.path)).encode())


async def _read(scope: Scope, receive: Receive) -> Request:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope.get("raw_path") or scope["path"].encode()
    return Request(scope["method"], path, scope["query_string"], tuple(scope["headers"]), body)


async def _reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection under the server, where there is one."""
    abort = scope.get("state", {}).get("reset")
    if abort is None:
        raise ConnectionResetError("the sandbox was told to fail: --fault reset")
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass
