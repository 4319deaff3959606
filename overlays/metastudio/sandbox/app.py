"""The server as an ASGI application: a request comes in, may be delayed or fail on demand, an answer goes out."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from metastudio.sandbox.authentication import Gate
from metastudio.sandbox.docs import Docs
from metastudio.sandbox.faults import REFUSED, SLOW, Chance, broken_answer
from metastudio.sandbox.fixtures import population
from metastudio.sandbox.http import Answer, RefusedError, Request
from metastudio.sandbox.iam import Iam
from metastudio.sandbox.listing import read_contract
from metastudio.sandbox.overrides import PARTS, Parts
from metastudio.sandbox.service import Service
from metastudio.sandbox.settings import Settings
from metastudio.sandbox.store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger("metastudio.sandbox")


class App:
    """The server as an ASGI application. `stores` has the items of each list operation, by operation id."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.gate = Gate(settings.accounts, settings.now)
        self.stores: dict[str, Store] = {}
        self._settings = settings
        self._parts = parts
        self._chance = Chance(settings.faults, settings.seed)
        self._iam = Iam(self.gate, parts)
        self._services: list[Service] = []
        contract = read_contract(settings.spec)
        self._docs = Docs(contract.document)
        projects = [account.project_id for account in settings.accounts]
        for listing in contract.listings:
            store = Store(listing, population(listing, projects, settings.jobs, settings.seed, settings.newer))
            self.stores[listing.operation.id] = store
            self._services.append(Service(listing, store, self.gate, parts))

    def close(self) -> None:
        """Forget the items."""
        for store in self.stores.values():
            store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":  # ASGI servers take an error for "no lifespan, no websockets here"
            raise NotImplementedError(f"the sandbox speaks HTTP, not {scope['type']}")
        request = await _read(scope, receive)
        service = next((each for each in self._services if each.serves(request)), None)
        fault = self._chance.draw() if service else None
        pause = (self._settings.latency if service else 0.0) + (SLOW if fault == "slow" else 0.0)
        if pause and not await self._pause(pause, receive):
            return
        if fault == "reset":
            await _reset(scope, receive)
            return
        answer = self.answer(request, service, fault)
        content = answer.content()
        headers = {"content-length": str(len(content)), **{name.lower(): text for name, text in answer.headers.items()}}
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if fault == "truncated":
            # An answer that does not end makes the server close the connection.
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        else:
            await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})

    def answer(self, request: Request, service: Service | None, fault: str | None = None) -> Answer:
        """Return the answer to a request, complete with the headers that every answer has."""
        request_id = uuid.uuid4().hex
        refusal = service.refusal if service else self._refusal
        try:
            if fault and fault in REFUSED:
                raise RefusedError(REFUSED[fault])
            answer = self._healthy(request, service, fault)
        except RefusedError as refused:
            answer = refusal(refused, request_id)
        except Exception:  # a bug of the sandbox: shown in its log, a 500 of the contract's form to the client
            log.exception("the sandbox failed")
            answer = refusal(RefusedError("failure"), request_id)
        always = {
            "Content-Type": "application/json",
            "Date": formatdate(self._settings.now(), usegmt=True),
            "X-Request-Id": request_id,
        }
        return self._parts.finish(replace(answer, headers={**always, **answer.headers}), request)

    def _healthy(self, request: Request, service: Service | None, fault: str | None) -> Answer:
        broken = broken_answer(fault) if fault else None
        if broken:
            return broken
        if service is None:
            return self._iam.answer(request) if self._iam.serves(request) else self._docs.answer(request)
        answer = service.answer(request)
        return replace(answer, body=answer.content()[:-20]) if fault == "cut" else answer

    def _refusal(self, refused: RefusedError, request_id: str) -> Answer:
        refusal = self._parts.refusals[refused.reason]
        return Answer(refusal.status, refusal.body(request_id, refused.details))

    async def _pause(self, seconds: float, receive: Receive) -> bool:
        """Wait, and return whether the client did so too."""
        asleep, gone = asyncio.ensure_future(self._settings.sleep(seconds)), asyncio.ensure_future(receive())
        _, pending = await asyncio.wait({asleep, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return asleep not in pending


def create_app(settings: Settings | None = None, parts: Parts = PARTS) -> App:
    """Return the server as an ASGI application. Raises ContractError when the contract is wrong."""
    return App(settings or Settings(), parts)


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
