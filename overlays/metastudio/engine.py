"""Runs the operations behind the generated resource classes.

Arguments are checked once per call or iteration, the project is filled in, and checked JSON becomes a model.
Paging, waiting and the project lookup are imported on first use, so that a single call does not wait for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from metastudio.contract.arguments import BODY, check_arguments, likely_mistake
from metastudio.contract.json_pointer import pointer_getter
from metastudio.errors import ApiTimeoutError, BadRequestError
from metastudio.http import error_mapping
from metastudio.http.exchange import REPEATABLE, RETRY
from metastudio.http.retry import DEADLINE

if TYPE_CHECKING:
    import asyncio

    import httpx

    from metastudio.contract.operation import Endpoint, Operation
    from metastudio.http.call_settings import CallSettings
    from metastudio.http.session import AsyncSession, Session
    from metastudio.http.throttle import Throttle
    from metastudio.lists.base import AsyncFetch, Fetch, FetchedPage
    from metastudio.lists.executor import AsyncExecutor, Executor
    from metastudio.lists.options import IterateOptions, Page, WaitOptions

R = TypeVar("R")
T = TypeVar("T")

PROJECT = "project_id"
"""The path parameter that the engine fills in."""


class Engine:
    """Runs operations over blocking I/O. Threads may share it.

    Args:
        session: Sends the requests.
        project_id: The project to work in, or None to look it up when a call needs it.
        find_project: Looks up the project ID.
        settings: How calls are sent, unless as the session does.
    """

    def __init__(
        self,
        session: Session,
        project_id: str | None,
        find_project: Callable[[Session], str],
        settings: CallSettings | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._project_id = project_id
        self._find_project = find_project
        self._project_lock = threading.Lock()
        self._executor_lock = threading.Lock()
        self._iterations: Executor | None = None

    def with_settings(self, settings: CallSettings) -> Engine:
        """Return an engine with other call settings on the same session. Closing this one ends its iterations too."""
        engine = Engine(self._session, self._project_id, lambda _session: self.project_id(), settings)
        engine._iterations = self._executor()
        return engine

    def call(self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], *, retry: bool = False) -> R:
        """Send one request and return its response.

        Args:
            endpoint: The operation.
            arguments: Its keyword arguments.
            retry: Whether to send it again after a failure that leaves open whether it took effect. A read is always
                sent again.

        Raises:
            TypeError: An argument is unknown, missing, or of the wrong type. Nothing was sent.
            ValueError: A value cannot be sent. Nothing was sent.
            MetaStudioError: The call failed; see `metastudio.errors`.
        """
        _, result = self._send(endpoint, _checked(endpoint.operation, arguments), repeatable=retry)
        return result

    def iterate(
        self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], options: IterateOptions
    ) -> Generator[T, None, None]:
        """Yield every item of a list; see `metastudio.lists`."""
        from metastudio.lists.paginator import items

        return items(self.iterate_pages(endpoint, arguments, options))

    def iterate_pages(
        self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], options: IterateOptions
    ) -> Generator[Page[T], None, None]:
        """Yield every page of a list."""
        from metastudio.lists import paginator

        operation, checked = endpoint.operation, _checked(endpoint.operation, arguments)
        return paginator.iterate_pages(operation, self._fetch(endpoint), checked, self._executor(), options)

    def find(self, endpoint: Endpoint[R, T], parameter: str, identity: str) -> T | None:
        """Return the item whose ID is `identity`, which the filter `parameter` finds, or None."""
        _check_identity(endpoint.operation, parameter, identity)
        return self._find(endpoint, parameter, identity)

    def _find(self, endpoint: Endpoint[R, T], parameter: str, identity: str, deadline: float | None = None) -> T | None:
        if endpoint.operation.list_rules is None:
            from metastudio.errors import NotFoundError

            try:
                _, item = self._send(endpoint, {parameter: identity}, deadline)
            except NotFoundError:
                return None
            return cast("T", item)
        from metastudio.lists import paginator

        limit = _SearchLimit(identity, deadline)

        def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            return _fetched(endpoint, *self._send(endpoint, arguments, limit.left(), throttle))

        return paginator.find(endpoint.operation, fetch, parameter, identity)

    def wait(self, endpoint: Endpoint[R, T], parameter: str, identity: str, options: WaitOptions) -> T:
        """Poll an item until it settles; see `metastudio.lists.waiter`."""
        from metastudio.lists import waiter

        _check_identity(endpoint.operation, parameter, identity)

        def poll(deadline: float) -> T | None:
            return self._find(endpoint, parameter, identity, deadline)

        return waiter.wait(endpoint.operation, poll, identity, options)

    def project_id(self) -> str:
        """Return the project to work in, looking it up the first time where it was not given.

        Raises:
            ConfigurationError: IAM knows no project of this region, or several.
            MetaStudioError: The lookup failed.
        """
        if self._project_id is None:
            self._session.check_process()
            with self._project_lock:
                if self._project_id is None:
                    self._project_id = self._find_project(self._session)
        return self._project_id

    def close(self) -> None:
        """End running iterations, and wait for the requests that they have in flight. Later ones are refused."""
        self._executor().close()

    def _executor(self) -> Executor:
        if self._iterations is None:
            from metastudio.lists.executor import Executor

            self._session.check_process()
            with self._executor_lock:
                self._iterations = self._iterations or Executor()
        return self._iterations

    def _fetch(self, endpoint: Endpoint[R, T]) -> Fetch[T]:
        def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            return _fetched(endpoint, *self._send(endpoint, arguments, throttle=throttle))

        return fetch

    def _send(
        self,
        endpoint: Endpoint[R, T],
        arguments: Mapping[str, Any],
        deadline: float | None = None,
        throttle: Throttle | None = None,
        *,
        repeatable: bool = False,
    ) -> tuple[httpx.Response, R]:
        project_id = self.project_id() if _needs_project(endpoint, arguments) else None
        request = _request(self._session, self._settings, endpoint, arguments, project_id, repeatable=repeatable)
        try:
            response, body = self._session.call(endpoint.operation, request, deadline=deadline, throttle=throttle)
        except BadRequestError as error:
            error.hint = error.hint or likely_mistake(endpoint.operation, arguments)
            raise
        return response, _result(endpoint, response, body)


class AsyncEngine:
    """Runs operations over asyncio. Tasks of one event loop may share it. Arguments: see `Engine`."""

    def __init__(
        self,
        session: AsyncSession,
        project_id: str | None,
        find_project: Callable[[AsyncSession], Awaitable[str]],
        settings: CallSettings | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._project_id = project_id
        self._find_project = find_project
        self._lock: asyncio.Lock | None = None
        self._iterations: AsyncExecutor | None = None

    def with_settings(self, settings: CallSettings) -> AsyncEngine:
        """As `Engine.with_settings`."""
        engine = AsyncEngine(self._session, self._project_id, lambda _session: self.project_id(), settings)
        engine._iterations = self._executor()
        return engine

    async def call(self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], *, retry: bool = False) -> R:
        """As `Engine.call`."""
        _, result = await self._send(endpoint, _checked(endpoint.operation, arguments), repeatable=retry)
        return result

    def iterate(
        self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], options: IterateOptions
    ) -> AsyncGenerator[T, None]:
        """As `Engine.iterate`."""
        from metastudio.lists.paginator import async_items

        return async_items(self.iterate_pages(endpoint, arguments, options))

    def iterate_pages(
        self, endpoint: Endpoint[R, T], arguments: Mapping[str, Any], options: IterateOptions
    ) -> AsyncGenerator[Page[T], None]:
        """As `Engine.iterate_pages`."""
        from metastudio.lists import paginator

        operation, checked = endpoint.operation, _checked(endpoint.operation, arguments)
        return paginator.async_iterate_pages(operation, self._fetch(endpoint), checked, self._executor(), options)

    async def find(self, endpoint: Endpoint[R, T], parameter: str, identity: str) -> T | None:
        """As `Engine.find`."""
        _check_identity(endpoint.operation, parameter, identity)
        return await self._find(endpoint, parameter, identity)

    async def _find(
        self, endpoint: Endpoint[R, T], parameter: str, identity: str, deadline: float | None = None
    ) -> T | None:
        if endpoint.operation.list_rules is None:
            from metastudio.errors import NotFoundError

            try:
                _, item = await self._send(endpoint, {parameter: identity}, deadline)
            except NotFoundError:
                return None
            return cast("T", item)
        from metastudio.lists import paginator

        limit = _SearchLimit(identity, deadline)

        async def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            return _fetched(endpoint, *await self._send(endpoint, arguments, limit.left(), throttle))

        return await paginator.async_find(endpoint.operation, fetch, parameter, identity)

    async def wait(self, endpoint: Endpoint[R, T], parameter: str, identity: str, options: WaitOptions) -> T:
        """As `Engine.wait`."""
        from metastudio.lists import waiter

        _check_identity(endpoint.operation, parameter, identity)

        async def poll(deadline: float) -> T | None:
            return await self._find(endpoint, parameter, identity, deadline)

        return await waiter.async_wait(endpoint.operation, poll, identity, options)

    async def project_id(self) -> str:
        """As `Engine.project_id`."""
        if self._project_id is None:
            import asyncio

            self._lock = self._lock or asyncio.Lock()
            async with self._lock:
                if self._project_id is None:
                    self._project_id = await self._find_project(self._session)
        return self._project_id

    async def aclose(self) -> None:
        """Cancel running iterations, and wait until they have ended."""
        await self._executor().aclose()

    def _executor(self) -> AsyncExecutor:
        if self._iterations is None:
            from metastudio.lists.executor import AsyncExecutor

            self._iterations = AsyncExecutor()
        return self._iterations

    def _fetch(self, endpoint: Endpoint[R, T]) -> AsyncFetch[T]:
        async def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            return _fetched(endpoint, *await self._send(endpoint, arguments, throttle=throttle))

        return fetch

    async def _send(
        self,
        endpoint: Endpoint[R, T],
        arguments: Mapping[str, Any],
        deadline: float | None = None,
        throttle: Throttle | None = None,
        *,
        repeatable: bool = False,
    ) -> tuple[httpx.Response, R]:
        self._session.check_loop()
        project_id = await self.project_id() if _needs_project(endpoint, arguments) else None
        request = _request(self._session, self._settings, endpoint, arguments, project_id, repeatable=repeatable)
        try:
            response, body = await self._session.call(endpoint.operation, request, deadline=deadline, throttle=throttle)
        except BadRequestError as error:
            error.hint = error.hint or likely_mistake(endpoint.operation, arguments)
            raise
        return response, _result(endpoint, response, body)


class _SearchLimit:
    """The time that all pages of a search for one item may take: a server may ignore the filter by its ID.

    Args:
        identity: The ID.
        seconds: Time for the whole search; None for the deadline of a call, which each page may have once more.
    """

    def __init__(self, identity: str, seconds: float | None) -> None:
        self._identity = identity
        self._seconds = seconds
        self._end = time.monotonic() + (DEADLINE if seconds is None else seconds)

    def left(self) -> float | None:
        """Return the seconds that the next page may take, or None for those of a call.

        Raises:
            ApiTimeoutError: The time is over.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise ApiTimeoutError(
                f"{self._identity} was not found in time: the server returns other items and ignores the filter"
            )
        return None if self._seconds is None else left


