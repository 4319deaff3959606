"""Which hosts may see a secret: never one in clear text, never another than it was meant for."""

from __future__ import annotations

from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}


def origin(url: httpx.URL) -> Origin:
    """Scheme, host (ASCII, as it is on the wire) and port, as a browser would compare them."""
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS.get(url.scheme, 0)


def is_loopback(host: str) -> bool:
    """Whether `host` (without brackets) is this machine: ``localhost``, ``*.localhost``, 127.0.0.0/8 or ::1."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_https(url: httpx.URL | str, *, allow_http: bool = False) -> httpx.URL:
    """The parsed URL, when credentials may be sent there.

    Raises:
        ConfigurationError: it is no absolute http(s) URL, carries a user name or password, or is plain http to
            another machine and ``allow_http`` is not set.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"not a URL: {error}") from None
    if parsed.scheme not in _PORTS or not parsed.host:
        raise ConfigurationError(f"{_shown(parsed)!r} is no URL of a server: write https://host")
    if parsed.userinfo:
        raise ConfigurationError(f"leave the user name and password out of the URL {_shown(parsed)!r}")
    if parsed.scheme == "http" and not allow_http and not is_loopback(parsed.host):
        raise ConfigurationError(
            f"{_shown(parsed)!r} would carry credentials in clear text: use https, "
            "or say allow_http=True if the way there is safe"
        )
    return parsed


class TrustedOrigins:
    """The origins a token may be sent to. Without any, the first request's origin becomes the only one."""

    def __init__(self) -> None:
        self._origins: frozenset[Origin] = frozenset()
        self._lock = Lock()

    def trust(self, url: httpx.URL | str) -> None:
        """Add the origin of `url`."""
        with self._lock:
            self._origins |= {origin(httpx.URL(url))}

    def check(self, url: httpx.URL) -> None:
        """Raise ConfigurationError when `url` is of an origin that is not trusted."""
        if origin(url) in self._origins:
            return
        with self._lock:
            self._origins = self._origins or frozenset({origin(url)})
            if origin(url) not in self._origins:
                known = ", ".join(f"{scheme}://{host}:{port}" for scheme, host, port in sorted(self._origins))
                raise ConfigurationError(
                    f"the token is for {known} and is not sent to {_shown(url)!r}: "
                    "give each server its own auth object, or call trust() with the other URL"
                )


class StayAtOrigin:
    """A step of an auth flow: the request's secrets do not follow a redirect to another origin.

    httpx drops ``Authorization`` there but sends all other headers along, and a flow does not see the redirected
    request. httpx's ``trace`` extension does, just before the headers are written, and an error raised there means
    that nothing is sent. Works with httpx's own transports; a ``trace`` set by the caller goes on working.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    def run(self) -> None:
        """Guard a request sent by a Client."""
        self._install(_Guard)

    async def arun(self) -> None:
        """Guard a request sent by an AsyncClient."""
        self._install(_AsyncGuard)

    def _install(self, guard: type[_Guard]) -> None:
        extensions = self._request.extensions
        if not isinstance(extensions.get("trace"), _Guard):  # it is, when a request is sent again
            extensions["trace"] = guard(origin(self._request.url), extensions.get("trace"))


class _Guard:
    def __init__(self, home: Origin, inner: Callable[[str, Any], Any] | None) -> None:
        self._home = home
        self._inner = inner

    def __call__(self, event: str, info: Any) -> Any:
        self._check(event, info)
        return self._inner(event, info) if self._inner else None

    def _check(self, event: str, info: Any) -> None:
        if not event.endswith(".send_request_headers.started"):
            return
        sent = info["request"]
        if sent.method == b"CONNECT":  # asks a proxy for a tunnel; carries none of the request's headers
            return
        url = sent.url
        if not url.target.startswith(b"/"):  # a proxy without a tunnel is told the whole URL
            url = httpx.URL(url.target.decode("ascii"))
            target = origin(url)
        else:
            target = (url.scheme.decode("ascii"), url.host.decode("ascii"), url.origin.port)
        if target != self._home:
            raise ConfigurationError(
                f"the server redirects to {target[0]}://{target[1]}, another origin; "
                "the token is not sent there. Do not follow redirects, and check the base URL"
            )


class _AsyncGuard(_Guard):
    async def __call__(self, event: str, info: Any) -> None:
        self._check(event, info)
        if self._inner:
            await self._inner(event, info)


def _shown(url: httpx.URL) -> str:
    """The part of a URL that can hold no secret."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}" if url.host else str(url.copy_with(query=None, fragment=None))
