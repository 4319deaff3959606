"""The server as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.docs import ApiDocs
from metastudio.sandbox.faults import FAULT_REASONS, SLOW_SECONDS, FaultInjector, faulty_response
from metastudio.sandbox.fixtures import generate_items
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.iam import IamService
from metastudio.sandbox.list_service import ListService
from metastudio.sandbox.listing import read_contract
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.settings import SandboxSettings
from metastudio.sandbox.store import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MAX_BODY_BYTES = 1024 * 1024
"""Maximum size of a request body."""
log = logging.getLogger("metastudio.sandbox")


class SandboxApp:
    """The sandbox as an ASGI application. `stores` has the items of each list operation, by operation ID."""

    def __init__(self, settings: SandboxSettings, overrides: Overrides) -> None:
        self.registry = AccountRegistry(settings.accounts, settings.now)
        self.stores: dict[str, Store] = {}
        self._settings = settings
        self._overrides = overrides
        self._faults = FaultInjector(settings.faults, settings.seed)
        self._iam = IamService(self.registry, overrides)
        self._services: list[ListService] = []
        contract = read_contract(settings.spec)
        self._docs = ApiDocs(contract.document)
        projects = [account.project_id for account in settings.accounts]
        for listing in contract.listings:
            store = Store(listing, generate_items(listing, projects, settings.jobs, settings.seed, settings.newer))
            self.stores[listing.operation.id] = store
            self._services.append(ListService(listing, store, self.registry, overrides))

    def close(self) -> None:
        """Close the stores."""
        for store in self.stores.values():
            store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":  # an error tells an ASGI server that lifespan and websockets are not supported
            raise NotImplementedError(f"the sandbox speaks HTTP, not {scope['type']}")
        request = await _read_request(scope, receive)
        service = next((each for each in self._services if each.matches(request)), None)
        fault = self._faults.draw() if service else None
        delay = (self._settings.latency if service else 0.0) + (SLOW_SECONDS if fault == "slow" else 0.0)
        if delay and not await self._wait(delay, receive):
            return
        if fault == "reset":
            await _reset_connection(scope, receive)
            return
        response = self.respond(request, service, fault)
        content = response.content()
        headers = {"content-length": str(len(content))}
        headers |= {name.lower(): text for name, text in response.headers.items()}
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        if fault == "truncated":
            # The server closes the connection because the response is incomplete.
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        else:
            await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})

    def respond(
        self, request: SandboxRequest, service: ListService | None, fault: str | None = None
    ) -> SandboxResponse:
        """Return the response to a request, with the headers that every response has."""
        request_id = uuid.uuid4().hex
        refuse = service.refuse if service else self._refuse
        try:
            if fault and fault in FAULT_REASONS:
                raise RefusedError(FAULT_REASONS[fault])
            response = self._dispatch(request, service, fault)
        except RefusedError as refused:
            response = refuse(refused, request_id)
        except Exception:  # a bug of the sandbox: logged here, and the contract's 500 for the client
            log.exception("the sandbox failed")
            response = refuse(RefusedError("failure"), request_id)
        common = {
            "Content-Type": "application/json",
            "Date": formatdate(self._settings.now(), usegmt=True),
            "X-Request-Id": request_id,
        }
        return self._overrides.finish(replace(response, headers={**common, **response.headers}), request)

    def _dispatch(self, request: SandboxRequest, service: ListService | None, fault: str | None) -> SandboxResponse:
        if len(request.body) > MAX_BODY_BYTES:
            raise RefusedError("too_large")
        replacement = faulty_response(fault) if fault else None
        if replacement:
            return replacement
        if service is None:
            return self._iam.respond(request) if self._iam.matches(request) else self._docs.respond(request)
        response = service.respond(request)
        return replace(response, body=response.content()[:-20]) if fault == "cut" else response

    def _refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        refusal = self._overrides.refusals[refused.reason]
        return SandboxResponse(refusal.status, refusal.body(request_id, refused.details))

    async def _wait(self, seconds: float, receive: Receive) -> bool:
        """Sleep, and return whether the client is still connected."""
        asleep, gone = asyncio.ensure_future(self._settings.sleep(seconds)), asyncio.ensure_future(receive())
        _, pending = await asyncio.wait({asleep, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return asleep not in pending


def create_app(settings: SandboxSettings | None = None, overrides: Overrides = CONFORMING) -> SandboxApp:
    """Return the sandbox as an ASGI application.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        overrides: Functions that replace those of the conforming server.

    Raises:
        ContractError: The contract cannot be read or is invalid.
    """
    return SandboxApp(settings or SandboxSettings(), overrides)


async def _read_request(scope: Scope, receive: Receive) -> SandboxRequest:
    """Read the request. A body above the maximum size is not read to its end."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope.get("raw_path") or scope["path"].encode()
    return SandboxRequest(scope["method"], path, scope["query_string"], tuple(scope["headers"]), bytes(body))


async def _reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the TCP connection if the app runs in our server."""
    reset = scope.get("state", {}).get("reset")
    if reset is None:
        raise ConnectionResetError("injected fault: reset")
    reset()
    while (await receive())["type"] != "http.disconnect":
        pass
