"""Where secrets may be sent: never in clear text over a network, and only to the origin they are meant for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from metastudio.auth.flow import Action
from metastudio.errors import ConfigurationError
from metastudio.http.proxies import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65535
_CONNECTING = ("connection.", "proxy.", "socks.")  # events of httpcore that have no request


def origin(url: httpx.URL) -> Origin:
    """Return scheme, host and port of a URL. The host is in ASCII, as it is sent."""
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS.get(url.scheme, 0)


def require_https(
    url: httpx.URL | str, *, name: str = "URL", allow_http: bool = False, query: bool = False
) -> httpx.URL:
    """Parse the URL of a server that gets credentials.

    Args:
        url: The URL.
        name: What the URL is, for messages.
        allow_http: Accept plain http to another machine than this one.
        query: Accept a query and a fragment. A base URL must have neither, because paths are added to it.

    Raises:
        ConfigurationError: It is not an absolute http or https URL, its host or port cannot exist, it contains a user
            name or password, it has a query without `query`, or it is plain http without `allow_http`.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{name} is not a URL: {error}") from None
    except UnicodeError:  # httpx decodes international names
        raise ConfigurationError(f"{name} has a malformed host name; check its spelling") from None
    shown = f"{name} {_safe(parsed)!r}"
    if parsed.scheme not in _PORTS or not host:
        raise ConfigurationError(f"{shown} is not the URL of a server; write https://host")
    if not _is_host(parsed.raw_host.decode("ascii")):
        raise ConfigurationError(f"{shown} has a malformed host name; check its spelling")
    if parsed.port is not None and not 1 <= parsed.port <= _HIGHEST_PORT:
        raise ConfigurationError(f"{shown} has a port that does not exist; ports are 1 to {_HIGHEST_PORT}")
    if not query and (b"?" in parsed.raw_path or parsed.fragment):
        raise ConfigurationError(f"{shown} is a base URL and must have no query or fragment; remove it")
    if parsed.userinfo:
        raise ConfigurationError(f"{shown} contains a user name or password; remove it")
    if parsed.scheme == "http" and not allow_http and not is_loopback(host):
        raise ConfigurationError(
            f"{shown} would send credentials in clear text; use https, or pass allow_http=True if the network path is "
            "trusted"
        )
    return parsed


class TrustedOrigins:
    """The origins that a token may be sent to. If none is named, it is the origin of the first request."""

    def __init__(self) -> None:
        self._origins: set[Origin] = set()
        self._first: dict[str, Origin] = {}

    def trust(self, url: httpx.URL | str) -> None:
        """Add the origin of a URL."""
        self._origins.add(origin(httpx.URL(url)))

    def check(self, url: httpx.URL) -> None:
        """Check the URL of a request.

        Raises:
            ConfigurationError: Its origin is not trusted.
        """
        requested = origin(url)
        if not self._origins:
            self._origins.add(self._first.setdefault("origin", requested))  # atomic, so that only one can be first
        if requested not in self._origins:
            trusted = ", ".join(f"{scheme}://{host}:{port}" for scheme, host, port in sorted(self._origins))
            raise ConfigurationError(
                f"the token is for {trusted} and is not sent to {_safe(url)!r}; "
                "use another auth object for each server, or call trust() with the other URL"
            )


def restrict_to_origin(request: httpx.Request) -> Action:
    """Keep the secrets of a request from following a redirect to another origin.

    httpx removes only ``Authorization`` there, and an auth flow does not see the redirected request. The ``trace``
    extension of httpx sees it just before its headers are written, and nothing is sent if it raises. It works with the
    transports of httpx; a ``trace`` of the caller's keeps working.
    """

    async def arun() -> None:
        _guard(request, AsyncOriginGuard)

    return Action(partial(_guard, request, OriginGuard), arun)


def _guard(request: httpx.Request, guard: type[OriginGuard]) -> None:
    trace = request.extensions.get("trace")
    if not isinstance(trace, OriginGuard):  # it is one when the request is sent again
        request.extensions["trace"] = guard(origin(request.url), trace)


class OriginGuard:
    """A ``trace`` extension that raises ConfigurationError before a request is sent to another origin."""

    def __init__(self, allowed: Origin, trace: Callable[[str, Any], Any] | None) -> None:
        scheme, host, port = allowed
        self._allowed = {f"{scheme}://{host}:{port}"} | (
            {f"{scheme}://{host}"} if port == _PORTS.get(scheme) else set()
        )
        self._seen: Any = None
        self._trace = trace

    def __call__(self, event: str, info: Any) -> Any:
        """Check an event of httpcore and pass it on."""
        self._check(event, info)
        return self._trace(event, info) if self._trace else None

    def _check(self, event: str, info: Any) -> None:
        sent = info.get("request")
        if sent is None:  # while connecting, and after the headers were sent
            closing = "response_closed" in event  # must go on, because it closes the connection after an error
            if not (self._seen or closing or event.startswith(_CONNECTING)):
                raise ConfigurationError(
                    f"credentials are not sent: this version of httpcore does not show where to ({event})"
                )
            return
        if sent is self._seen:
            return
        self._seen = sent
        if sent.method == b"CONNECT":  # opens a proxy tunnel and has none of the request's headers
            return
        url = sent.url
        if url.target.startswith(b"/"):
            target = f"{url.scheme.decode('ascii')}://{url.host.decode('ascii')}:{url.origin.port}"
        else:  # a proxy without a tunnel gets the whole URL; httpcore writes IPv6 addresses there without brackets
            scheme, _, rest = url.target.decode("ascii").partition("://")
            target = f"{scheme}://{rest.partition('/')[0]}"
        if target not in self._allowed:
            raise ConfigurationError(
                f"the server redirects to {target}, another origin, where the credentials are not "
                "sent; do not follow redirects, and check the base URL"
            )


class AsyncOriginGuard(OriginGuard):
    """The guard for the async client."""

    async def __call__(self, event: str, info: Any) -> None:
        """Check an event of httpcore and pass it on."""
        self._check(event, info)
        if self._trace:
            await self._trace(event, info)


def _is_host(host: str) -> bool:
    """Return whether a host in ASCII is an IPv6 address, or a name or IPv4 address whose labels DNS accepts."""
    labels = host.removesuffix(".").split(".")
    return ":" in host or (len(host) <= 254 and all(1 <= len(label) <= 63 for label in labels))


def _safe(url: httpx.URL) -> str:
    """Return the part of a URL that cannot contain a secret."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}" if url.host else str(url.copy_with(query=None, fragment=None))
