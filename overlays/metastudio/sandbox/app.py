"""The server as a Starlette application."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from itertools import count
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.docs import docs_routes
from metastudio.sandbox.faults import FAULT_REASONS, FaultInjector, FaultMiddleware, faulty_response
from metastudio.sandbox.fixtures import generate_items, recent
from metastudio.sandbox.http import MAX_BODY_BYTES, RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.iam import IamService
from metastudio.sandbox.listing import Listing, read_contract
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.progress import advance
from metastudio.sandbox.service import OperationService
from metastudio.sandbox.settings import SandboxSettings
from metastudio.sandbox.store import Store

Respond = Callable[[SandboxRequest, Mapping[str, str]], SandboxResponse]
Refuse = Callable[[RefusedError, str], SandboxResponse]
log = logging.getLogger("metastudio.sandbox")


class SandboxApp(Starlette):
    """The sandbox as an ASGI application. `stores` has the items of each list operation, by operation ID."""

    def __init__(self, settings: SandboxSettings, overrides: Overrides) -> None:
        self.registry = AccountRegistry(settings.accounts, settings.now)
        self._settings = settings
        self._overrides = overrides
        contract = read_contract(settings.spec)
        self._listings = {each.operation.id: each for each in contract.listings}
        self.stores = {each.operation.id: self._store(each) for each in contract.listings}
        services: dict[str, list[OperationService]] = {}
        for served in contract.operations:
            list_id = served.operation.list_id or served.operation.id
            listing, store = self._listings.get(list_id), self.stores.get(list_id)
            service = OperationService(served, listing, store, self.registry, overrides)
            services.setdefault(served.operation.path, []).append(service)
        iam = IamService(self.registry, overrides)
        super().__init__(
            routes=[
                *self._contract_routes(services),
                self._route("/v3/auth/tokens", lambda request, _: iam.token(request), methods=["POST"]),
                self._route("/v3/projects", lambda request, _: iam.projects(request), methods=["GET"]),
                *docs_routes(contract.document, settings.accounts[0].token),
            ],
            middleware=[Middleware(RequestMiddleware)],
            exception_handlers={HTTPException: self._unrouted},
            lifespan=_lifespan,
        )
        self.router.redirect_slashes = False

    def close(self) -> None:
        """Close the stores."""
        for store in self.stores.values():
            store.close()

    async def advance(self) -> None:
        """Move tasks through their states, one step at a time, until cancelled."""
        random = Random(self._settings.seed)  # noqa: S311 - not used for secrets
        while self._settings.progress is not None:
            await asyncio.sleep(self._settings.progress)
            for listing in self._listings.values():
                advance(listing, self.stores[listing.operation.id], random)

    def _store(self, listing: Listing) -> Store:
        settings = self._settings

        def items() -> list[dict[str, Any]]:
            projects = [account.project_id for account in settings.accounts]
            generated = list(generate_items(listing, projects, settings.jobs, settings.seed, settings.newer))
            return recent(generated, listing, settings.now()) if settings.recent else generated

        return Store(listing, items, settings.data)

    def _contract_routes(self, services: Mapping[str, Sequence[OperationService]]) -> list[BaseRoute]:
        """Return one route for each path. Paths without parameters come first, as OpenAPI has it."""
        faults = Middleware(
            FaultMiddleware,
            injector=FaultInjector(self._settings.faults, self._settings.seed),
            latency=self._settings.latency,
            sleep=self._settings.sleep,
        )
        return [
            self._contract_route(path, services[path], faults)
            for path in sorted(services, key=lambda path: "{" in path)
        ]

    def _contract_route(self, path: str, services: Sequence[OperationService], faults: Middleware) -> Route:
        names, numbers = re.findall(r"\{([^/]+?)\}", path), count()
        by_method = {method: each for each in services for method in self._overrides.methods(each.served.operation)}

        def service(request: SandboxRequest) -> OperationService:
            return by_method.get(request.method, services[0])

        def respond(request: SandboxRequest, in_path: Mapping[str, str]) -> SandboxResponse:
            if request.method not in by_method:
                raise RefusedError("method_not_allowed", method=request.method, allowed=", ".join(by_method))
            return service(request).respond(request, dict(zip(names, in_path.values(), strict=True)))

        # Starlette allows fewer characters in the name of a parameter than OpenAPI.
        numbered = re.sub(r"\{[^/]+?\}", lambda _: f"{{p{next(numbers)}}}", path)
        return self._route(numbered, respond, lambda request: service(request).refuse, middleware=[faults])

    def _route(
        self,
        path: str,
        respond: Respond,
        refuse: Callable[[SandboxRequest], Refuse] | None = None,
        **options: Any,
    ) -> Route:
        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            state = scope["state"]
            response = self._respond(
                state["received"],
                state["request_id"],
                lambda: respond(state["received"], scope["path_params"]),
                refuse(state["received"]) if refuse else self._refuse,
                state.get("fault"),
            )
            await response(scope, receive, send)

        return Route(path, AnyMethod(endpoint), **options)

    def _respond(
        self,
        request: SandboxRequest,
        request_id: str,
        respond: Callable[[], SandboxResponse],
        refuse: Refuse,
        fault: str | None = None,
    ) -> Response:
        """Return a response with the headers that every one has."""
        try:
            if fault is not None and fault in FAULT_REASONS:
                raise RefusedError(FAULT_REASONS[fault])
            if len(request.body) > MAX_BODY_BYTES:
                raise RefusedError("too_large")
            response = (faulty_response(fault) if fault else None) or respond()
            if fault == "cut":
                response = replace(response, body=response.content()[:-20])
        except RefusedError as refused:
            response = refuse(refused, request_id)
            if allowed := refused.details.get("allowed"):
                response = replace(response, headers={**response.headers, "Allow": allowed})
        except Exception:  # a bug of the sandbox: logged here, and the contract's 500 for the client
            log.exception("the sandbox failed")
            response = refuse(RefusedError("failure"), request_id)
        common = {
            "Content-Type": "application/json",
            "Date": formatdate(self._settings.now(), usegmt=True),
            "X-Request-Id": request_id,
        }
        response = self._overrides.finish(replace(response, headers={**common, **response.headers}), request)
        return response.to_starlette(head=request.method == "HEAD")

    def _refuse(self, refused: RefusedError, request_id: str) -> SandboxResponse:
        refusal = self._overrides.refusals[refused.reason]
        return SandboxResponse(refusal.status, refusal.body(request_id, refused.details))

    async def _unrouted(self, request: Request, error: Exception) -> Response:
        """Return the response to a path or method that no route has."""

        def refuse() -> SandboxResponse:
            allowed = (getattr(error, "headers", None) or {}).get("Allow")
            if allowed:
                raise RefusedError("method_not_allowed", method=request.method, allowed=allowed)
            raise RefusedError("unknown_path")

        return self._respond(request.state.received, request.state.request_id, refuse, self._refuse)


class AnyMethod:
    """An ASGI application as an endpoint. Starlette's routes limit functions to GET, but not other objects."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)


class RequestMiddleware:
    """Reads each request before it is routed, and gives it an ID: `state.received` and `state.request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            received = await SandboxRequest.read(scope, receive)
            scope["state"] = {**scope.get("state", {}), "received": received, "request_id": uuid.uuid4().hex}
        await self._app(scope, receive, send)


def create_app(settings: SandboxSettings | None = None, overrides: Overrides = CONFORMING) -> SandboxApp:
    """Return the sandbox as an ASGI application.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        overrides: Functions that replace those of the conforming server.

    Raises:
        ContractError: The contract cannot be read or is invalid.
        DataFileError: The file for the items cannot be used.
    """
    return SandboxApp(settings or SandboxSettings(), overrides)


@asynccontextmanager
async def _lifespan(app: SandboxApp) -> AsyncGenerator[None]:
    """Move tasks while the server runs, and close the stores at its end."""
    moving = asyncio.create_task(app.advance())
    yield
    moving.cancel()
    with suppress(asyncio.CancelledError):
        await moving
    app.close()
