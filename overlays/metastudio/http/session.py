"""The httpx clients behind every call: retried, checked, logged, with typed errors.

All this happens in `send`, around that of httpx: a retry inside a transport would resend an old signature, and an event
hook that raises would break a token refresh inside an auth flow.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from os import getpid
from random import random as random_number
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.request import getproxies

import httpx

from metastudio.errors import ApiError, ConfigurationError
from metastudio.http import logs, trailing_data, url
from metastudio.http.connection_pool import AsyncConnectionPool, ConnectionPool
from metastudio.http.deadline import DEADLINE_PASSED, deadline, limit_connections
from metastudio.http.exchange import Exchange, ExchangeRules, check_process
from metastudio.http.proxies import DIRECT_MOUNTS, check_proxies, invalid_no_proxy, proxy_of
from metastudio.http.response import ACCEPT_ENCODING, MAX_RESPONSE_SIZE, ResponseBody
from metastudio.http.retry import RetryPolicy
from metastudio.http.tls import ssl_context

if TYPE_CHECKING:
    import asyncio

    from metastudio.contract.operation import Operation
    from metastudio.http.throttle import Throttle

DEFAULT_TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=None)
"""Seconds for each wait of an attempt. Waiting for a free connection is bounded by the call's deadline only."""

_GRACE = 0.05
"""Seconds after the deadline until a task is cancelled, so that a timeout of httpx, which says more, comes first."""

DEFAULT_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30.0)
"""Enough for the 10 to 20 requests a second that docs/service-notes.md#limits-and-throttling states."""


class TransportOptions(TypedDict, total=False):
    """Options of the connections, as for `httpx.Client`. `verify` and `cert` also take paths.

    `max_response_size` limits the bytes of a response after decoding, 64 MiB by default; None means no limit.
    """

    verify: bool | str | ssl.SSLContext
    cert: str | tuple[str, str] | tuple[str, str, str] | None
    proxy: httpx.Proxy | httpx.URL | str | None
    trust_env: bool
    http2: bool
    limits: httpx.Limits | None
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
    event_hooks: Mapping[str, list[Callable[..., Any]]] | None
    max_response_size: int | None


class SessionOptions(TransportOptions, total=False):
    """Keyword arguments of a session that are passed on to httpx."""

    auth: httpx.Auth | None
    base_url: httpx.URL | str
    headers: Mapping[str, str] | None
    timeout: httpx.Timeout | float | None


class _CallerCookies(httpx.Cookies):
    """The cookies that the caller sets. None of a server is accepted, because calls are independent."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Ignore Set-Cookie."""


class _SessionBase:
    """What both sessions share: their settings, how a request is built, and `_CallerCookies`.

    The jar of httpx would cost a tenth of the CPU time of a call, even without any cookie.
    """

    _pool: Callable[[ssl.SSLContext, httpx.Limits], Any]
    _hooks: Callable[..., dict[str, list[Callable[..., Any]]]]
    _wait: Callable[[float], Any]

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        operations: Collection[Operation] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] | None = None,
        random: Callable[[], float] = random_number,
        **options: Unpack[SessionOptions],
    ) -> None:
        logs.follow_environment()
        logs.keep_reason_phrases_out()
        proxy = partial(proxy_of, given=options.get("proxy"), trust_env=_trusts_environment(options))
        self._rules = ExchangeRules(retry or RetryPolicy(), clock, random, getpid(), proxy)
        self._operations = operations
        self._sleep = sleep or self._wait
        self._caller_cookies = _CallerCookies()
        _build(super().__init__, self._pool, self._hooks, options)

    def check_process(self) -> None:
        """Raise ConfigurationError in a forked child, before it waits for a lock of its parent."""
        check_process(self._rules.process)

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Build a request as httpx does; a URL or header that cannot be sent is a ConfigurationError."""
        client: Any = self
        parent: Any = super()
        try:
            request: httpx.Request = parent.build_request(*args, **url.merge(client, kwargs))
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise _unsendable(error) from None
        return request

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies that are sent."""
        return self._caller_cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._caller_cookies = _CallerCookies(cookies)


def _limit_body(limit: int | None, response: httpx.Response) -> None:
    trailing_data.refuse_trailing_data(response)
    response.stream = ResponseBody(response, limit)


def _unlimited(response: httpx.Response) -> httpx.Response:
    """Leave the size of a body to a caller who reads it as a stream."""
    if isinstance(response.stream, ResponseBody):
        response.stream.limit = None
    return response


def _hide_location(response: httpx.Response) -> None:
    """Remove the Location, because httpx raises on an invalid one before the status can be read."""
    if response.has_redirect_location:
        response.extensions["location"] = response.headers.pop("Location")


def _hooks(given: Mapping[str, list[Callable[..., Any]]], limit: int | None) -> dict[str, list[Callable[..., Any]]]:
    """Return the event hooks of a session. They also run for what an auth flow sends and receives."""
    return {
        **given,
        "response": [partial(_limit_body, limit), *given.get("response", ()), _hide_location],
    }


