"""Advice on the likely cause of an API error, one sentence with the next step.

A hint accompanies the exception, and no error class depends on it. `clock_offset` and `TOKEN_REFUSED` also tell `auth`
whether a refused request may be sent once more. The gateway spells its codes with two
prefixes, `APIGW.` and `APIG.`, and its messages may change, so messages only refine a hint
(docs/service-notes.md#error-codes).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from metastudio.http.retry import http_date

if TYPE_CHECKING:
    import httpx

TOKEN_REFUSED = frozenset({"APIGW.0307", "APIG.0307", "MSS.00010008"})
"""Error codes for a token that must be replaced (docs/service-notes.md#refused-tokens)."""

_CLOCK_TOLERANCE = 15 * 60  # seconds that X-Sdk-Date may differ (docs/service-notes.md#clock-tolerance)
_YEAR = 366 * 24 * 3600  # seconds; a larger clock offset means that the server's `Date` is wrong

_HINT_CLOCK = "This machine's clock is {} {} the server's; at most 15 minutes are accepted."
_HINT_DATE = "The signed date is too old for the server; check this machine's clock."
_HINT_DENIED = (
    "The IAM user may lack the permission for this service, or the project id belongs to another account or region."
)
_HINT_KEY = "The access key does not exist; check its spelling, that it was not deleted, and that it is of this cloud."
_HINT_LOCKED = (
    "The access key is locked: more than five consecutive failed signatures lock it for five minutes. "
    "Correct the secret key or the clock first, then wait."
)
_HINT_PROJECT = "The project id does not belong to these credentials; each region has its own project id."
_HINT_REDIRECT = (
    "The server redirects{}. Redirects are not followed, because they would carry the credentials along; "
    "check the base URL."
)
_HINT_REGION = "This region may not offer the service; check region and base URL."
_HINT_SIGNATURE = (
    "The secret key does not belong to this access key, "
    "or something on the way, such as a proxy, changed the path, the query or a signed header."
)
_HINT_REFUSED = "The token is expired, revoked or of another region; get a new one from the IAM of the same region."

_HINTS_BY_CODE = {
    **dict.fromkeys(TOKEN_REFUSED, _HINT_REFUSED),
    "MSS.00010009": _HINT_PROJECT,
    **{f"{prefix}.{code}": _HINT_REGION for prefix in ("APIGW", "APIG") for code in ("0101", "0801", "0802")},
}
_HINTS_BY_MESSAGE = {  # the first one found counts
    "signature expired": _HINT_DATE,
    "not exist": _HINT_KEY,
    "signature": _HINT_SIGNATURE,
}


def clock_offset(response: httpx.Response) -> float | None:
    """Return the seconds by which the server's clock (`Date`) is ahead of the signed date (`X-Sdk-Date`).

    Returns:
        None if the request was not signed, a date is missing or malformed, or the offset exceeds a year.
    """
    answered = http_date(response.headers.get("Date", ""))
    try:
        signed = datetime.strptime(response.request.headers.get("X-Sdk-Date", ""), "%Y%m%dT%H%M%SZ")
    except ValueError:
        return None
    if answered is None:
        return None
    offset = answered - signed.replace(tzinfo=UTC).timestamp()
    return offset if abs(offset) <= _YEAR else None


def hint(response: httpx.Response, code: str, message: str) -> str | None:
    """Return advice on the cause of an error response, or None.

    Args:
        response: The response, with its request.
        code: The server's error code, or "".
        message: The server's message.
    """
    status, message = response.status_code, message.lower()
    if 300 <= status <= 399:
        return _HINT_REDIRECT.format(
            _redirect_target(response.extensions.get("location") or response.headers.get("Location", ""))
        )
    if code in _HINTS_BY_CODE:
        return _HINTS_BY_CODE[code]
    if status not in (401, 403):
        return None
    if "reach the limit" in message:
        return _HINT_LOCKED
    offset = clock_offset(response) or 0.0
    if abs(offset) > _CLOCK_TOLERANCE:
        return _HINT_CLOCK.format(_duration(abs(offset)), "behind" if offset > 0 else "ahead of")
    if "X-Auth-Token" in response.request.headers:
        return _HINT_REFUSED if status == 401 else _HINT_DENIED
    default = _HINT_DENIED if status == 403 else None
    return next((hint for fragment, hint in _HINTS_BY_MESSAGE.items() if fragment in message), default)


def _redirect_target(location: str) -> str:
    """Return " to ORIGIN" for an absolute URL, without the path and the query, which may hold a ticket."""
    import httpx

    try:
        target = httpx.URL(location)
    except httpx.InvalidURL:
        return ""
    host = target.netloc.decode("ascii")  # `target.host` raises for a malformed IDNA name
    return f" to {target.scheme}://{host}" if target.scheme and host else ""


def _duration(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
