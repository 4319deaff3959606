"""Authentication by a token in ``X-Auth-Token``, given or returned by a function."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from metastudio.auth import flow
from metastudio.auth.clock import Clock
from metastudio.auth.credentials import require_visible_ascii
from metastudio.auth.flow import Action, AuthFlow, Step
from metastudio.auth.origin_policy import TrustedOrigins, restrict_to_origin
from metastudio.auth.refresh import RefreshableValue
from metastudio.errors import ConfigurationError
from metastudio.http import error_mapping, hints
from metastudio.http.exchange import LOGIN_FAILED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from datetime import datetime

    import httpx

ADVISORY_WINDOW, MANDATORY_WINDOW = timedelta(minutes=15), timedelta(minutes=1)
"""When a token is refreshed before it expires; see `metastudio.auth.refresh`."""


class TokenFlow(AuthFlow):
    """The base class of token authentication. Subclasses say in `refresh` how to get a token.

    Args:
        token: A token that is never refreshed.
        clock: The time that the expiration of a token is compared with.
    """

    def __init__(self, token: str | None = None, *, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._origins = TrustedOrigins()
        self._token = RefreshableValue[str](self.clock.now, token, advisory=ADVISORY_WINDOW, mandatory=MANDATORY_WINDOW)
        self._refreshable = token is None

    @abstractmethod
    def refresh(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Return a new token and the time it expires, None if unknown. `request` is the request that needs it."""

    def trust(self, url: httpx.URL | str) -> None:
        """Let the token be sent to the origin of a URL.

        The token is sent to trusted origins only. If there is none, the origin of the first request becomes trusted.
        """
        self._origins.trust(url)

    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """Send the request with the token; if the server refuses the token, send it once more with a new one."""
        self._origins.check(request.url)
        refresh = partial(self.refresh, request)
        timeout = flow.read_timeout(request)
        try:
            token = self._token.current() or (yield from self._token.get(refresh, timeout=timeout))
        except GeneratorExit:  # httpx closes the flow because a login got no response
            request.extensions[LOGIN_FAILED] = self._token.current() is not None
            raise
        request.headers["X-Auth-Token"] = token
        yield restrict_to_origin(request)
        response = yield request
        if self._refreshable and (yield from _is_token_refused(response)):
            new_token = yield from self._token.get(refresh, refused=token, timeout=timeout)
            if new_token != token:
                request.headers["X-Auth-Token"] = new_token
                yield request


class TokenAuth(TokenFlow):
    """Sends a token as ``X-Auth-Token``. Works with httpx.Client and httpx.AsyncClient.

    The token is sent to one origin only: that of the first request, or those named with `trust`.

    Args:
        token: The token, or a function that returns one; for async clients, the function may be async. It is called
            for the first request, and once more when the server refuses the token. An async client calls a plain
            function in a worker thread. What it raises is raised to the caller.

    Raises:
        CredentialsError: The token is empty, or has blanks, line breaks or non-ASCII characters.
        ConfigurationError: In a request: the origin is not trusted, or a sync client has an async function.
    """

    def __init__(self, token: str | Callable[[], str] | Callable[[], Awaitable[str]]) -> None:
        if callable(token):
            super().__init__()
            self._function = token
        else:
            super().__init__(require_visible_ascii("token", token))

    def refresh(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Call the function."""
        return require_visible_ascii("token", (yield Action(self._call, self._acall))), None

    def _call(self) -> Any:
        result = self._function()
        if inspect.iscoroutine(result):
            result.close()
            raise ConfigurationError("the token function is async; pass a plain function, or use an async client")
        return result

    async def _acall(self) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._function()
        result = await flow.call(self._function).arun()
        return await result if inspect.isawaitable(result) else result

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'function' if vars(self).get('_refreshable') else '***'})"


def _is_token_refused(response: httpx.Response) -> Generator[Step, Any, bool]:
    """Return whether the server refuses the token: by 401, or 400 or 403 with one of certain codes.

    See docs/service-notes.md#refused-tokens.
    """
    if response.status_code not in (400, 403):
        return response.status_code == 401
    yield flow.read(response)
    return error_mapping.api_error(response).error_code in hints.TOKEN_REFUSED
