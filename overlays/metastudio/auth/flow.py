"""Auth flows: one generator of steps, run by the sync and by the async client of httpx."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator


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

    def trust(self, url: httpx.URL | str) -> None:
        """Allow a token to be sent to the origin of a URL. Does nothing for signatures, which are valid for one URL."""

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
                    results = [step.run()]  # popped, because error reporters such as Sentry record local variables
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


def call(function: Callable[[], Any]) -> Action:
    """Call a function that may block; in a worker thread for the async client."""

    async def call_in_thread() -> Any:
        import asyncio

        return await asyncio.to_thread(function)

    return Action(function, call_in_thread)
