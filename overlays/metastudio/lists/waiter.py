"""Polls an item of a list until it settles. The contract's `x-states` says in which states it has settled.

Pauses between polls grow, and vary at random so that many waiters do not poll at once. Errors that may pass by
themselves (no connection, a limited rate, a failing server) do not end the wait; all others do.
"""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Generic, TypeVar

from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import Operation
from metastudio.errors import (
    ApiConnectionError,
    ApiError,
    JobFailedError,
    JobNotFoundError,
    MetaStudioError,
    RateLimitError,
    ServerError,
    WaitTimeoutError,
)
from metastudio.lists.options import WaitOptions

T = TypeVar("T")

LONGEST_PAUSE = 60.0
"""Seconds between polls at most, unless `WaitOptions.poll` or the server's Retry-After is longer."""
GROWTH = 1.5
JITTER = 0.2
"""A pause is longer or shorter by up to this share."""
LAST_POLL = 10.0
"""Seconds that each poll may take at least, so that the one at the deadline has time for its response."""

TRANSIENT = (ApiConnectionError, RateLimitError, ServerError)


def wait(
    operation: Operation,
    poll: Callable[[float], T | None],
    identity: str,
    options: WaitOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    random: Callable[[], float] = random_module.random,
) -> T:
    """Poll an item until it settles or reaches a state of `options.until`, and return it.

    Args:
        operation: The list operation that the item belongs to.
        poll: Returns the item, or None if there is none. Its argument is the seconds that it may take.
        identity: Identity of the item, for errors.
        options: How to wait.
        clock, sleep, random: Replaced in tests.

    Raises:
        JobNotFoundError: There is no such item, or no longer.
        JobFailedError: It has failed, and `options.raise_on_failure` is set. Carries the item.
        WaitTimeoutError: It did not settle in time. Carries the item as it was last seen.
        ValueError: The items of this list have no states.
    """
    waiter = Waiter[T](operation, identity, options, clock, random)
    while True:
        try:
            item = waiter.check(poll(waiter.poll_timeout()))
        except TRANSIENT as error:
            waiter.error = error
        else:
            if waiter.changed and options.on_change is not None:
                options.on_change(item)
            if waiter.settled:
                return waiter.result()
        sleep(waiter.pause())


async def async_wait(
    operation: Operation,
    poll: Callable[[float], Awaitable[T | None]],
    identity: str,
    options: WaitOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    random: Callable[[], float] = random_module.random,
) -> T:
    """Poll an item until it settles, like `wait`. `on_change` may be a coroutine function."""
    import asyncio

    waiter = Waiter[T](operation, identity, options, clock, random)
    while True:
        try:
            item = waiter.check(await poll(waiter.poll_timeout()))
        except TRANSIENT as error:
            waiter.error = error
        else:
            if waiter.changed and options.on_change is not None:
                result = options.on_change(item)
                if isawaitable(result):
                    await result
            if waiter.settled:
                return waiter.result()
        await (sleep or asyncio.sleep)(waiter.pause())


class Waiter(Generic[T]):
    """What the polls have shown so far, and when to poll again. Does no I/O.

    Attributes:
        changed: Whether the last successful poll showed a new item or state.
        settled: Whether it showed a state that ends the wait.
        error: Why the last poll failed, or None.
    """

    def __init__(
        self,
        operation: Operation,
        identity: str,
        options: WaitOptions,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        if operation.state_property is None:
            raise ValueError(f"the items of {operation.id} have no states to wait for: the contract has no x-states")
        self.changed = False
        self.settled = False
        self.error: MetaStudioError | None = None
        self._identity = identity
        self._states = operation.states
        self._raise_on_failure = options.raise_on_failure
        self._until = frozenset(map(str, options.until or ()))
        self._state_of = pointer_getter(operation.state_property)
        self._clock = clock
        self._random = random
        self._timeout = options.timeout
        self._deadline = clock() + options.timeout
        self._next_pause = options.poll
        self._longest_pause = max(LONGEST_PAUSE, options.poll)
        self._item: T | None = None
        self._state: object = None

    def poll_timeout(self) -> float:
        """Return the seconds that a poll may take."""
        return max(LAST_POLL, self._deadline - self._clock())

    def check(self, item: T | None) -> T:
        """Take the result of a poll and return the item.

        Raises:
            JobNotFoundError: There is none.
        """
        if item is None:
            raise JobNotFoundError(self._identity)
        state = self._state_of(item)
        known = self._states.get(str(state))
        self.changed = self._item is None or state != self._state
        self.settled = str(state) in self._until or (known is not None and known.at_rest)
        self.error = None
        self._item, self._state = item, state
        return item

    def result(self) -> T:
        """Return the item that has settled.

        Raises:
            JobFailedError: It has failed, and that is to be an error.
        """
        item = self._item
        assert item is not None
        state = self._states.get(str(self._state))
        if self._raise_on_failure and state is not None and state.ended == "failure":
            raise JobFailedError(f"{self._identity} has failed: its state is {self._state}", job=item)
        return item

    def pause(self) -> float:
        """Return the seconds until the next poll, which is at the deadline at the latest.

        Raises:
            WaitTimeoutError: The deadline is over, or the server asks for a pause beyond it.
        """
        left = self._deadline - self._clock()
        asked = (self.error.retry_after if isinstance(self.error, ApiError) else None) or 0.0
        if left <= 0 or asked > left:
            last = "it was never seen" if self._item is None else f"last state: {self._state}"
            failure = f"; the last poll failed: {self.error}" if self.error else ""
            message = f"{self._identity} did not settle within {self._timeout:g} s; {last}{failure}"
            raise WaitTimeoutError(message, job=self._item) from self.error
        pause = max(asked, self._next_pause * (1 + JITTER * (2 * self._random() - 1)))
        self._next_pause = min(self._longest_pause, self._next_pause * GROWTH)
        return min(pause, left)
