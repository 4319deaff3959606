"""Waiting until an item of a list is at rest. What that means is said by the contract's `x-states`.

Between two looks come pauses that grow, and are random so that many waiters do not ask at once. What may pass by
itself (no connection, a limited rate, a failing server) is waited out; anything else ends the wait at once.
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import Operation
from metastudio.errors import (
    ApiConnectionError,
    JobNotFoundError,
    MetaStudioError,
    RateLimitError,
    ServerError,
    WaitTimeoutError,
)
from metastudio.http.exchange import at_most

if TYPE_CHECKING:
    from metastudio_client._engine import WaitOptions

T = TypeVar("T")

LONGEST_PAUSE = 60.0
"""Seconds between two looks at most, unless `poll` is longer or the server asks for more."""
GROWTH = 1.5
JITTER = 0.2
"""A pause is up to this share longer or shorter."""
LAST_LOOK = 10.0
"""Seconds that a look may take at least, so that the one at the end of the timeout has time for its answer."""

_PASSING = (ApiConnectionError, RateLimitError, ServerError)


def wait(
    operation: Operation,
    look: Callable[[], T | None],
    identity: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    random: Callable[[], float] = _random.random,
    **options: Unpack[WaitOptions],
) -> T:
    """Look at an item until it is at rest, or in one of the states `until`, and return it.

    `look` returns the item, None where there is none. One that is under way at the end of `timeout` (seconds) may take
    10 s more. `on_change` is called with the item first seen, and whenever its state has changed.

    Raises:
        JobNotFoundError: there is no such item, or no longer.
        WaitTimeoutError: it was not at rest in time; carries the item last seen.
        TypeError, ValueError: options that cannot work, before the first look.
    """
    watch = Watch[T](operation, identity, options, clock=clock, random=random)
    while True:
        try:
            with at_most(watch.time_to_look()):
                item = look()
        except _PASSING as error:
            watch.failed(error)
        else:
            if watch.changed(item) and options["on_change"] is not None:
                options["on_change"](item)
            if watch.over:
                return watch.item
        sleep(watch.pause())


async def async_wait(
    operation: Operation,
    look: Callable[[], Awaitable[T | None]],
    identity: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    random: Callable[[], float] = _random.random,
    **options: Unpack[WaitOptions],
) -> T:
    """Do as `wait` does. What `on_change` returns is awaited where it can be."""
    import asyncio

    watch = Watch[T](operation, identity, options, clock=clock, random=random)
    while True:
        try:
            with at_most(watch.time_to_look()):
                item = await look()
        except _PASSING as error:
            watch.failed(error)
        else:
            if watch.changed(item) and options["on_change"] is not None:
                told = options["on_change"](item)
                if isinstance(told, Awaitable):
                    await told
            if watch.over:
                return watch.item
        await (sleep or asyncio.sleep)(watch.pause())


class Watch(Generic[T]):
    """What has been seen of an item so far, and when to look again. Does no I/O."""

    def __init__(
        self,
        operation: Operation,
        identity: str,
        options: WaitOptions,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        _check_seconds("timeout", options["timeout"])
        _check_seconds("poll", options["poll"])
        until = options["until"]
        if isinstance(until, str):
            raise TypeError(f"until is a collection of states, for example [{until!r}]; not one text")
        if operation.state_property is None:
            raise ValueError(f"{operation.id} lists nothing that has states to wait for (x-states)")
        self.over = False
        self._operation = operation
        self._identity = identity
        self._until = frozenset(map(str, until or ()))
        self._state_of = pointer_getter(operation.state_property)
        self._clock = clock
        self._random = random
        self._timeout = options["timeout"]
        self._deadline = clock() + options["timeout"]
        self._next_pause = options["poll"]
        self._longest_pause = max(LONGEST_PAUSE, options["poll"])
        self._item: T | None = None
        self._state: Any = None
        self._error: MetaStudioError | None = None

    @property
    def item(self) -> T:
        """The item as it was last seen."""
        assert self._item is not None
        return self._item

    def changed(self, item: T | None) -> bool:
        """Take in what a look gave. Return whether the item is new, or in another state than before."""
        if item is None:
            raise JobNotFoundError(self._identity)
        state = self._state_of(item)
        changed = self._item is None or state != self._state
        self._item, self._state, self._error = item, state, None
        known = self._operation.states.get(str(state))
        self.over = str(state) in self._until or (known is not None and known.at_rest)
        return changed

    def time_to_look(self) -> float:
        """Return the seconds that a look may take."""
        return max(LAST_LOOK, self._deadline - self._clock())

    def failed(self, error: MetaStudioError) -> None:
        """Take in that a look failed in a way that may pass."""
        self._error = error

    def pause(self) -> float:
        """Return the seconds until the next look, which is at the deadline at the latest."""
        left = self._deadline - self._clock()
        asked = getattr(self._error, "retry_after", None) or 0.0
        if left <= 0 or asked > left:
            last = f"in state {self._state}" if self._item is not None else "never seen"
            raise WaitTimeoutError(
                f"{self._identity} was not at rest after {self._timeout:g} s: last {last}"
                + (f"; the last look failed: {self._error}" if self._error else ""),
                job=self._item,
            ) from self._error
        pause = max(asked, self._next_pause * (1 + JITTER * (2 * self._random() - 1)))
        self._next_pause = min(self._longest_pause, self._next_pause * GROWTH)
        return min(pause, left)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds; not {value!r}")
    if not value > 0:  # NaN too
        raise ValueError(f"{name} is a number of seconds above 0; not {value!r}")
