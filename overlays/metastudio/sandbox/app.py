"""The server as a Starlette application, and the faults that it injects."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from random import Random
from typing import Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from metastudio.sandbox.authentication import AccountRegistry, issue_token, list_projects
from metastudio.sandbox.docs import docs_routes
from metastudio.sandbox.fixtures import advance, generate_items
from metastudio.sandbox.http import MAX_BODY_BYTES, SERVICE_REASONS, RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import read_contract
from metastudio.sandbox.overrides import CONFORMING, Overrides
from metastudio.sandbox.service import OperationService
from metastudio.sandbox.settings import SandboxSettings
from metastudio.sandbox.store import Store

SLOW_SECONDS = 30.0
"""Seconds that the fault `slow` delays a response."""
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_FAULTS: Mapping[str, str | SandboxResponse] = {
    "500": "failure",
    "502": SandboxResponse(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", _HTML),
    "503": "unavailable",
    "504": "backend_timeout",
    "429": "too_many_requests",
    "redirect": SandboxResponse(302, b"", {"Location": "https://login.example.com/"}),
    "login": SandboxResponse(200, b"<!DOCTYPE html><html><title>Sign in</title><form></form></html>", _HTML),
    "empty": SandboxResponse(200, b""),
}
"""The faults that are responses: a reason to refuse the request, or the response itself."""
_PARAMETER = r"\{([^/]+?)\}"
_HEADERS = {"Allow": "allowed", "Retry-After": "seconds", "X-Sandbox-Reason": "reason"}
"""Headers of error responses, and the detail that each shows."""
log = logging.getLogger("metastudio.sandbox")
Handler = tuple[Callable[[SandboxRequest, Mapping[str, str]], SandboxResponse], Mapping[int, Any]]
"""What responds to a method of a path: a function of the request and its path parameters, which may refuse, and the
bodies of the service's own errors, by status."""


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
        self.settings = settings = settings or SandboxSettings()
        self.overrides = overrides
        self.random = Random(settings.seed)  # noqa: S311 - not used for secrets
        contract, registry = read_contract(settings.spec), AccountRegistry(settings.accounts, settings.now)
        self.stores = {
            each.operation.id: Store(each, partial(generate_items, each, settings), settings.data)
            for each in contract.listings
        }
        handlers: dict[str, dict[str, Handler]] = {}
        for served in contract.operations:
            operation = served.operation
            service = OperationService(served, self.stores.get(operation.list_id or operation.id), registry, overrides)
            methods: dict[str, Handler] = dict.fromkeys(overrides.methods(operation), (service.respond, served.errors))
            handlers.setdefault(operation.path, {}).update(methods)
        tokens: Handler = (lambda request, _: issue_token(request, registry), {})
        projects: Handler = (lambda request, _: list_projects(request, registry, overrides), {})
        paths = sorted(handlers, key=lambda path: "{" in path)  # those without parameters first, as OpenAPI has it
        super().__init__(
            routes=[
                *(PathEndpoint.route(self, path, handlers[path]) for path in paths),
                Route("/v3/auth/tokens", PathEndpoint(self, {"POST": tokens})),
                Route("/v3/projects", PathEndpoint(self, {"GET": projects, "HEAD": projects})),
                *docs_routes(contract.document, settings.accounts[0].token),
                Route("/{path:path}", PathEndpoint(self, {})),
            ],
            lifespan=_lifespan,
        )
        self.router.redirect_slashes = False

    def close(self) -> None:
        """Close the stores."""
        for store in self.stores.values():
            store.close()