def _async_hooks(
    given: Mapping[str, list[Callable[..., Any]]], limit: int | None
) -> dict[str, list[Callable[..., Any]]]:
    async def limit_body(response: httpx.Response) -> None:
        _limit_body(limit, response)
        trailing_data.watch(response)

    async def hide_location(response: httpx.Response) -> None:
        _hide_location(response)

    return {**given, "response": [limit_body, *given.get("response", ()), hide_location]}


async def _asyncio_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


class Session(_SessionBase, httpx.Client):
    """An `httpx.Client` for this API: it retries, checks and logs, follows no redirects and ignores Set-Cookie.

    Threads may share it. A forked child must make its own. Closing it breaks the calls of other threads.

    Args:
        retry: When to try again.
        operations: The operations of the contract, for requests that come through `send` (the generated functions).
            Their successful responses are checked; other requests only get typed errors.
        clock, sleep, random: Monotonic seconds, waiting, and numbers from 0 to below 1; replaced by tests.
        options: As for `httpx.Client`; see `SessionOptions`.

    Raises:
        ConfigurationError: An option is invalid; in a call: the session is closed, or the URL is invalid.
        ApiError, ResponseFormatError, ApiConnectionError: In a call; see `metastudio.errors`.
    """

    _pool = ConnectionPool
    _hooks = staticmethod(_hooks)
    _wait = staticmethod(time.sleep)

    def call(
        self,
        operation: Operation,
        request: httpx.Request,
        *,
        deadline: float | None = None,
        throttle: Throttle | None = None,
    ) -> tuple[httpx.Response, Any]:
        """Send the request of an operation until it succeeds or the retry policy ends.

        Args:
            operation: The operation of the contract.
            request: Its request, from `build_request`.
            deadline: Seconds for the whole call, unless the retry policy allows less.
            throttle: The throttle of the iteration that the request belongs to.

        Returns:
            The response, and its checked JSON (None if the contract declares none).
        """
        exchange = Exchange(self._rules, self, request, operation, deadline=deadline, throttle=throttle)
        return self._run(exchange), exchange.value

    def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = False,
    ) -> httpx.Response:
        """Send a request as httpx does, with retries, checks and typed errors.

        A success that is to be streamed is returned unread and unchecked. Redirects are errors in any case.
        """
        operation = _operation_of(self, self._operations, request)
        exchange = Exchange(self._rules, self, request, None if stream else operation)
        return _with_json(self._run(exchange, stream=stream, auth=auth), exchange)

    def _run(self, exchange: Exchange, *, stream: bool = False, auth: Any = httpx.USE_CLIENT_DEFAULT) -> httpx.Response:
        while True:
            exchange.begin()
            try:
                response, problem = self._attempt(exchange, stream=stream, auth=auth)
            except (httpx.RequestError, ApiError) as error:
                pause = exchange.failed(error)
            else:
                if stream and response.is_success:
                    return response
                if (wait := exchange.received(response, problem)) is None:
                    return response
                pause = wait
            self._sleep(pause)

    def _attempt(self, exchange: Exchange, *, stream: bool, auth: Any) -> tuple[httpx.Response, str | None]:
        """Send the request once. Return the response, and why its body could not be read."""
        with deadline(exchange.time_left()):
            response = super().send(exchange.request, stream=True, auth=auth, follow_redirects=False)
            if stream and response.is_success:
                return _unlimited(response), None
            try:
                response.read()
            except httpx.DecodingError as error:
                return response, str(error)
            finally:
                response.close()
            return response, None


