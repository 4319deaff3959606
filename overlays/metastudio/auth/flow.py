"""An authentication flow written once, run by both kinds of httpx client.

A flow is a generator of steps. A step is either a request, which httpx sends and whose answer the generator gets
back, or a piece of other I/O in two spellings: ``run`` for threads, ``arun`` for tasks of asyncio.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator


class Effect(Protocol):
    """I/O that a flow asks for."""

    def run(self) -> Any:
        """Do it, blocking."""
        ...

    async def arun(self) -> Any:
        """Do it without blocking the event loop."""
        ...


Step: TypeAlias = httpx.Request | Effect


class StepAuth(httpx.Auth, ABC):
    """An ``httpx.Auth`` whose flow is told as steps."""

    @abstractmethod
    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """The flow for one request: at least yields the request itself, once or twice."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by ``httpx.Client``."""
        steps = self.steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    step = steps.send((yield step))
                    continue
                try:
                    result = step.run()
                except BaseException as error:  # noqa: BLE001 - the flow decides what it means
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration:
            return
        finally:
            steps.close()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by ``httpx.AsyncClient``."""
        steps = self.steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    step = steps.send((yield step))
                    continue
                try:
                    result = await step.arun()
                except BaseException as error:  # noqa: BLE001
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration:
            return
        finally:
            steps.close()


class ReadRequest:
    """The request's body; a stream is read whole and can be sent again afterwards."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    def run(self) -> bytes:
        """Read it in a thread."""
        return self._request.read()

    async def arun(self) -> bytes:
        """Read it in a task."""
        return await self._request.aread()


class ReadResponse:
    """The answer's body."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def run(self) -> bytes:
        """Read it in a thread."""
        return self._response.read()

    async def arun(self) -> bytes:
        """Read it in a task."""
        return await self._response.aread()


class Call:
    """A function that may block: called as it is from a thread, in a worker thread from a task."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def run(self) -> Any:
        """Call it."""
        return self._function()

    async def arun(self) -> Any:
        """Call it in a worker thread."""
        import asyncio

        return await asyncio.to_thread(self._function)
