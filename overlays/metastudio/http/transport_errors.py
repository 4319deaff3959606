"""Maps httpx exceptions to exceptions of `metastudio.errors`, with the cause and what to check."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import httpx

from metastudio import errors, redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PROXY_SETTINGS = "`proxy`, or HTTPS_PROXY and NO_PROXY"


class ConnectionFailure(NamedTuple):
    """How to report a request without a complete response."""

    error: errors.MetaStudioError  # to be raised
    cause: BaseException | None  # its `__cause__`, or None if the original exception must not be shown
    transient: bool


def connection_failure(
    failed: httpx.RequestError,
    request: httpx.Request,
    *,
    retries: int,
    proxy_of: Callable[[httpx.URL], str | None] = lambda _url: None,
) -> ConnectionFailure:
    """Map an httpx exception.

    Args:
        failed: The exception.
        request: The request of the call; ignored if the exception has its own, such as a token request.
        retries: Number of retries made before.
        proxy_of: Returns the proxy that requests to a URL go through, or None.
    """
    with suppress(RuntimeError):  # raised if the exception has no request
        request = failed.request
    host = request.url.netloc.decode("ascii")
    if isinstance(failed, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        # httpx quotes the invalid header in its message, and that may be a token.
        local = isinstance(failed, httpx.LocalProtocolError)
        problem = "a header has an invalid character" if local else "the URL must begin with https://"
        error = errors.ConfigurationError(f"the request to {host} cannot be sent: {problem}")
        return ConnectionFailure(error, None, False)

    # What broke may have any content, so it is neither quoted nor shown in the cause.
    quotes_response = isinstance(failed, httpx.ProtocolError | httpx.DecodingError | httpx.ProxyError)
    reason = redaction.mask(_reason(failed).rstrip("."), redaction.secrets_of(request))
    certificate = any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(failed))
    proxy = None if certificate or isinstance(failed, httpx.DecodingError) else proxy_of(request.url)
    text = _summary(failed, f"{host} through the proxy {proxy}" if proxy else host)
    text += (f": {reason}" if reason else "") + _advice(failed, reason, certificate=certificate, proxied=bool(proxy))
    text += f" (after {retries + 1} attempts)" if retries else ""
    cls = errors.ApiTimeoutError if isinstance(failed, httpx.TimeoutException) else errors.ApiConnectionError
    refused = isinstance(failed, httpx.ProxyError) and _asks_for_password(reason)  # again could lock the account
    return ConnectionFailure(
        cls(text, request=errors.RequestSummary.of(request), retries=retries),
        None if quotes_response else failed,
        not (certificate or refused or isinstance(failed, httpx.PoolTimeout | httpx.DecodingError)),
    )


def proxy_refusal(failed: httpx.ProxyError) -> str:
    """Return why a proxy made no connection, without its own words: they may echo the password of the request."""
    status = re.match(r"([1-5]\d\d)\b", str(failed))
    if status is None:
        return str(failed)  # of a SOCKS proxy, whose replies are numbers
    known = {each.value: f" {each.phrase}" for each in HTTPStatus}
    return f"{status[1]}{known.get(int(status[1]), '')}"


def _reason(failed: httpx.RequestError) -> str:
    if isinstance(failed, httpx.ProxyError):
        return proxy_refusal(failed)
    return str(failed).partition(":")[0] if isinstance(failed, httpx.ProtocolError) else str(failed)


def _asks_for_password(reason: str) -> bool:
    return reason.startswith("407") or "password" in reason


def _summary(failed: httpx.RequestError, host: str) -> str:
    match failed:
        case httpx.ConnectTimeout():
            return f"connecting to {host} timed out"
        case httpx.PoolTimeout():
            return "waiting for a free connection timed out"
        case httpx.ReadTimeout():
            return f"the response from {host} timed out"
        case httpx.TimeoutException():
            return f"sending the request to {host} timed out"
        case httpx.ConnectError():
            return f"cannot connect to {host}"
        case httpx.ProxyError():
            return f"cannot connect to {host}"
        case _:
            return f"the connection to {host} broke"


def _advice(failed: httpx.RequestError, reason: str, *, certificate: bool, proxied: bool) -> str:
    connecting = isinstance(failed, httpx.ConnectError | httpx.ConnectTimeout)
    if isinstance(failed, httpx.PoolTimeout):
        return ". Raise `limits`, or make fewer calls at a time"
    if certificate:
        return ". Pass the file of a private CA as `verify`; check the host name and this machine's clock"
    if isinstance(failed, httpx.ProxyError):
        if _asks_for_password(reason):
            return f". Check the user name and password of this proxy: {_PROXY_SETTINGS}"
        return f". This proxy cannot reach the server, or refuses to: {_PROXY_SETTINGS}"
    if proxied and connecting:
        return f". Check that this proxy runs: {_PROXY_SETTINGS}"
    if any(isinstance(each, socket.gaierror) for each in _causes(failed)):
        return ". DNS does not know this name: check region and base URL"
    if connecting:
        return ". Check base URL, firewall and proxy settings"
    if proxied and not isinstance(failed, httpx.TimeoutException):
        return f". Check this proxy: {_PROXY_SETTINGS}"
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and the chain of its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
