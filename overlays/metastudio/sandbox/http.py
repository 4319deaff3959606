"""Requests as received, responses before they are sent, and the refusal of a request.

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


@dataclass(frozen=True)
class Refusal:
    """Status, error code and message of a refused request. The message is a template for `str.format`."""

    status: int
    code: str
    message: str
    with_request_id: bool = True

    def body(self, request_id: str, details: Mapping[str, str]) -> dict[str, Any]:
        """Return the body of the response to one request."""
        body = {"error_msg": self.message.format(**details), "error_code": self.code}
        return {**body, "request_id": request_id} if self.with_request_id else body


def _iam(message: str) -> Refusal:
    return Refusal(401, "APIGW.0301", f"Incorrect IAM authentication information: {message}")


REFUSALS: Mapping[str, Refusal] = {
    "unknown_path": Refusal(404, "APIGW.0101", "The API does not exist or has not been published in the environment"),
    "method_not_allowed": Refusal(405, "APIGW.0101", "The API does not support the method {method}"),
    "too_large": Refusal(413, "APIGW.0201", "Request entity too large"),
    "bad_request": Refusal(400, "APIGW.0201", "Bad request: {reason}"),
    "no_credentials": _iam("x-auth-token not found"),
    "missing_header": _iam("{header} not found"),
    "malformed_authorization": _iam("verify aksk signature fail, the Authorization header is malformed"),
    "unknown_key": _iam("Get secretKey failed,ak:{access_key},err:ak not exist"),
    "locked": _iam("AK access failed to reach the limit,forbidden."),
    "malformed_date": _iam("verify aksk signature fail, x-sdk-date is not YYYYMMDDTHHMMSSZ"),
    "expired": _iam("calc ak sk signature fail:signature expired,signature time:{signed},server time:{server}"),
    "not_signed": _iam("verify aksk signature fail, {header} is not signed"),
    "signed_header_missing": _iam("verify aksk signature fail, {header} is signed but was not sent once"),
    "wrong_security_token": _iam("verify aksk signature fail, x-security-token is not that of ak {access_key}"),
    "wrong_signature": _iam("verify aksk signature fail, ak:{access_key}"),
    "unknown_token": _iam("decrypt token fail"),
    "expired_token": Refusal(401, "APIGW.0307", "The token must be updated: token expires, expires_at: {expires_at}"),
    "foreign_project": Refusal(403, "APIGW.0302", "The IAM user is not allowed to access the project"),
    "project_mismatch": Refusal(403, "APIGW.0306", "Access denied: x-project-id is not the project of the URL"),
    "too_many_requests": Refusal(
        429,
        "APIGW.0308",
        "The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 second",
    ),
    "unavailable": Refusal(503, "APIGW.0613", "The service is not available for now"),
    "backend_timeout": Refusal(504, "APIGW.0201", "Backend timeout"),
    "invalid_parameter": Refusal(400, "APIGW.0201", "Bad request: {reason}"),
    "no_such_item": Refusal(404, "APIGW.0101", "There is no such item"),
    "conflict": Refusal(409, "APIGW.0201", "The item does not allow this now"),
    "failure": Refusal(500, "APIGW.0605", "Internal error"),
}
"""The gateway's error response for each reason to refuse a request (docs/service-notes.md#error-codes)."""

SERVICE_REASONS = frozenset({"invalid_parameter", "no_such_item", "conflict", "failure"})
"""Reasons of the service itself. The contract's example of the error, where it has one, precedes the entry above."""
