"""What an error answer gives away about its cause, said in a sentence with the next step.

A hint is advice on top of the error; no class and no retry depends on it. The gateway's codes come with two
prefixes, `APIGW.` and `APIG.`. Its texts "are subject to change" (facts 4.1), so they only refine a hint.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

SIGNATURE_WINDOW = 15 * 60  # seconds that X-Sdk-Date may be off (facts 2.2)

# Codes the client gives a meaning to; all of them from facts 4.1 and 4.3.
TOKEN_REFUSED = frozenset({"APIGW.0307", "APIG.0307", "MSS.00010008"})
OTHER_PROJECT = frozenset({"MSS.00010009"})
NOT_IN_REGION = frozenset({"APIGW.0101", "APIG.0101", "APIGW.0801", "APIG.0801", "APIGW.0802", "APIG.0802"})


def clock_offset(response: httpx.Response) -> float | None:
    """Seconds by which the server's clock (`Date`) is ahead of the date that was signed (`X-Sdk-Date`).

    None when the request was not signed or the answer has no readable date.
    """
    from email.utils import parsedate_to_datetime

    signed, answered = response.request.headers.get("X-Sdk-Date"), response.headers.get("Date")
    if not signed or not answered:
        return None
    try:
        there = parsedate_to_datetime(answered)
        here = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    there = there if there.tzinfo else there.replace(tzinfo=UTC)
    return (there - here).total_seconds()


def hint(response: httpx.Response, code: str, message: str) -> str | None:
    """What to look at, or None when the answer gives nothing away. `message` is the server's own."""
    status, said = response.status_code, message.lower()
    if 300 <= status <= 399:
        return _SAY_REDIRECTED.format(_origin(response.headers.get("Location", "")))
    if code in OTHER_PROJECT:
        return _SAY_PROJECT
    if code in TOKEN_REFUSED:
        return _SAY_EXPIRED
    if code in NOT_IN_REGION:
        return _SAY_REGION
    if status in (401, 403):
        return _refused(response, said) or (_SAY_DENIED if status == 403 else None)
    return None


def _refused(response: httpx.Response, said: str) -> str | None:
    if "reach the limit" in said:
        return _SAY_LOCKED
    offset = clock_offset(response)
    if offset is not None and abs(offset) > SIGNATURE_WINDOW:
        return _SAY_CLOCK.format(_duration(abs(offset)), "behind" if offset > 0 else "ahead of")
    if "X-Auth-Token" in response.request.headers:
        return _SAY_EXPIRED if response.status_code == 401 else None
    if "signature expired" in said:
        return _SAY_DATE
    if "not exist" in said:
        return _SAY_KEY
    return _SAY_SIGNATURE if "signature" in said else None


_SAY_CLOCK = "The clock that signed is {} {} the server's; at most 15 minutes are accepted."
_SAY_DATE = "The signed date is too old for the server; check this machine's clock."
_SAY_DENIED = (
    "The IAM user may lack the permission for this service, or the project id belongs to another account or region."
)
_SAY_KEY = "The access key is not known; check it, and that it was not deleted and belongs to this cloud."
_SAY_LOCKED = (
    "The access key is locked: more than five failed signatures in a row lock it for five minutes. "
    "Mend the secret key or the clock first, then wait."
)
_SAY_PROJECT = "The project id of the path is not that of these credentials; each region has its own project id."
_SAY_REDIRECTED = (
    "The server redirects{}. Redirects are not followed, as they would carry the credentials along; check the base URL."
)
_SAY_REGION = "This region may not offer the service; check region and base URL."
_SAY_SIGNATURE = (
    "The secret key does not belong to this access key, "
    "or something on the way, such as a proxy, changed the path, the query or a signed header."
)
_SAY_EXPIRED = "The token is expired, revoked or of another region; get a new one from the IAM of the same region."


def _origin(location: str) -> str:
    import httpx

    try:
        target = httpx.URL(location)
    except httpx.InvalidURL:
        return ""
    return f" to {target.scheme}://{target.netloc.decode('ascii')}" if target.host else ""


def _duration(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
