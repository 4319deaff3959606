"""From httpx's exceptions to the error that says what went wrong on the way, and what to look at."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import httpx

from metastudio import errors, redaction

if TYPE_CHECKING:
    from collections.abc import Iterator


class ConnectionFailure(NamedTuple):
    """What to raise, from what, and whether another attempt could fare better."""

    error: errors.MetaStudioError
    cause: BaseException | None
    passing: bool


def connection_failure(failed: httpx.RequestError, request: httpx.Request, *, retries: int) -> ConnectionFailure:
    """Explain `failed`, which left `request` (or one of its auth flow) without a whole answer."""
    with suppress(RuntimeError):  # what it raises when it does not know its request
        request = failed.request
    host = request.url.netloc.decode("ascii")
    if isinstance(failed, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        # The text of a LocalProtocolError quotes the header it refused, which may be a token.
        why = "a header holds a character that cannot be sent" if _is_local(failed) else "use an https:// URL"
        return ConnectionFailure(errors.ConfigurationError(f"the request to {host} is not valid: {why}"), None, False)

    secrets = redaction.secrets_of(request)
    said = redaction.mask(_reason(failed), secrets)
    text = f"{_what_happened(failed, host)}{f': {said}' if said else ''}{_advice(failed)}"
    text += f" (after {retries + 1} attempts)" if retries else ""
    cls = errors.ApiTimeoutError if isinstance(failed, httpx.TimeoutException) else errors.ApiConnectionError
    error = cls(text, request=errors.RequestSummary.of(request), retries=retries)
    # What a broken answer quotes may be anything, so such an exception is not shown as the cause.
    quotes = isinstance(failed, httpx.ProtocolError | httpx.DecodingError)
    return ConnectionFailure(error, None if quotes else failed, _passing(failed))


def _is_local(failed: httpx.RequestError) -> bool:
    return isinstance(failed, httpx.LocalProtocolError)


def _what_happened(failed: httpx.RequestError, host: str) -> str:
    match failed:
        case httpx.ConnectTimeout():
            return f"no connection to {host} in time"
        case httpx.PoolTimeout():
            return "no connection became free in time"
        case httpx.ReadTimeout():
            return f"no answer, or not all of it, from {host} in time"
        case httpx.TimeoutException():
            return f"{host} did not take the request in time"
        case httpx.ConnectError():
            return f"cannot connect to {host}"
        case httpx.ProxyError():
            return f"the proxy does not connect to {host}"
        case _:
            return f"the connection to {host} broke"


def _reason(failed: httpx.RequestError) -> str:
    """What httpx says, without the bytes of the answer that it quotes after a colon."""
    return str(failed).partition(":")[0] if isinstance(failed, httpx.ProtocolError) else str(failed)


def _advice(failed: httpx.RequestError) -> str:
    chain = list(_chain(failed))
    if isinstance(failed, httpx.PoolTimeout):
        return ". Raise `limits`, or run fewer calls at a time"
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return ". For a CA of your own, give `verify` its file; check the host name and this machine's clock"
    if any(isinstance(each, socket.gaierror) for each in chain):
        return ". The name is not known to DNS: check region and base URL"
    if isinstance(failed, httpx.ProxyError):
        return ". Check `proxy`, or HTTPS_PROXY and NO_PROXY"
    if isinstance(failed, httpx.ConnectError | httpx.ConnectTimeout):
        return ". Check base URL, firewall and proxy settings"
    return ""


def _passing(failed: httpx.RequestError) -> bool:
    if isinstance(failed, httpx.PoolTimeout | httpx.DecodingError):
        return False
    return not any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(failed))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
