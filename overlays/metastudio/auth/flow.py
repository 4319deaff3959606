"""Auth flows: one generator of steps, run by the sync and by the async client of httpx."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator


class Action(NamedTuple):
    """I/O other than sending a request.

    Attributes:
        run: Does it and blocks; for the sync client.
        arun: Does it without blocking the event loop; for the async client.
    """

    run: Callable[[], Any]
    arun: Callable[[], Awaitable[Any]]


Step: TypeAlias = httpx.Request | Action


class AuthFlow(httpx.Auth, ABC):
    """An `httpx.Auth` whose flow is written once, as steps. It holds secrets and cannot be pickled or copied."""

    @abstractmethod
    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """Authenticate and send one request.

        Yield a request to send it and get its response, or an `Action` to run it and get its result.
        """

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Run the steps for `httpx.Client`."""
        steps = self.steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    step = steps.send((yield step))
                    continue
                try:
                    results = [step.run()]  # popped, because tools that report errors show local variables
                except BaseException as error:  # noqa: BLE001 - the steps handle it
                    step = steps.throw(error)
                else:
                    step = steps.send(results.pop())
        except StopIteration:
            return
        finally:
            steps.close()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Run the steps for `httpx.AsyncClient`."""
        steps = self.steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    step = steps.send((yield step))
                    continue
                try:
                    results = [await step.arun()]
                except BaseException as error:  # noqa: BLE001 - the steps handle it
                    step = steps.throw(error)
                else:
                    step = steps.send(results.pop())
        except StopIteration:
            return
        finally:
            steps.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an auth object holds secrets and cannot be pickled or copied; create one in each process")


def read_timeout(request: httpx.Request) -> float | None:
    """Return the seconds that a request may wait for data, or None if it may wait without limit."""
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return seconds


def read(message: httpx.Request | httpx.Response) -> Action:
    """Read the body of a request or response. A stream is kept in memory, so that it can be read again."""
    return Action(message.read, message.aread)


def read_start(response: httpx.Response, limit: int) -> Action:
    """Read the body without decoding it. Of a body longer than `limit`, only its start is read, at least that long."""
    response.headers.pop("Content-Encoding", None)
    response.stream = _StartOfStream(response.stream, limit)
    return read(response)


class _StartOfStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream that ends at the first chunk that exceeds the limit."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield chunk
            self._left -= len(chunk)
            if self._left < 0:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk
            self._left -= len(chunk)
            if self._left < 0:
                return

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def call(function: Callable[[], Any]) -> Action:
    """Call a function that may block; in a worker thread for the async client."""

    async def call_in_thread() -> Any:
        import asyncio

        return await asyncio.to_thread(function)

    return Action(function, call_in_thread)