def _checked(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return check_arguments(operation, arguments, optional=(PROJECT,))


def _check_identity(operation: Operation, parameter: str, identity: object) -> None:
    message = f"{parameter} must be the ID of one item, not {identity!r}"
    if not isinstance(identity, str):
        raise TypeError(message)
    if not identity.strip():
        raise ValueError(message)
    array = operation.by_python_name[parameter].is_array
    _checked(operation, {parameter: [identity] if array else identity})


class _CheckedBody(NamedTuple):
    """The checked JSON of a body. Generated functions call `to_dict` on a body."""

    json: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON."""
        return self.json


def _needs_project(endpoint: Endpoint[Any, Any], arguments: Mapping[str, Any]) -> bool:
    return PROJECT in endpoint.operation.by_python_name and PROJECT not in arguments


def _request(
    session: httpx.Client | httpx.AsyncClient,
    settings: CallSettings | None,
    endpoint: Endpoint[Any, Any],
    arguments: Mapping[str, Any],
    project_id: str | None,
    *,
    repeatable: bool,
) -> httpx.Request:
    """Build the request. The project goes along as an extension too, because a signature covers it."""
    if project_id is not None:
        arguments = {**arguments, PROJECT: project_id}
    if BODY in arguments:
        arguments = {**arguments, BODY: _CheckedBody(arguments[BODY])}
    extensions: dict[str, Any] = {REPEATABLE: repeatable}
    if PROJECT in arguments:
        extensions[PROJECT] = arguments[PROJECT]
    request = endpoint.request(**arguments)
    if settings is not None:
        request = settings.arguments(request)
        extensions[RETRY] = settings.retry
    return session.build_request(**request, extensions=extensions)


def _result(endpoint: Endpoint[R, Any], response: httpx.Response, body: Any) -> R:
    from metastudio.model import ResponseModel

    result = endpoint.response(body)
    if isinstance(result, ResponseModel):
        result.request_id = error_mapping.request_id(response)
    return result


def _fetched(endpoint: Endpoint[R, T], response: httpx.Response, result: R) -> FetchedPage[T]:
    from metastudio.lists.base import FetchedPage

    rules = endpoint.operation.list_rules
    assert rules is not None
    items: list[T] = pointer_getter(rules.items)(result) or []
    total = pointer_getter(rules.total)(result) if rules.total else None
    return FetchedPage(items, total, error_mapping.request_id(response))
