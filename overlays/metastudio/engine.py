"""What the generated resource classes run on: arguments checked, the project filled in, answers unpacked.

Paging, waiting and finding the project are loaded when they are first used: a single call does not wait for them.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from metastudio.contract.arguments import prepare
from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import Operation, operations
from metastudio.lists.executor import AsyncExecutor, Executor

if TYPE_CHECKING:
    import asyncio

    from metastudio_client._engine import Binding, IterateOptions, WaitOptions
    from metastudio_client.client import Client
    from metastudio_client.types import Response

    from metastudio.config import Settings
    from metastudio.http.throttle import Throttle
    from metastudio.lists.options import Page
    from metastudio.lists.base import AsyncFetch, Fetch, FetchedPage

R = TypeVar("R")
T = TypeVar("T")

PROJECT = "project_id"  # the path parameter that the settings fill


class _Common:
    """What both engines do that is not I/O."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._project_id = settings.project_id

    def _prepared(
        self, binding: Binding[Any, Any], arguments: Mapping[str, Any], project_id: str | None
    ) -> dict[str, Any]:
        """Check the arguments and fill in the project; without one, it is for later."""
        operation = _operation(binding)
        if project_id is not None and PROJECT in operation.by_python_name:
            arguments = {PROJECT: project_id, **arguments}
        return prepare(operation, arguments, binding.closed, later=() if project_id else (PROJECT,))

    def _iam(self) -> dict[str, str]:
        from metastudio.auth import iam

        settings = self._settings
        url = iam.endpoint(settings.region, settings.iam_endpoint, allow_http=settings.allow_http)
        return {"region": settings.region, "iam": url}


