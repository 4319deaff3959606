"""Requests to this machine never go through a proxy, even if the environment or the caller names one.

Plain http is accepted on the loopback interface because it does not leave the machine. A proxy would read it, with the
tokens and passwords in it.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from metastudio.errors import ConfigurationError
from metastudio.http import logs
from metastudio.http.tls import ssl_context

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

DIRECT_MOUNTS: dict[str, Any] = {
    "all://localhost": None,
    "all://*.localhost": None,
    "all://127.0.0.1": None,
    "all://[::1]": None,
}
"""The argument `mounts` of an httpx client that sends what `is_loopback` accepts past all proxies.

`NO_PROXY` keeps its effect, because httpx reads the environment itself.
"""


def is_loopback(host: str) -> bool:
    """Return whether a host, without brackets, is one of `DIRECT_MOUNTS`: localhost or a name below it, 127.0.0.1, ::1.

    Other spellings and addresses of this machine do not count, because a proxy of the environment would get them.
    """
    return host in _LOOPBACK or host.endswith(".localhost")


def check_proxies(given: httpx.Proxy | httpx.URL | str | None, *, trust_env: bool) -> None:
    """Check the URLs of the proxies that apply, so that an error can name the option or the variable.

    Args:
        given: The argument `proxy` of the client.
        trust_env: Whether the environment applies.

    Raises:
        ConfigurationError: One cannot be used. It is not quoted, because it may have a password.
    """
    if given is not None:
        _check_proxy("proxy", given.url if isinstance(given, httpx.Proxy) else given)
    elif trust_env:
        found = getproxies()
        for scheme in ("http", "https", "all"):
            if url := found.get(scheme):
                _check_proxy(_variable(f"{scheme}_proxy"), url if "://" in url else f"http://{url}")


def _check_proxy(name: str, given: httpx.URL | str) -> None:
    try:
        url = httpx.URL(given)
        valid = (url.port or 1) <= 65535 and "%20" not in url.host  # a blank
    except (httpx.InvalidURL, ValueError):
        url, valid = httpx.URL(), False
    if not valid:
        raise ConfigurationError(f"{name} is not a valid URL: write http://host:port")
    if url.scheme not in ("http", "https", "socks5", "socks5h"):
        raise ConfigurationError(f"{name} must begin with http://, https:// or socks5://")
    if not url.host:
        raise ConfigurationError(f"{name} names no host: write http://host:port")


def _variable(name: str) -> str:
    """Return the spelling of a variable that applies: urllib prefers lower case."""
    return name if os.environ.get(name) or not os.environ.get(name.upper()) else name.upper()


def invalid_no_proxy() -> ConfigurationError:
    """Return the error for an entry of `NO_PROXY` that httpx refuses."""
    return ConfigurationError(f"{_variable('no_proxy')} has an entry that is not a host: write host,.domain,address")


def proxy_of(url: httpx.URL, given: httpx.Proxy | httpx.URL | str | None, *, trust_env: bool) -> str | None:
    """Return the proxy that a request goes through, as scheme, host and port; None if it goes directly.

    Args:
        url: The URL of the request.
        given: The argument `proxy` of the client.
        trust_env: Whether the environment applies.
    """
    if is_loopback(url.host):
        return None
    found: httpx.URL | str | None = given.url if isinstance(given, httpx.Proxy) else given
    if found is None and trust_env and not proxy_bypass(url.host):
        proxies = getproxies()
        found = proxies.get(url.scheme) or proxies.get("all")
    if not found:
        return None
    proxy = httpx.URL(found if "://" in str(found) else f"http://{found}")
    return f"{proxy.scheme}://{proxy.netloc.decode('ascii')}"


def exclude_loopback() -> None:
    """Add this machine to `NO_PROXY` if the environment names a proxy, for libraries that read it, such as requests.

    It stays there until the process ends, because another thread may rely on it.
    """
    if getproxies():
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        loopback = ",".join(_LOOPBACK)
        if loopback not in excluded:
            os.environ["no_proxy"] = f"{excluded},{loopback}".lstrip(",")


def plain_client(*, verify: bool | str = True, **options: Any) -> httpx.Client:
    """Return an `httpx.Client` whose requests to this machine bypass all proxies.

    Args:
        verify: As for `metastudio.http.tls.ssl_context`.
        options: Further arguments of `httpx.Client`.

    Raises:
        ConfigurationError: A proxy of the environment or a certificate file cannot be used.
    """
    logs.keep_reason_phrases_out()
    check_proxies(None, trust_env=True)
    context = ssl_context(verify)
    try:
        return httpx.Client(verify=context, mounts=DIRECT_MOUNTS, **options)
    except httpx.InvalidURL:
        raise invalid_no_proxy() from None
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"a proxy of the environment cannot be used: {error}") from None
