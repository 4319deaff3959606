"""One call: its attempts, its deadline, and what becomes of each response. Does no I/O.

`Session` and `AsyncSession` drive it alike: `begin` before each attempt, then `failed` or `received`. Both return the
seconds to wait before the next attempt, None when the response is good, or raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from logging import INFO
from math import inf
from os import getpid
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from metastudio import errors, redaction
from metastudio.contract.structure import Mismatch
from metastudio.http import error_mapping
from metastudio.http.logs import logger
from metastudio.http.response import parse_success
from metastudio.http.retry import Failure, RetryPolicy, Wait, decide
from metastudio.http.transport_errors import connection_failure

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation
    from metastudio.http.throttle import Throttle


LOGIN_FAILED = "metastudio_login_failed"
"""Extension that an auth flow sets after a failed login: whether the call can go on with the old token."""

REPEATABLE = "metastudio_repeatable"
"""Extension of a request that may be sent again although its method changes something."""

RETRY = "metastudio_retry"
"""Extension of a request that has a retry policy of its own."""


class ExchangeRules(NamedTuple):
    """Settings shared by all calls of a session.

    Attributes:
        retry: When to try again.
        clock: Returns monotonic seconds.
        random: Returns numbers from 0 to below 1.
        process: ID of the process that made the session.
        proxy_of: Returns the proxy that requests to a URL go through, or None.
    """

    retry: RetryPolicy
    clock: Callable[[], float]
    random: Callable[[], float]
    process: int
    proxy_of: Callable[[httpx.URL], str | None]


class Exchange:
    """One call through a session.

    Args:
        rules: The settings of the session.
        client: The session.
        request: The request, unsigned.
        operation: The operation that it calls. Without one, a success is not checked.
        deadline: Seconds for all attempts and waits together, unless the retry policy allows less.
        throttle: The throttle of the iteration that the request belongs to.

    Attributes:
        value: The checked JSON of the response, once `received` has returned None.
    """

    def __init__(
        self,
        rules: ExchangeRules,
        client: httpx.Client | httpx.AsyncClient,
        request: httpx.Request,
        operation: Operation | None = None,
        *,
        deadline: float | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.request = request
        self.value: Any = None
        self._rules = rules
        self._retry = _bounded(request.extensions.get(RETRY) or rules.retry, deadline)
        self._client = client
        self._operation = operation
        self._throttle = throttle
        self._repeatable = bool(request.extensions.get(REPEATABLE))
        self._started = rules.clock()
        self._attempts = 0
        self._unsigned = (request.url, request.headers.raw)
        self._timeouts: Mapping[str, float | None] = request.extensions.get("timeout") or client.timeout.as_dict()

    def begin(self) -> None:
        """Prepare an attempt: the request as it was before it was signed, with the time that is left."""
        if self._client.is_closed:
            raise errors.ConfigurationError("this client is closed; make a new one")
        check_process(self._rules.process)
        if self._attempts:
            if self._throttle is not None and self._throttle.over():
                raise errors.ConfigurationError("the iteration that this request belongs to has ended")
            self.request.url = self._unsigned[0]
            self.request.headers = httpx.Headers(self._unsigned[1])
        self._attempts += 1
        self.request.extensions["timeout"] = self._timeouts_left()

    def time_left(self) -> float | None:
        """Return the seconds that the call may still take, or None if there is no limit."""
        if self._retry.deadline is None:
            return None
        return max(0.001, self._retry.deadline - self._elapsed())  # httpx takes 0 for "do not block"

    def failed(self, error: httpx.RequestError | errors.ApiError) -> float:
        """Handle a request error, or an ApiError that the auth flow raised.

        Returns:
            The seconds to wait before the next attempt.

        Raises:
            MetaStudioError: There is no next attempt.
        """
        if isinstance(error, errors.ApiError):
            error.retries = self._attempts - 1
            return self._wait_or_raise(self._failure(error), error, error.__cause__)
        if self.request.extensions.pop(LOGIN_FAILED, False):
            self._attempts -= 1  # the request itself was not sent
            return 0.0
        proxy_of = self._rules.proxy_of
        failure = connection_failure(error, self.request, retries=self._attempts - 1, proxy_of=proxy_of)
        outcome = Failure(
            self.request.method,
            transient=failure.transient,
            repeatable=self._repeatable,
            sent=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout),
        )
        return self._wait_or_raise(outcome, failure.error, failure.cause)

    def received(self, response: httpx.Response, problem: str | None = None) -> float | None:
        """Check a response that has been read.

        Args:
            response: The response.
            problem: Why the body of a success could not be read.

        Returns:
            None if it is a success that matches the contract, else the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: It is not, and there is no next attempt.
        """
        if response.is_success:
            mismatch = None if problem is None else Mismatch("", problem)
            if self._operation is not None and mismatch is None:
                self.value, mismatch = parse_success(response, self._operation)
            if mismatch:
                raise self._format_error(response, mismatch)
            self._log(str(response.status_code), error_mapping.request_id(response))
            return None
        error = error_mapping.api_error(response, retries=self._attempts - 1)
        return self._wait_or_raise(self._failure(error), error, None)

    def _failure(self, error: errors.ApiError) -> Failure:
        return Failure(self.request.method, error.status_code, error.retry_after, repeatable=self._repeatable)

    def _wait_or_raise(self, failure: Failure, error: errors.MetaStudioError, cause: BaseException | None) -> float:
        random = self._rules.random
        decision = decide(self._retry, failure, attempts=self._attempts, elapsed=self._elapsed(), random=random)
        if self._throttle is not None:
            decision = self._throttle.judge(failure.status, decision)
        result = str(failure.status or type(error).__name__)
        if isinstance(decision, Wait):
            logger.debug("attempt %d: %s; trying again in %.2f s", self._attempts, result, decision.seconds)
            return decision.seconds
        if decision.reason:
            error.add_note(f"Not retried: {decision.reason}.")
        self._log(result, getattr(error, "request_id", None))
        raise error from cause

    def _format_error(self, response: httpx.Response, mismatch: Mismatch) -> errors.ResponseFormatError:
        status, request_id = response.status_code, error_mapping.request_id(response)
        self._log(f"{status} (does not match the contract)", request_id)
        asked = errors.RequestSummary.of(self.request)
        place = f"at {mismatch.place}, " if mismatch.place else ""
        return errors.ResponseFormatError(
            f"{asked.url} answered {status}, but {place}{mismatch.problem}",
            status_code=status,
            request_id=request_id,
            content_type=redaction.mask(
                response.headers.get("Content-Type", ""), redaction.secrets_of(response.request)
            )
            or None,
            place=mismatch.place,
            request=asked,
            retries=self._attempts - 1,
        )

    def _elapsed(self) -> float:
        return self._rules.clock() - self._started

    def _timeouts_left(self) -> dict[str, float | None]:
        left = self.time_left()
        if left is None:
            return dict(self._timeouts)
        return {name: left if wait is None or wait > left else wait for name, wait in self._timeouts.items()}

    def _log(self, result: str, request_id: str | None) -> None:
        if logger.isEnabledFor(INFO):
            logger.info(
                "%s %s %s in %.1f ms, request id %s, attempt %d of %d",
                self.request.method,
                self.request.url.raw_path.partition(b"?")[0].decode("ascii"),
                result,
                self._elapsed() * 1000,
                request_id or "-",
                self._attempts,
                self._retry.max_retries + 1,
            )


def check_process(made_in: int) -> None:
    """Refuse to work in a forked child, which shares the sockets and TLS state of its parent: both would break.

    Raises:
        ConfigurationError: The current process is not the one that made the client.
    """
    if made_in != getpid():
        raise errors.ConfigurationError("this client was made before the process forked; make one after the fork")


def _bounded(retry: RetryPolicy, deadline: float | None) -> RetryPolicy:
    if deadline is None or deadline == inf or (retry.deadline is not None and retry.deadline <= deadline):
        return retry
    return replace(retry, deadline=deadline)
