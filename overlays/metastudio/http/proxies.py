"""The proxies of the environment, which requests to this machine bypass.

Plain http is accepted on the loopback interface because it does not leave the machine. A proxy would read it, with the
tokens and passwords in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.request import getproxies

import httpx

from metastudio.errors import ConfigurationError
from metastudio.http.tls import ssl_context

_LOOPBACK = "localhost,127.0.0.0/8,::1"


def is_loopback(host: str) -> bool:
    """Return whether a host, without brackets, is this machine: localhost or a name below it, 127.0.0.0/8 or ::1."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def environment_proxies() -> dict[str, str]:
    """Return the URL of the proxy for "http", "https" and "all", as far as the environment names one."""
    found = getproxies()
    if "*" in (host.strip() for host in found.get("no", "").split(",")):
        return {}
    proxies = {scheme: found[scheme] for scheme in ("http", "https", "all") if found.get(scheme)}
    return {scheme: proxy if "://" in proxy else f"http://{proxy}" for scheme, proxy in proxies.items()}


class LoopbackBypass(httpx.BaseTransport):
    """Sends requests to this machine directly, and all others through a proxy."""

    def __init__(self, direct: httpx.BaseTransport, proxied: httpx.BaseTransport) -> None:
        self._direct = direct
        self._proxied = proxied

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        transport = self._direct if is_loopback(request.url.host) else self._proxied
        return transport.handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        self._direct.close()
        self._proxied.close()


class AsyncLoopbackBypass(httpx.AsyncBaseTransport):
    """The bypass for `httpx.AsyncClient`."""

    def __init__(self, direct: httpx.AsyncBaseTransport, proxied: httpx.AsyncBaseTransport) -> None:
        self._direct = direct
        self._proxied = proxied

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        transport = self._direct if is_loopback(request.url.host) else self._proxied
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._direct.aclose()
        await self._proxied.aclose()


def bypass_mounts(
    proxies: dict[str, str], bypass: Callable[[Any, Any], Any], direct: Any, make: Callable[..., Any]
) -> dict[str, Any]:
    """Return the argument `mounts` of an httpx client that would send requests to this machine to a proxy.

    `NO_PROXY` keeps its effect, because httpx prefers its entries, which are more specific.

    Args:
        proxies: The proxies, from `environment_proxies`.
        bypass: `LoopbackBypass` or `AsyncLoopbackBypass`.
        direct: The transport for requests to this machine.
        make: Makes a transport that uses the given `proxy`.
    """
    return {f"{scheme}://": bypass(direct, make(proxy=proxy)) for scheme, proxy in proxies.items()}


def exclude_loopback() -> None:
    """Add this machine to `NO_PROXY` if the environment names a proxy, for libraries that read it, such as requests.

    It stays there until the process ends, because another thread may rely on it.
    """
    if environment_proxies():
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if _LOOPBACK not in excluded:
            os.environ["no_proxy"] = f"{excluded},{_LOOPBACK}".lstrip(",")


def plain_client(*, verify: bool | str = True, **options: Any) -> httpx.Client:
    """Return an `httpx.Client` whose requests to this machine bypass the proxies of the environment.

    Args:
        verify: As for `metastudio.http.tls.ssl_context`.
        options: Further arguments of `httpx.Client`.

    Raises:
        ConfigurationError: A proxy of the environment or a certificate file cannot be used.
    """
    context = ssl_context(verify)
    make = partial(httpx.HTTPTransport, verify=context)
    try:
        mounts = {}
        if options.get("transport") is None and (proxies := environment_proxies()):
            mounts = bypass_mounts(proxies, LoopbackBypass, make(), make)
        return httpx.Client(verify=context, mounts=mounts, **options)
    except (httpx.InvalidURL, ImportError, ValueError):  # the messages may quote a password
        raise ConfigurationError("a proxy of the environment cannot be used; check HTTPS_PROXY and NO_PROXY") from None
