"""A variant as a server on the loopback interface, and a run of the tester against it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from metastudio.sandbox import Sandbox, SandboxApp
from metastudio.tester import Credentials, Report, prove
from variants import Variant


@contextmanager
def serving(variant: Variant) -> Generator[Sandbox, None, None]:
    """The variant as a server."""
    sandbox = Sandbox(variant.settings, overrides=variant.overrides)
    if variant.moves is not None or variant.open_door:
        sandbox.app = _Door(sandbox.app, variant)  # type: ignore[assignment]
    with sandbox:
        yield sandbox


class _Door:
    """Stands in front of the application: changes the data with each request, or lets everybody in."""

    def __init__(self, app: SandboxApp, variant: Variant) -> None:
        self._app = app
        self._variant = variant
        self._count = 0

    def close(self) -> None:
        self._app.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._count += 1
        if self._variant.moves is not None:
            for store in self._app.stores.values():
                self._variant.moves(store, self._count)
        if self._variant.open_door and not any(n in (b"authorization", b"x-auth-token") for n, _ in scope["headers"]):
            token = self._variant.settings.accounts[0].token.encode()
            scope = {**scope, "headers": [*scope["headers"], (b"x-auth-token", token)]}
        await self._app(scope, receive, send)


def access(sandbox: Sandbox) -> dict[str, Any]:
    """What a run has to know of a sandbox: both ways in, and another caller."""
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
    """Run the tester against a variant."""
    with serving(variant) as sandbox:
        # A busy machine is no server that hangs.
        given: dict[str, Any] = {"timeout": 60, **access(sandbox), **options}
        return prove(sandbox.url, **given)
