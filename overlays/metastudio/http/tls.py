"""Settings of the connections, as httpx users know them, and one TLS context for all clients.

httpx builds a TLS context for each client, and for each proxy of the environment, at 30 ms and more; for plain http
too. Here it is built once in a process, when the first TLS connection is made.
"""

from __future__ import annotations

import ssl
import threading
from functools import cache
from os import environ, getpid, path
from typing import TYPE_CHECKING, Any, TypedDict

import httpx

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEFAULT_TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=None)
"""Seconds for each wait of an attempt; waiting for a free connection is bounded by the call's deadline only."""

DEFAULT_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30.0)
"""Enough for what the service allows (10 to 20 requests a second, facts 4.2)."""


class Settings(TypedDict, total=False):
    """What `Session` and `AsyncSession` pass on to httpx. `verify` and `cert` also take paths, without a warning."""

    auth: httpx.Auth | None
    base_url: httpx.URL | str
    headers: Mapping[str, str] | None
    cookies: Mapping[str, str] | None
    timeout: httpx.Timeout | float | None
    verify: bool | str | ssl.SSLContext
    cert: str | tuple[str, str] | tuple[str, str, str] | None
    proxy: httpx.Proxy | httpx.URL | str | None
    trust_env: bool
    http2: bool
    limits: httpx.Limits | None
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
    event_hooks: Mapping[str, list[Callable[..., Any]]] | None


def arguments(settings: Settings) -> dict[str, Any]:
    """The arguments for httpx's client.

    Raises:
        ConfigurationError: a CA or certificate file that cannot be used.
    """
    given: dict[str, Any] = dict(settings)
    verify, cert = given.pop("verify", True), given.pop("cert", None)
    given["verify"] = _tls_context(verify, cert, given.get("http2", False), given.get("trust_env", True))
    given["limits"] = given.get("limits") or DEFAULT_LIMITS
    given.setdefault("timeout", DEFAULT_TIMEOUT)
    return given


def build(constructor: Callable[..., None], given: Mapping[str, Any]) -> None:
    """Call httpx's constructor; what it refuses becomes a ConfigurationError."""
    try:
        constructor(**given)
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise unsendable(error) from None
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the connection cannot be set up so: {error}") from None


class ForkGuard:
    """Leaves a parent process its connections: a child that used them too would get the parent's answers."""

    _CHANGEABLE = ("auth", "base_url", "cookies", "event_hooks", "headers", "params", "timeout")

    def __init__(self) -> None:
        self._process = getpid()
        self._lock = threading.Lock()

    def check(self, client: httpx.Client | httpx.AsyncClient, connect: Callable[[], None]) -> None:
        """In the child of a fork, set `client` up again with `connect`, as it was but without connections."""
        if self._process == getpid():
            return
        with self._lock:
            if self._process != getpid() and not client.is_closed:
                kept = {name: getattr(client, name) for name in self._CHANGEABLE}
                connect()
                for name, value in kept.items():
                    setattr(client, name, value)
                self._process = getpid()


def unsendable(error: httpx.InvalidURL | UnicodeEncodeError) -> ConfigurationError:
    """The error for what cannot be put on the wire; quotes nothing of it, for it may hold a password."""
    if isinstance(error, UnicodeEncodeError):
        return ConfigurationError("a header value holds characters that are not ASCII")
    return ConfigurationError(f"not a valid URL: {str(error).partition(':')[0]}")


def _tls_context(
    verify: bool | str | ssl.SSLContext, cert: str | tuple[str, ...] | None, http2: bool, trust_env: bool
) -> ssl.SSLContext:
    if isinstance(verify, ssl.SSLContext) and not cert:
        return verify
    if verify is True and not cert:
        where = (environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")) if trust_env else (None, None)
        return _shared_context(http2, *where)
    try:
        if isinstance(verify, str):
            directory = path.isdir(verify)
            context = ssl.create_default_context(
                cafile=None if directory else verify, capath=verify if directory else None
            )
        else:
            context = httpx.create_ssl_context(verify, trust_env=trust_env)
        if cert:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"the CA or client certificate given cannot be used: {error}") from None
    return context


@cache
def _shared_context(http2: bool, ca_file: str | None, ca_directory: str | None) -> ssl.SSLContext:
    """One for each way it can turn out; HTTP/2 has its own, for httpx writes the protocols into the context."""
    return _LazyContext(ca_file, None if ca_file else ca_directory)


class _LazyContext(ssl.SSLContext):
    """Stands for httpx's standard context, which the first handshake builds, reading a file of CA certificates."""

    def __new__(cls, ca_file: str | None, ca_directory: str | None) -> _LazyContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, ca_file: str | None, ca_directory: str | None) -> None:
        self._place = (ca_file, ca_directory)
        self._lock = threading.Lock()
        self._alpn: list[str] = []
        self._built: ssl.SSLContext | None = None

    def _real(self) -> ssl.SSLContext:
        with self._lock:
            if self._built is None:
                ca_file, ca_directory = self._place
                if ca_file or ca_directory:
                    context = ssl.create_default_context(cafile=ca_file, capath=ca_directory)
                else:
                    context = httpx.create_ssl_context(trust_env=False)
                context.set_alpn_protocols(self._alpn)
                self._built = context
            return self._built

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Called before each handshake, always with the same."""
        self._alpn = list(alpn_protocols)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Begin TLS on a socket."""
        return self._real().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin TLS in memory."""
        return self._real().wrap_bio(*args, **kwargs)
