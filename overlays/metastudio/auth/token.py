"""Authentication by a token in ``X-Auth-Token``: one that is given, or that a function gives."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from metastudio.auth.clock import Clock
from metastudio.auth.flow import Call, ReadResponse, Step, StepAuth
from metastudio.auth.origin_policy import StayAtOrigin, TrustedOrigins
from metastudio.auth.refresh import Renewal
from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.http import error_mapping, hints

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from datetime import datetime

EARLY, LATE = timedelta(minutes=15), timedelta(minutes=1)
"""How long before its end a token is renewed, by one caller and by all."""


class TokenFlow(StepAuth):
    """What token authentication has in common; where a token comes from is left to ``renew``."""

    def __init__(self, token: str | None = None, *, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._origins = TrustedOrigins()
        self._renewal = Renewal[str](token, early=EARLY, late=LATE, now=self.clock.now)
        self._renewable = token is None

    @abstractmethod
    def renew(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Steps to a new token and the time it ends, on behalf of `request`."""

    def trust(self, url: httpx.URL | str) -> None:
        """Let the token be sent to the origin of `url` too.

        It goes to trusted origins only; without any, the first request's origin becomes the one.
        """
        self._origins.trust(url)

    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """Send with the token; when the server refuses it, once more with another one."""
        self._origins.check(request.url)
        renew = partial(self.renew, request)
        token = self._renewal.fresh() or (yield from self._renewal.get(renew))
        request.headers["X-Auth-Token"] = token
        yield StayAtOrigin(request)
        response = yield request
        if self._renewable and (yield from _is_refused(response)):
            another = yield from self._renewal.get(renew, refused=token)
            if another != token:
                request.headers["X-Auth-Token"] = another
                yield request

    def __reduce__(self) -> NoReturn:
        raise TypeError("an auth object holds secrets and is not pickled: make another one in the other process")


class TokenAuth(TokenFlow):
    """Sends a token as ``X-Auth-Token``, for a sync or async httpx client.

    The token is sent to one origin only: that of the first request, or those named with ``trust``.

    Args:
        token: the token; or a function that gives one, plain or, for async clients, async. It is called when a token
            is first needed, and once more when the server refuses the token; an async client calls a plain function
            in a worker thread. What it raises goes through to the caller.

    Raises:
        CredentialsError: the token is empty, or holds blanks, line breaks or non-ASCII characters.
        ConfigurationError: in a request, which is for another origin; or an async function met a sync client.
    """

    def __init__(self, token: str | Callable[[], str] | Callable[[], Awaitable[str]]) -> None:
        if callable(token):
            super().__init__()
            self._function = token
        else:
            super().__init__(_checked(token))

    def renew(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Call the function."""
        token = yield _CallEither(self._function)
        return _checked(token), None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'function' if self._renewable else '***'})"


class _CallEither(Call):
    """Calls a plain function or an async one."""

    def run(self) -> Any:
        result = super().run()
        if inspect.iscoroutine(result):
            result.close()
            raise ConfigurationError("an async token function needs an async client; give this one a plain function")
        return result

    async def arun(self) -> Any:
        result = self._function() if inspect.iscoroutinefunction(self._function) else await super().arun()
        return await result if inspect.isawaitable(result) else result


def _checked(token: object) -> str:
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise CredentialsError("the token is missing, or holds blanks, line breaks or non-ASCII characters")
    return token


def _is_refused(response: httpx.Response) -> Generator[Step, Any, bool]:
    """Whether the server wants another token. It may also say so with 400 or 403 and a code (facts 4.1, 4.3)."""
    if response.status_code not in (400, 403):
        return response.status_code == 401
    yield ReadResponse(response)
    return error_mapping.api_error(response).error_code in hints.TOKEN_REFUSED
