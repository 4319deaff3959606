"""Serves a variant on the loopback interface and tests it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from metastudio.sandbox import Sandbox, SandboxApp
from metastudio.tester import Credentials, Report, prove
from variants import Variant


@contextmanager
def serving(variant: Variant) -> Generator[Sandbox, None, None]:
    """Serve a variant."""
    sandbox = Sandbox(variant.settings, overrides=variant.overrides)
    if variant.mutate is not None or variant.no_authentication:
        sandbox.app = VariantMiddleware(sandbox.app, variant)  # type: ignore[assignment]
    with sandbox:
        yield sandbox


class VariantMiddleware:
    """Changes the data before each request, or adds credentials to requests without any."""

    def __init__(self, app: SandboxApp, variant: Variant) -> None:
        self._app = app
        self._variant = variant
        self._count = 0

    def close(self) -> None:
        self._app.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._count += 1
        if self._variant.mutate is not None:
            for store in self._app.stores.values():
                self._variant.mutate(store, self._count)
        if self._variant.no_authentication and not any(
            n in (b"authorization", b"x-auth-token") for n, _ in scope["headers"]
        ):
            token = self._variant.settings.accounts[0].token.encode()
            scope = {**scope, "headers": [*scope["headers"], (b"x-auth-token", token)]}
        await self._app(scope, receive, send)


def credentials_of(sandbox: Sandbox) -> dict[str, Any]:
    """Return the credentials of a sandbox as keyword arguments of `prove`: key pair, token and a second caller."""
    keys = sandbox.other.keys
    return {
        "project_id": sandbox.project_id,
        "keys": Credentials(sandbox.access_key, sandbox.secret_key),
        "token": sandbox.token,
        "other_project_id": sandbox.other.project_id,
        "other_keys": Credentials(keys.access_key, keys.secret_key),
        "other_token": sandbox.other.token,
    }


def proven(variant: Variant, **options: Any) -> Report:
    """Test a variant, with writes if it serves a contract of its own. Keyword arguments are those of `prove`."""
    spec = variant.settings.spec
    with serving(variant) as sandbox:
        # The long timeout allows for a busy machine.
        given: dict[str, Any] = {"timeout": 60, "spec": spec, "writes": spec is not None, **credentials_of(sandbox)}
        return prove(sandbox.url, **{**given, **options})
