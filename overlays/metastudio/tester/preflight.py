"""The first request: reports a server that cannot be tested before hundreds of requests are sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from metastudio import redaction
from metastudio.http.retry import http_date
from metastudio.tester.access import SIGNATURE, SchemeKind
from metastudio.tester.http_client import CannotRunError, HttpClient, HttpResponse, NoResponseError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.list_client import ListClient, UnexpectedResponseError

_ABOUT_CREDENTIALS = re.compile(r"token|auth|credential|signature|tenant|\bak\b|access key", re.IGNORECASE)
_SENT = {
    SchemeKind.SIGNATURE: "the key pair",
    SchemeKind.TOKEN: "the token",
    SchemeKind.BASIC: "user name and password",
}
_MAX_CLOCK_SKEW = 300
"""Seconds of clock difference from which a refused signature is signed again with the server's time."""


def first_response(http: HttpClient, path: str, query: list[tuple[str, str]], notes: list[str]) -> HttpResponse:
    """Send one plain request. If its signature is refused because of the clock, correct that and repeat it.

    Raises:
        CannotRunError: the server is unreachable.
    """
    try:
        response = http.send(path, query)
        if response.status in (401, 403) and _correct_clock(response, http):
            remedy = "requests are signed with the time of the server's Date header"
            notes.append(f"the clock of this machine is wrong; {remedy}")
            response = http.send(path, query)
    except NoResponseError as error:
        raise CannotRunError(f"{http.base_url}: {error}") from None
    return response


def fault(
    tested: OperationUnderTest, response: HttpResponse, http: HttpClient, list_client: ListClient | None
) -> str | None:
    """Return what is wrong with the first response, None for nothing.

    Raises:
        CannotRunError: the server refuses the credentials, or is not ready for other requests.
    """
    _stop_if_untestable(response, http)
    if response.status not in tested.operation.success:
        to = " to another address" if 300 <= response.status < 400 else ""
        return f"status {response.status}{to}"
    if list_client is not None:
        try:
            list_client.parse_page(response)
        except UnexpectedResponseError as error:
            return error.what
    elif tested.operation.success[response.status] is not None and not response.is_json:
        return f"status {response.status} with a body that is not JSON"
    return None


def _stop_if_untestable(response: HttpResponse, http: HttpClient) -> None:
    error, scheme, project = _error_text(response), http.caller.scheme, http.caller.project_id
    sent = _SENT[scheme.kind] if scheme else "a request without credentials"
    if response.status in (401, 403) or (response.status == 400 and _ABOUT_CREDENTIALS.search(error)):
        whose = f" and that they belong to project {project}" if project else ""
        raise CannotRunError(
            f"the server refuses {sent}: status {response.status}{error}. Check the credentials{whose}. "
            "No further requests were sent"
        )
    if response.status == 400 and b"HTTPS port" in response.body:
        raise CannotRunError(f"{http.base_url} expects https: use https:// instead of http://")
    if response.status == 407:
        raise CannotRunError("a proxy requires authentication: status 407. Check HTTPS_PROXY and NO_PROXY")
    if response.status == 404:
        raise CannotRunError(f"{response.url} not found: status 404{error}. Check the URL and the project ID")
    if response.status == 429:
        raise CannotRunError(f"the server throttles requests: status 429{error}. Retry later, or set --rate-limit")
    if response.status in (502, 503, 504):
        raise CannotRunError(f"the gateway gets no response from the service: status {response.status}{error}")


def _error_text(response: HttpResponse) -> str:
    body = response.json if isinstance(response.json, dict) else {}
    names = ("error_code", "errorCode", "error_msg", "errorMsg", "message")
    words = ", ".join(str(body[name]) for name in names if body.get(name))
    return f" ({redaction.mask(words)[:200]})" if words else ""


def _correct_clock(response: HttpResponse, http: HttpClient) -> bool:
    """Set the clock from the server's `Date` header if it differs by minutes. Return whether it did."""
    if http.caller.scheme != SIGNATURE:
        return False
    seconds = http_date(response.headers.get("Date", ""))
    if seconds is None or abs(seconds - http.caller.clock.now().timestamp()) < _MAX_CLOCK_SKEW:
        return False
    try:
        http.caller.clock.set_to(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError):  # beyond the year 9999
        return False
    return True