class Engine(_Common):
    """Runs operations over blocking I/O. May be shared by threads."""

    def __init__(self, client: Client, settings: Settings) -> None:
        super().__init__(client, settings)
        self._finding = threading.Lock()
        self._iterations = Executor()

    def call(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> R:
        """Send one request and return its answer."""
        return cast(R, self._send(binding, arguments).parsed)

    def iterate(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> Generator[T, None, None]:
        """Return every item of a list, lazily; see `metastudio.lists.paginator`."""
        from metastudio.lists.paginator import items

        return items(self.iterate_pages(binding, arguments, **options))

    def iterate_pages(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> Generator[Page[T], None, None]:
        """Return every page of a list, lazily."""
        from metastudio.lists import options as list_options
        from metastudio.lists import paginator

        chosen = list_options.IterateOptions(**options)
        prepared = self._prepared(binding, arguments, None)
        return paginator.iterate_pages(_operation(binding), self._fetch(binding), prepared, self._iterations, chosen)

    def find(self, binding: Binding[R, T], parameter: str, identity: str) -> T | None:
        """Return the item that the filter `parameter` finds by its identity, None where there is none."""
        from metastudio.lists import paginator

        self._prepared(binding, {parameter: identity}, None)
        return paginator.find(_operation(binding), self._fetch(binding), parameter, identity)

    def wait(self, binding: Binding[R, T], parameter: str, identity: str, **options: Unpack[WaitOptions]) -> T:
        """Wait until an item is at rest; see `metastudio.lists.waiter`."""
        from metastudio.http.exchange import at_most
        from metastudio.lists import options as list_options
        from metastudio.lists import waiter

        def poll(seconds: float) -> T | None:
            with at_most(seconds):
                return self.find(binding, parameter, identity)

        self._prepared(binding, {parameter: identity}, None)
        return waiter.wait(_operation(binding), poll, identity, list_options.WaitOptions(**options))

    def project_id(self) -> str:
        """Return the project that calls are for; the first time, IAM is asked where nobody said it.

        Raises ConfigurationError when IAM knows none or several.
        """
        if self._project_id is None:
            with self._finding:
                if self._project_id is None:
                    from metastudio.auth import project

                    session = self._client.get_httpx_client()
                    self._project_id = project.find_project_id(session, self._settings.auth, **self._iam())
        return self._project_id

    def close(self) -> None:
        """End running iterations, and wait for the requests that they have in flight."""
        self._iterations.close()

    def _fetch(self, binding: Binding[R, T]) -> Fetch[T]:
        from metastudio.http.exchange import throttled

        def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            with throttled(throttle):
                return _fetched(binding, self._send(binding, arguments))

        return fetch

    def _send(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> Response[Any]:
        if self._project_id is None:
            self._prepared(binding, arguments, None)  # before IAM is asked for the project
        return binding.sync(client=self._client, **self._prepared(binding, arguments, self.project_id()))


class AsyncEngine(_Common):
    """Runs operations over asyncio. May be shared by the tasks of one loop."""

    def __init__(self, client: Client, settings: Settings) -> None:
        super().__init__(client, settings)
        self._finding: asyncio.Lock | None = None
        self._iterations = AsyncExecutor()

    async def call(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> R:
        """Send one request and return its answer."""
        return cast(R, (await self._send(binding, arguments)).parsed)

    def iterate(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> AsyncGenerator[T, None]:
        """Return every item of a list, lazily; see `metastudio.lists.paginator`."""
        from metastudio.lists.paginator import async_items

        return async_items(self.iterate_pages(binding, arguments, **options))

    def iterate_pages(
        self, binding: Binding[R, T], arguments: Mapping[str, Any], **options: Unpack[IterateOptions]
    ) -> AsyncGenerator[Page[T], None]:
        """Return every page of a list, lazily."""
        from metastudio.lists import options as list_options
        from metastudio.lists import paginator

        chosen = list_options.IterateOptions(**options)
        prepared = self._prepared(binding, arguments, None)
        return paginator.async_iterate_pages(
            _operation(binding), self._fetch(binding), prepared, self._iterations, chosen
        )

    async def find(self, binding: Binding[R, T], parameter: str, identity: str) -> T | None:
        """As `Engine.find`."""
        from metastudio.lists import paginator

        self._prepared(binding, {parameter: identity}, None)
        return await paginator.async_find(_operation(binding), self._fetch(binding), parameter, identity)

    async def wait(self, binding: Binding[R, T], parameter: str, identity: str, **options: Unpack[WaitOptions]) -> T:
        """As `Engine.wait`."""
        from metastudio.http.exchange import at_most
        from metastudio.lists import options as list_options
        from metastudio.lists import waiter

        async def poll(seconds: float) -> T | None:
            with at_most(seconds):
                return await self.find(binding, parameter, identity)

        self._prepared(binding, {parameter: identity}, None)
        return await waiter.async_wait(_operation(binding), poll, identity, list_options.WaitOptions(**options))

    async def project_id(self) -> str:
        """As `Engine.project_id`."""
        if self._project_id is None:
            import asyncio

            self._finding = self._finding or asyncio.Lock()
            async with self._finding:
                if self._project_id is None:
                    from metastudio.auth import project

                    session = self._client.get_async_httpx_client()
                    self._project_id = await project.afind_project_id(session, self._settings.auth, **self._iam())
        return self._project_id

    async def aclose(self) -> None:
        """Cancel running iterations, and wait until they have ended."""
        await self._iterations.aclose()

    def _fetch(self, binding: Binding[R, T]) -> AsyncFetch[T]:
        from metastudio.http.exchange import throttled

        async def fetch(arguments: Mapping[str, Any], throttle: Throttle | None) -> FetchedPage[T]:
            with throttled(throttle):
                return _fetched(binding, await self._send(binding, arguments))

        return fetch

    async def _send(self, binding: Binding[R, T], arguments: Mapping[str, Any]) -> Response[Any]:
        if self._project_id is None:
            self._prepared(binding, arguments, None)
        prepared = self._prepared(binding, arguments, await self.project_id())
        return await binding.asyncio(client=self._client, **prepared)


def _operation(binding: Binding[Any, Any]) -> Operation:
    return operations()[binding.operation]


def _fetched(binding: Binding[R, T], response: Response[Any]) -> FetchedPage[T]:
    from metastudio.lists.base import FetchedPage

    rules = _operation(binding).list_rules
    assert rules is not None
    found: list[T] = pointer_getter(rules.items)(response.parsed) or []
    total = pointer_getter(rules.total)(response.parsed) if rules.total else None
    return FetchedPage(found, total, response.headers.get("X-Request-Id"))
