"""The httpx clients that the generated functions call through: retried, checked, logged, with typed errors.

`send()` is the place for all this. A retry below the signature would send an old signature again; an event hook that
raises would break a token refresh inside the auth flow; generated parsing crashes on what is not the promised JSON.
"""

from __future__ import annotations

import time
from random import random as random_number
from typing import TYPE_CHECKING, Any, Unpack

import httpx

from metastudio.errors import ApiError
from metastudio.http import connection_pool, logs, tls, url
from metastudio.http.exchange import Call, Find, Rules, no_operation
from metastudio.http.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _asyncio_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


class _Cookies(httpx.Cookies):
    """Sends what the caller put in, keeps nothing that a server sets: calls do not depend on each other."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none."""


class Session(httpx.Client):
    """An `httpx.Client` for this API: it retries, checks and logs, follows no redirects and keeps no cookies.

    Threads may share it. After a fork the child opens connections of its own (a `transport` of the caller's is the
    caller's to make fork-safe). Closing it breaks the calls that other threads are still making.

    Args:
        retry: when to try again.
        find_operation: gives the operation of the contract for a method and a path below `base_url`, or None.
            Successful answers of an operation are checked; other requests only get typed errors.
        clock, sleep, random: monotonic seconds, waiting, numbers from 0 to below 1; given by tests.
        settings: as for `httpx.Client`; see `metastudio.http.tls.Settings`.

    Raises:
        ConfigurationError: settings that cannot work; in a call, a closed session or an impossible URL.
        ApiError, ResponseFormatError, ApiConnectionError: in a call; see `metastudio.errors`.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        find_operation: Find = no_operation,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_number,
        **settings: Unpack[tls.Settings],
    ) -> None:
        logs.follow_environment()
        self._rules = Rules(retry or RetryPolicy(), find_operation, clock, random)
        self._sleep = sleep
        self._arguments = tls.arguments(settings)
        self._fork = tls.ForkGuard()
        self._connect()

    def _connect(self) -> None:
        tls.build(super().__init__, self._arguments)
        self._cookies = _Cookies(self._cookies)

    def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = False,
    ) -> httpx.Response:
        """Send `request` until it succeeds or the retry policy ends, signing each attempt afresh.

        A success that is to be streamed is handed out unread and unchecked. Redirects are errors in any case.
        """
        self._fork.check(self, self._connect)
        call = Call(self._rules, self, request)
        while True:
            call.begin()
            try:
                response = super().send(request, stream=True, auth=auth, follow_redirects=False)
                if stream and response.is_success:
                    return response
                body = call.watch(response)
                try:
                    response.read()
                except httpx.DecodingError:
                    body.drain()
                finally:
                    response.close()
            except (httpx.RequestError, ApiError) as error:
                wait = call.failed(error)
            else:
                settled = call.answered(response, body)
                if settled is None:
                    return response
                wait = settled
            self._sleep(wait)

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """As httpx does; a URL or header that cannot be sent is a ConfigurationError."""
        try:
            return super().build_request(*args, **url.merge(self, kwargs))
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise tls.unsendable(error) from None

    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        return request  # not sent; httpx would choke on a bad Location before the redirect can be reported

    def _init_transport(self, *args: Any, **settings: Any) -> httpx.BaseTransport:
        return connection_pool.in_lanes(super()._init_transport, *args, **settings)

    def _init_proxy_transport(self, *args: Any, **settings: Any) -> httpx.BaseTransport:
        return connection_pool.in_lanes(super()._init_proxy_transport, *args, **settings)


class AsyncSession(httpx.AsyncClient):
    """An `httpx.AsyncClient` for this API; all that is said of `Session` holds for it.

    Tasks of one event loop (asyncio) may share it. A cancelled call leaves no connection behind.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        find_operation: Find = no_operation,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = _asyncio_sleep,
        random: Callable[[], float] = random_number,
        **settings: Unpack[tls.Settings],
    ) -> None:
        logs.follow_environment()
        self._rules = Rules(retry or RetryPolicy(), find_operation, clock, random)
        self._sleep = sleep
        self._arguments = tls.arguments(settings)
        self._fork = tls.ForkGuard()
        self._connect()

    def _connect(self) -> None:
        tls.build(super().__init__, self._arguments)
        self._cookies = _Cookies(self._cookies)

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = False,
    ) -> httpx.Response:
        """As `Session.send`."""
        self._fork.check(self, self._connect)
        call = Call(self._rules, self, request)
        while True:
            call.begin()
            try:
                response = await super().send(request, stream=True, auth=auth, follow_redirects=False)
                if stream and response.is_success:
                    return response
                body = call.watch(response)
                try:
                    await response.aread()
                except httpx.DecodingError:
                    await body.adrain()
                finally:
                    await response.aclose()
            except (httpx.RequestError, ApiError) as error:
                wait = call.failed(error)
            else:
                settled = call.answered(response, body)
                if settled is None:
                    return response
                wait = settled
            await self._sleep(wait)

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """As `Session.build_request`."""
        try:
            return super().build_request(*args, **url.merge(self, kwargs))
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise tls.unsendable(error) from None

    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        return request

    def _init_transport(self, *args: Any, **settings: Any) -> httpx.AsyncBaseTransport:
        return connection_pool.in_async_lanes(super()._init_transport, *args, **settings)

    def _init_proxy_transport(self, *args: Any, **settings: Any) -> httpx.AsyncBaseTransport:
        return connection_pool.in_async_lanes(super()._init_proxy_transport, *args, **settings)
