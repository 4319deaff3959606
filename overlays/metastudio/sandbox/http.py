"""Requests as received, responses before they are sent, and the exception that refuses a request.

The rules of the sandbox read these records instead of Starlette's objects, so that each one is a pure function: without
I/O, and without the decoding that a signature must not see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope

JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
MAX_BODY_BYTES = 1024 * 1024
"""Maximum size of a request body."""


@dataclass(frozen=True)
class SandboxRequest:
    """A request as received: nothing is decoded, and header names are lower case."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    @classmethod
    async def read(cls, scope: Scope, receive: Receive) -> SandboxRequest:
        """Read a request. A body above the maximum size is not read to its end."""
        body = bytearray()
        async for part in Request(scope, receive).stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                break
        path = scope.get("raw_path") or scope["path"].encode()
        return cls(scope["method"], path, scope["query_string"], tuple(scope["headers"]), bytes(body))

    def header(self, name: str) -> list[str]:
        """Return all values of a header, decoded as Latin-1."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for key, value in self.headers if key == wanted]


@dataclass(frozen=True)
class SandboxResponse:
    """A response. A body of bytes is sent as it is, any other as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def content(self) -> bytes:
        """Return the body as bytes."""
        return self.body if isinstance(self.body, bytes) else JSON(self.body).encode()


class RefusedError(Exception):
    """The request is refused.

    Args:
        reason: Key of `Overrides.refusals`, which has the status, error code and message.
        details: Values for the placeholders of that message.
    """

    def __init__(self, reason: str, /, **details: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details
