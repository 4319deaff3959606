"""One call: its attempts, and what they amount to. Everything that `send()` does that is not I/O.

`Session` and `AsyncSession` drive it alike: `begin()` before each attempt, then `failed()` or `answered()`, which
give the seconds to wait before the next attempt, or None when the answer is good, or raise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from logging import INFO
from math import inf
from typing import NamedTuple, NoReturn, Protocol

import attrs
import httpx

from metastudio import errors
from metastudio.contract.structure import Mismatch, Shape, mismatch
from metastudio.http import error_mapping, transport_errors
from metastudio.http.logs import logger
from metastudio.http.response import Body, ParsedResponse
from metastudio.http.retry import Failure, RetryPolicy, Wait, decide
from metastudio.http.throttle import Throttle


class Operation(Protocol):
    """What a call needs to know of an operation: the shapes of its successes by status, None for no JSON."""

    @property
    def success(self) -> Mapping[int, Shape | None]:
        """Status to shape."""
        ...


Find = Callable[[str, str], Operation | None]


def no_operation(method: str, path: str) -> None:
    """Know no operation, so that no success is checked."""


class Rules(NamedTuple):
    """What all calls of a session have in common."""

    retry: RetryPolicy
    find: Find
    clock: Callable[[], float]
    random: Callable[[], float]


class Call:
    """The call that `request` asks for, through `client`."""

    def __init__(self, rules: Rules, client: httpx.Client | httpx.AsyncClient, request: httpx.Request) -> None:
        self._rules = rules
        self._retry = _bounded(rules.retry)
        self._client = client
        self._request = request
        self._started = rules.clock()
        self._attempts = 0
        self._unsigned = (request.url, request.headers.raw)
        self._timeouts: Mapping[str, float | None] = request.extensions.get("timeout") or client.timeout.as_dict()

    def begin(self) -> None:
        """Make ready for an attempt: the request as it was before it was signed, with the time that is left."""
        if self._client.is_closed:
            raise errors.ConfigurationError("this client is closed; make a new one")
        if self._attempts:
            throttle = _throttle.get()
            if throttle is not None and throttle.over():
                raise errors.ConfigurationError("the iteration that this request is for has ended")
            self._request.url = self._unsigned[0]
            self._request.headers = httpx.Headers(self._unsigned[1])
        self._attempts += 1
        self._request.extensions["timeout"] = self._allowed()

    def _allowed(self) -> dict[str, float | None]:
        deadline = self._retry.deadline
        if deadline is None:
            return dict(self._timeouts)
        left = max(0.001, deadline - self._elapsed())  # httpx takes 0 for "do not block"
        return {name: left if wait is None or wait > left else wait for name, wait in self._timeouts.items()}

    def watch(self, response: httpx.Response) -> Body:
        """Have the reading of the answer end at the deadline."""
        deadline = self._retry.deadline
        body = Body(response, self._rules.clock, None if deadline is None else self._started + deadline)
        response.stream = body
        return body

    def failed(self, error: httpx.RequestError | errors.ApiError) -> float:
        """No whole answer arrived, or the auth flow got an error: seconds to wait, or raises."""
        if isinstance(error, errors.ApiError):
            error.retries = self._attempts - 1
            return self._wait_or_raise(self._failure(error), error, error.__cause__)
        failure = transport_errors.connection_failure(error, self._request, retries=self._attempts - 1)
        outcome = Failure(self._request.method, passing=failure.passing)
        return self._wait_or_raise(outcome, failure.error, failure.cause)

    def answered(self, response: httpx.Response, body: Body) -> float | None:
        """An answer was read: None when it is as promised, seconds to wait when it failed, or raises."""
        if response.is_success:
            self._check(response, body)
            self._log(str(response.status_code), error_mapping.request_id(response))
            return None
        error = error_mapping.api_error(response, body=body.undecodable, retries=self._attempts - 1)
        return self._wait_or_raise(self._failure(error), error, None)

    def _failure(self, error: errors.ApiError) -> Failure:
        return Failure(self._request.method, error.status_code, error.retry_after)

    def _wait_or_raise(self, failure: Failure, error: errors.MetaStudioError, cause: BaseException | None) -> float:
        random = self._rules.random
        decision = decide(self._retry, failure, attempts=self._attempts, elapsed=self._elapsed(), random=random)
        if (throttle := _throttle.get()) is not None:
            decision = throttle.judge(failure.status, decision)
        result = str(failure.status or type(error).__name__)
        if isinstance(decision, Wait):
            logger.debug("attempt %d: %s; trying again in %.2f s", self._attempts, result, decision.seconds)
            return decision.seconds
        if decision.reason:
            error.add_note(f"Not tried again: {decision.reason}.")
        self._log(result, getattr(error, "request_id", None))
        raise error from cause

    def _check(self, response: httpx.Response, body: Body) -> None:
        """Raise when this success is not one that the contract promises."""
        operation = self._rules.find(self._request.method, self._path())
        if operation is None:
            return
        status = response.status_code
        if status not in operation.success:
            declared = ", ".join(map(str, operation.success))
            self._refuse(response, Mismatch("", f"the contract promises status {declared}"))
        shape = operation.success[status]
        if shape is None:
            return
        if body.undecodable is not None:
            self._refuse(response, Mismatch("", "the body's content encoding is broken"))
        try:
            value = json.loads(response.content)
        except (ValueError, RecursionError):
            value = _NOT_JSON
        if value is _NOT_JSON:
            self._refuse(response, Mismatch("", f"the body is {_kind(response.content)} where JSON is promised"))
        if wrong := mismatch(value, shape):
            self._refuse(response, wrong)
        ParsedResponse.of(response, value)

    def _refuse(self, response: httpx.Response, wrong: Mismatch) -> NoReturn:
        status, request_id = response.status_code, error_mapping.request_id(response)
        self._log(f"{status} (not as promised)", request_id)
        at = f"at {wrong.place}, " if wrong.place else ""
        raise errors.ResponseFormatError(
            f"{errors.RequestSummary.of(self._request).url} answered {status}, but {at}{wrong.problem}",
            status_code=status,
            request_id=request_id,
            content_type=response.headers.get("Content-Type"),
            place=wrong.place,
            request=errors.RequestSummary.of(self._request),
            retries=self._attempts - 1,
        )

    def _path(self) -> str:
        """The path below the base URL, as it was sent."""
        path, base = self._request.url.raw_path.partition(b"?")[0], self._client.base_url.raw_path
        return (path[len(base) - 1 :] if path.startswith(base) else path).decode("ascii")

    def _elapsed(self) -> float:
        return self._rules.clock() - self._started

    def _log(self, result: str, request_id: str | None) -> None:
        if logger.isEnabledFor(INFO):
            logger.info(
                "%s %s %s in %.1f ms, request id %s, attempt %d of %d",
                self._request.method,
                self._request.url.raw_path.partition(b"?")[0].decode("ascii"),
                result,
                self._elapsed() * 1000,
                request_id or "-",
                self._attempts,
                self._retry.max_retries + 1,
            )


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Let each call of the block take so many seconds at most, all attempts and waits together."""
    token = _time_allowed.set(seconds)
    try:
        yield
    finally:
        _time_allowed.reset(token)


@contextmanager
def throttled(throttle: Throttle | None) -> Generator[None]:
    """Let each call of the block follow the throttle of an iteration."""
    token = _throttle.set(throttle)
    try:
        yield
    finally:
        _throttle.reset(token)


_throttle: ContextVar[Throttle | None] = ContextVar("throttle", default=None)
_time_allowed: ContextVar[float | None] = ContextVar("time_allowed", default=None)


def _bounded(retry: RetryPolicy) -> RetryPolicy:
    allowed = _time_allowed.get()
    if allowed is None or allowed == inf or (retry.deadline is not None and retry.deadline <= allowed):
        return retry
    return attrs.evolve(retry, deadline=allowed)


_NOT_JSON = object()


def _kind(body: bytes) -> str:
    if not body:
        return "empty"
    if body.lstrip()[:1] == b"<":
        return "an HTML or XML page (a proxy, a login page, a wrong base URL?)"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not UTF-8 text"
    return "text that is not JSON, or cut short"