class AsyncSession(_SessionBase, httpx.AsyncClient):
    """The asynchronous counterpart of `Session`.

    Tasks of one event loop (asyncio) may share it. A cancelled call leaves no connection behind.
    """

    _pool = AsyncConnectionPool
    _hooks = staticmethod(_async_hooks)
    _wait = staticmethod(_asyncio_sleep)
    _loop: asyncio.AbstractEventLoop | None = None

    def check_loop(self) -> None:
        """Raise ConfigurationError in another event loop than at first: connections cannot leave their loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise ConfigurationError(
                "this client belongs to another event loop; make one in each loop, so in each asyncio.run()"
            )

    async def call(
        self,
        operation: Operation,
        request: httpx.Request,
        *,
        deadline: float | None = None,
        throttle: Throttle | None = None,
    ) -> tuple[httpx.Response, Any]:
        """As `Session.call`."""
        exchange = Exchange(self._rules, self, request, operation, deadline=deadline, throttle=throttle)
        return await self._run(exchange), exchange.value

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = False,
    ) -> httpx.Response:
        """As `Session.send`."""
        operation = _operation_of(self, self._operations, request)
        exchange = Exchange(self._rules, self, request, None if stream else operation)
        return _with_json(await self._run(exchange, stream=stream, auth=auth), exchange)

    async def _run(
        self, exchange: Exchange, *, stream: bool = False, auth: Any = httpx.USE_CLIENT_DEFAULT
    ) -> httpx.Response:
        while True:
            exchange.begin()
            try:
                response, problem = await self._attempt(exchange, stream=stream, auth=auth)
            except (httpx.RequestError, ApiError) as error:
                pause = exchange.failed(error)
            else:
                if stream and response.is_success:
                    return response
                if (wait := exchange.received(response, problem)) is None:
                    return response
                pause = wait
            await self._sleep(pause)

    async def _attempt(self, exchange: Exchange, *, stream: bool, auth: Any) -> tuple[httpx.Response, str | None]:
        import asyncio

        left = exchange.time_left()
        timer = asyncio.timeout(None if left is None else left + _GRACE)
        try:
            async with timer:
                response = await super().send(exchange.request, stream=True, auth=auth, follow_redirects=False)
                if stream and response.is_success:
                    return _unlimited(response), None
                try:
                    await response.aread()
                except httpx.DecodingError as error:
                    return response, str(error)
                finally:
                    await response.aclose()
                return response, None
        except TimeoutError:
            if not timer.expired():
                raise
            raise httpx.ReadTimeout(DEADLINE_PASSED, request=exchange.request) from None


def _build(construct: Callable[..., None], pool: Any, hooks: Callable[..., Any], options: SessionOptions) -> None:
    """Call httpx's constructor. What it refuses becomes a ConfigurationError."""
    given: dict[str, Any] = dict(options)
    http2, trust_env = given.get("http2", False), given.get("trust_env", True)
    given["verify"] = ssl_context(given.pop("verify", True), given.pop("cert", None), http2=http2, trust_env=trust_env)
    given["limits"] = given.get("limits") or DEFAULT_LIMITS
    limit = _size_limit(given.pop("max_response_size", MAX_RESPONSE_SIZE))
    given["event_hooks"] = hooks(given.get("event_hooks") or {}, limit)
    given.setdefault("timeout", DEFAULT_TIMEOUT)
    transport, is_async = given.get("transport"), pool is not ConnectionPool
    if transport is not None and not hasattr(transport, "handle_async_request" if is_async else "handle_request"):
        kind = "httpx.AsyncBaseTransport" if is_async else "httpx.BaseTransport"
        raise ConfigurationError(f"transport must be an {kind}, not {type(transport).__name__}")
    check_proxies(given.get("proxy"), trust_env=_trusts_environment(options))
    try:
        given["base_url"] = httpx.URL(given.get("base_url", ""))
        given["headers"] = headers = httpx.Headers(given.get("headers"))
        headers.setdefault("Accept-Encoding", ACCEPT_ENCODING)
        if given.get("proxy") or (_trusts_environment(options) and getproxies()):
            given["mounts"] = DIRECT_MOUNTS
        elif not (given.get("transport") or http2):  # HTTP/2 carries many requests on one connection
            given["transport"] = pool(given["verify"], given["limits"])
        if pool is ConnectionPool and not isinstance(given.get("transport"), ConnectionPool):
            hooks_before = given["event_hooks"].get("request", ())
            given["event_hooks"]["request"] = [*hooks_before, limit_connections]
        try:
            construct(**given)
        except httpx.InvalidURL:  # all other URLs were parsed before
            raise invalid_no_proxy() from None
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise _unsendable(error) from None
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the connection cannot be set up with these options: {error}") from None


def _trusts_environment(options: SessionOptions) -> bool:
    """Whether a proxy of the environment applies."""
    return options.get("trust_env", True) and not options.get("transport")


def _size_limit(given: Any) -> int | None:
    if given is not None and (type(given) is not int or given <= 0):
        raise ConfigurationError(f"max_response_size must be a number of bytes above 0, or None, not {given!r}")
    return given


def _operation_of(
    client: httpx.Client | httpx.AsyncClient, operations: Collection[Operation], request: httpx.Request
) -> Operation | None:
    """The operation that a request is for, found by its method and its path below the base URL."""
    if not operations:
        return None
    from metastudio.contract.operation import find_operation

    path, base = request.url.raw_path.partition(b"?")[0], client.base_url.raw_path
    below = path[len(base) - 1 :] if path.startswith(base) else path
    found = find_operation(operations, request.method, below.decode("ascii"))
    if found is None:
        return None
    operation, arguments = found
    if "project_id" in arguments:
        request.extensions.setdefault("project_id", arguments["project_id"])
    return operation


def _with_json(response: httpx.Response, exchange: Exchange) -> httpx.Response:
    """Leave the checked JSON to the generated parser, which takes it once (`types.read_json`)."""
    if exchange.value is not None:
        response.extensions["json"] = exchange.value
    return response


def _unsendable(error: httpx.InvalidURL | UnicodeEncodeError) -> ConfigurationError:
    """Return the error for an invalid URL or header. It quotes neither, because they may hold a password."""
    if isinstance(error, UnicodeEncodeError):
        return ConfigurationError("a header value holds characters that are not ASCII")
    return ConfigurationError(f"not a valid URL: {str(error).partition(':')[0]}")