class PathEndpoint:
    """The endpoint of a path: an ASGI application, because Starlette limits the methods of functions.

    Args:
        app: The application.
        handlers: What responds to each method. Without any, the path is unknown.
        names: Names of the path parameters; None if the settings' latency and faults do not apply.
    """

    def __init__(self, app: SandboxApp, handlers: Mapping[str, Handler], names: list[str] | None = None) -> None:
        self._app, self._handlers, self._names = app, handlers, names

    @classmethod
    def route(cls, app: SandboxApp, path: str, handlers: Mapping[str, Handler]) -> Route:
        """Return the route of a path of the contract."""
        # Starlette allows fewer characters in the name of a parameter than OpenAPI, so they are numbered.
        names = re.findall(_PARAMETER, path)
        for number, name in enumerate(names):
            path = path.replace(f"{{{name}}}", f"{{p{number}}}", 1)
        return Route(path, cls(app, handlers, names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        settings, fault, delay = self._app.settings, "", 0.0
        request = await SandboxRequest.read(scope, receive)
        if self._names is not None:
            fault = next((each.kind for each in settings.faults if self._app.random.random() < each.rate), "")
            delay = settings.latency + (SLOW_SECONDS if fault == "slow" else 0.0)
        if delay and not await _sleeps(settings.sleep(delay), receive):
            return
        if fault == "reset":
            await _reset_connection(scope, receive)
            return
        in_path = dict(zip(self._names or (), scope["path_params"].values(), strict=False))
        response = self._response(request, in_path, fault)
        send = _truncated(send) if fault == "truncated" else send
        await Response(response.content(), response.status, response.headers)(scope, receive, send)

    def _response(self, request: SandboxRequest, in_path: Mapping[str, str], fault: str) -> SandboxResponse:
        request_id = uuid.uuid4().hex
        try:
            response = self._handled(request, in_path, fault)
        except RefusedError as refused:
            response = self._refusal(refused, request.method, request_id)
        except Exception:  # a bug of the sandbox: logged here, and the contract's 500 for the client
            log.exception("the sandbox failed")
            response = self._refusal(RefusedError("failure"), request.method, request_id)
        date = formatdate(self._app.settings.now(), usegmt=True)
        common = {"Content-Type": "application/json", "Date": date, "X-Request-Id": request_id}
        return self._app.overrides.finish(replace(response, headers={**common, **response.headers}), request)

    def _refusal(self, refused: RefusedError, method: str, request_id: str) -> SandboxResponse:
        refusal, details = self._app.overrides.refusals[refused.reason], refused.details
        headers = {name: ascii(details[key])[1:-1] for name, key in _HEADERS.items() if key in details}
        errors = self._handlers[method][1] if method in self._handlers else {}
        example = errors.get(refusal.status) if refused.reason in SERVICE_REASONS else None
        return SandboxResponse(refusal.status, example or refusal.body(request_id, details), headers)

    def _handled(self, request: SandboxRequest, in_path: Mapping[str, str], fault: str) -> SandboxResponse:
        found = _FAULTS.get(fault)
        if isinstance(found, SandboxResponse):
            return found
        if found:
            raise RefusedError(found, **({"seconds": "1"} if fault == "429" else {}))
        if len(request.body) > MAX_BODY_BYTES:
            raise RefusedError("too_large")
        if not self._handlers:
            raise RefusedError("unknown_path")
        if request.method not in self._handlers:
            raise RefusedError("method_not_allowed", method=request.method, allowed=", ".join(self._handlers))
        response = self._handlers[request.method][0](request, in_path)
        return replace(response, body=response.content()[:-20]) if fault == "cut" else response


async def _sleeps(sleep: Awaitable[None], receive: Receive) -> bool:
    """Sleep, and return whether the client is still connected."""
    asleep, gone = asyncio.ensure_future(sleep), asyncio.ensure_future(_disconnected(receive))
    _, pending = await asyncio.wait({asleep, gone}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return asleep not in pending


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _truncated(send: Send) -> Send:
    """Send half of the body. The server then closes the connection because the response is incomplete."""

    async def send_half(message: Message) -> None:
        body = message.get("body", b"")
        half = {"body": body[: len(body) // 2], "more_body": True}
        await send({**message, **half} if message["type"] == "http.response.body" else message)

    return send_half


async def _reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the TCP connection if the app runs in our server."""
    reset = scope.get("state", {}).get("reset")
    if reset is None:
        raise ConnectionResetError("injected fault: reset")
    reset()
    await _disconnected(receive)


@asynccontextmanager
async def _lifespan(app: SandboxApp) -> AsyncGenerator[None]:
    """Move tasks through their states while the server runs, and close the stores at its end."""

    async def move() -> None:
        random = Random(app.settings.seed)  # noqa: S311 - not used for secrets
        while app.settings.progress is not None:
            await asyncio.sleep(app.settings.progress)
            for store in app.stores.values():
                advance(store, random)

    moving = asyncio.create_task(move())
    yield
    moving.cancel()
    with suppress(asyncio.CancelledError):
        await moving
    app.close()
