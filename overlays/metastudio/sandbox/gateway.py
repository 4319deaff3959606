"""Error responses of the API gateway (docs/service-notes.md#error-codes).

The reasons in `SERVICE_REASONS` are the service's own: the contract's example of the error, where it has one, takes
precedence over the entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
"""The error response of each reason to refuse a request."""

SERVICE_REASONS = frozenset({"invalid_parameter", "no_such_item", "conflict", "failure"})
