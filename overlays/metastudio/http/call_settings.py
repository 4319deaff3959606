"""Settings of calls that differ from those of their session: `with_options` of the clients."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from metastudio.errors import ConfigurationError
from metastudio.http.retry import RetryPolicy

if TYPE_CHECKING:
    import httpx

OWN_HEADERS = frozenset(
    {
        "authorization",
        "content-length",
        "host",
        "transfer-encoding",
        "x-auth-token",
        "x-project-id",
        "x-sdk-date",
        "x-security-token",
    }
)
"""Headers that the client computes."""


class CallSettings(NamedTuple):
    """How calls are sent.

    Attributes:
        timeout: The timeouts of an attempt.
        retry: When to try again.
        headers: Headers that each request has in addition.
    """

    timeout: httpx.Timeout
    retry: RetryPolicy
    headers: Mapping[str, str] = MappingProxyType({})

    def changed(
        self, *, timeout: httpx.Timeout | None, max_retries: int | None, headers: Mapping[str, str] | None
    ) -> CallSettings:
        """Return these settings with those replaced that are given, and the headers added.

        Raises:
            ConfigurationError: A value is out of range, or a header is one that the client computes or cannot be sent.
        """
        for name, value in (headers or {}).items():
            if name.lower() in OWN_HEADERS:
                raise ConfigurationError(f"headers must not have {name}: the client computes it from its credentials")
            if not (name.isascii() and isinstance(value, str) and value.isascii() and value.isprintable()):
                raise ConfigurationError(f"the value of the header {name!a} must be printable ASCII text")
        timeout = timeout or self.timeout
        return CallSettings(
            timeout,
            RetryPolicy.within(timeout, max_retries=self.retry.max_retries if max_retries is None else max_retries),
            {**self.headers, **{name.lower(): value for name, value in (headers or {}).items()}},
        )

    def arguments(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of `build_request` for a request. Its own headers win."""
        own = {name.lower(): value for name, value in request.get("headers", {}).items()}
        return {**request, "timeout": self.timeout, "headers": {**self.headers, **own}}
