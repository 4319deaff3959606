"""The server as a Starlette application."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from itertools import count
from random import Random

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from metastudio.sandbox.accounts import AccountRegistry
from metastudio.sandbox.docs import docs_routes
from metastudio.sandbox.faults import FAULT_REASONS, FAULTY_RESPONSES, FaultMiddleware
from metastudio.sandbox.fixtures import advance, generate_items
from metastudio.sandbox.http import MAX_BODY_BYTES, RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.iam import ProjectService, TokenService
from metastudio.sandbox.listing import ServedOperation, read_contract
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.service import ItemService, OperationService, Service
from metastudio.sandbox.settings import SandboxSettings
from metastudio.sandbox.store import Store

PARAMETER = r"\{([^/]+?)\}"
"""Matches a parameter in a path."""
log = logging.getLogger("metastudio.sandbox")


class SandboxApp(Starlette):
    """The sandbox as an ASGI application.

    Args:
        settings: Settings of the sandbox; the defaults if None.
        overrides: Functions that replace those of the conforming server.

    Attributes:
        stores: The items of each list operation, by operation ID.

    Raises:
        ContractError: The contract cannot be read or is invalid.
        DataFileError: The file for the items cannot be used.
    """

    def __init__(self, settings: SandboxSettings | None = None, overrides: Overrides = CONFORMING) -> None:
        settings = settings or SandboxSettings()
        contract = read_contract(settings.spec)
        self.registry = AccountRegistry(settings.accounts, settings.now)
        self.settings = settings
        self.overrides = overrides
        self._listings = {each.operation.id: each for each in contract.listings}
        self.stores = {
            name: Store(each, partial(generate_items, each, settings), settings.data)
            for name, each in self._listings.items()
        }
        services: dict[str, dict[str, Service]] = {}
        for served in contract.operations:
            methods = overrides.methods(served.operation)
            services.setdefault(served.operation.path, {}).update(dict.fromkeys(methods, self._service(served)))
        faults = [Middleware(FaultMiddleware, settings=settings, random=Random(settings.seed))]  # noqa: S311
        super().__init__(
            routes=[
                # Paths without parameters come first, as OpenAPI has it.
                *(self._route(path, services[path], faults) for path in sorted(services, key=lambda each: "{" in each)),
                self._route("/v3/auth/tokens", {"POST": TokenService(self.registry, overrides)}),
                self._route("/v3/projects", dict.fromkeys(("GET", "HEAD"), ProjectService(self.registry, overrides))),
                *docs_routes(contract.document, settings.accounts[0].token),
                Route("/{path:path}", ServiceEndpoint(self, {})),
            ],
            middleware=[Middleware(RequestMiddleware)],
            lifespan=_lifespan,
        )
        self.router.redirect_slashes = False

    def close(self) -> None:
        """Close the stores."""
        for store in self.stores.values():
            store.close()

    async def advance(self) -> None:
        """Move tasks through their states, one step at a time, until cancelled."""
        random = Random(self.settings.seed)  # noqa: S311 - not used for secrets
        while self.settings.progress is not None:
            await asyncio.sleep(self.settings.progress)
            for listing in self._listings.values():
                advance(listing, self.stores[listing.operation.id], random)

    def _service(self, served: ServedOperation) -> Service:
        list_id = served.operation.list_id or served.operation.id
        if list_id not in self.stores:
            return OperationService(served, self.registry, self.overrides)
        listing, store = self._listings[list_id], self.stores[list_id]
        return ItemService(served, listing, store, self.registry, self.overrides)

    def _route(self, path: str, services: Mapping[str, Service], middleware: list[Middleware] | None = None) -> Route:
        # Starlette allows fewer characters in the name of a parameter than OpenAPI, so they are numbered.
        numbers = count()
        numbered = re.sub(PARAMETER, lambda _: f"{{p{next(numbers)}}}", path)
        return Route(numbered, ServiceEndpoint(self, services, re.findall(PARAMETER, path)), middleware=middleware)


class ServiceEndpoint:
    """The endpoint of a path: an ASGI application, because Starlette limits the methods of functions.

    Args:
        app: The application.
        services: What responds to each method. Without any, the path is unknown.
        names: Names of the path parameters.
    """

    def __init__(self, app: SandboxApp, services: Mapping[str, Service], names: Sequence[str] = ()) -> None:
        self._app = app
        self._services = services
        self._names = names
        self._default = next(iter(services.values()), Service(app.registry, app.overrides))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        state, request = scope["state"], scope["state"]["received"]
        service = self._services.get(request.method, self._default)
        try:
            in_path = dict(zip(self._names, scope["path_params"].values(), strict=False))
            response = self._response(service, request, in_path, state.get("fault", ""))
        except RefusedError as refused:
            response = service.refuse(refused, state["request_id"])
        except Exception:  # a bug of the sandbox: logged here, and the contract's 500 for the client
            log.exception("the sandbox failed")
            response = service.refuse(RefusedError("failure"), state["request_id"])
        common = {
            "Content-Type": "application/json",
            "Date": formatdate(self._app.settings.now(), usegmt=True),
            "X-Request-Id": state["request_id"],
        }
        response = self._app.overrides.finish(replace(response, headers={**common, **response.headers}), request)
        await Response(response.content(), response.status, response.headers)(scope, receive, send)

    def _response(
        self, service: Service, request: SandboxRequest, in_path: Mapping[str, str], fault: str
    ) -> SandboxResponse:
        if fault in FAULT_REASONS:
            raise RefusedError(FAULT_REASONS[fault], **({"seconds": "1"} if fault == "429" else {}))
        if len(request.body) > MAX_BODY_BYTES:
            raise RefusedError("too_large")
        if self._services and request.method not in self._services:
            raise RefusedError("method_not_allowed", method=request.method, allowed=", ".join(self._services))
        response = FAULTY_RESPONSES.get(fault) or service.respond(request, in_path)
        return replace(response, body=response.content()[:-20]) if fault == "cut" else response


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


@asynccontextmanager
async def _lifespan(app: SandboxApp) -> AsyncGenerator[None]:
    """Move tasks while the server runs, and close the stores at its end."""
    moving = asyncio.create_task(app.advance())
    yield
    moving.cancel()
    with suppress(asyncio.CancelledError):
        await moving
    app.close()
