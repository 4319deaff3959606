"""Every error this client raises, in one tree.

The class follows the HTTP status alone. The cloud's error codes are text to pass on: one code comes with six
statuses, and the same code means different things in different services (facts 4.1, 4.3).

All of them can be pickled and copied with their attributes. None shows a secret, a signature, a token, a
contact or a download address: what a server sent is masked before it is kept (`metastudio.redaction`).
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from metastudio import redaction

if TYPE_CHECKING:
    import httpx

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SHOWN = 500  # characters of a server's message in str(error); the attributes keep all of it


class MetaStudioError(Exception):
    """Base of all errors of this client."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[MetaStudioError], args: tuple[Any, ...], state: dict[str, Any]) -> MetaStudioError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class CredentialsError(MetaStudioError):
    """No credentials were found, or they could not be read or refreshed."""


class ConfigurationError(MetaStudioError):
    """A setting is missing or cannot work, or the client is used in a way that it cannot be."""


class RequestSummary(NamedTuple):
    """What was asked for. Holds no headers, and no values of sensitive query parameters."""

    method: str
    url: str

    @classmethod
    def of(cls, request: httpx.Request) -> Self:
        """Summarise `request`."""
        return cls(request.method, redaction.mask_url(request.url))


class ApiConnectionError(MetaStudioError):
    """No whole answer arrived: refused, reset, cut short, not resolved, not trusted.

    Attributes: `request`, and `retries`, the number of repeats made before giving up.
    """

    def __init__(self, message: str, *, request: RequestSummary | None = None, retries: int = 0) -> None:
        super().__init__(message)
        self.request = request
        self.retries = retries


class ApiTimeoutError(ApiConnectionError):
    """The answer did not arrive in the time allowed."""


class ResponseFormatError(MetaStudioError):
    """The server said success, but its answer is not what the contract promises.

    The answer may hold personal data, so neither the message nor the attributes quote it.

    Attributes: `status_code`, `request_id`, `content_type`, `request`, `retries`, and `place`, the JSON
    pointer to what is wrong ("" is the whole body).
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        request_id: str | None = None,
        content_type: str | None = None,
        place: str = "",
        request: RequestSummary | None = None,
        retries: int = 0,
    ) -> None:
        super().__init__(message + (f" (request id {request_id})" if request_id else ""))
        self.status_code = status_code
        self.request_id = request_id
        self.content_type = content_type
        self.place = place
        self.request = request
        self.retries = retries


class JobNotFoundError(MetaStudioError):
    """There is no job of this id in the project. Attribute: `job_id`."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id} in this project")
        self.job_id = job_id


class WaitTimeoutError(MetaStudioError):
    """The job was not at rest in time.

    Attribute: `job`, as it was last seen. A pickle keeps it without its personal fields.
    """

    def __init__(self, message: str, *, job: Any = None) -> None:
        super().__init__(message)
        self.job = job

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, {**self.__dict__, "job": _impersonal(self.job)})


class ListChangedError(MetaStudioError):
    """The list changed underneath the pager in a way that it cannot make good."""


class ListChangedWarning(UserWarning):
    """A list shrank while it was read by offset, so that items may have been missed."""


class ApiError(MetaStudioError):
    """The server answered with a status that is not success.

    Raised itself for redirects, and for every status that has no class below.

    Attributes:
        status_code: the HTTP status.
        error_code: the server's code as text, or None when the answer has none.
        error_msg: the server's message, or the whole text of an answer that has none.
        request_id: from the header `X-Request-Id`, else from the body; quote it to support.
        body: the whole text of the answer. Bytes that are no text appear as `\\xNN`.
        request: method and URL.
        retries: number of repeats made before giving up.
        retry_after: the seconds that the server asked to wait, or None when it did not say.
        hint: what to look at, where the answer gives that away, else None.
        encoded_authorization_message: IAM's encoded account of a denial, or None.
    """

    def __init__(
        self,
        status_code: int,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
        body: str = "",
        request: RequestSummary | None = None,
        retries: int = 0,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
        encoded_authorization_message: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.error_code = error_code
        self.error_msg = error_msg
        self.request_id = request_id
        self.body = body
        self.request = request
        self.retries = retries
        self.retry_after = retry_after
        self.hint = hint
        self.encoded_authorization_message = encoded_authorization_message
        super().__init__(status_code, error_code, error_msg, request_id)

    def __str__(self) -> str:
        said = _CONTROL.sub(" ", self.error_msg or "").strip()
        said = said if len(said) <= _SHOWN else said[:_SHOWN] + "..."
        text = " ".join(part for part in (f"HTTP {self.status_code}", self.error_code) if part)
        text += f": {said}" if said else ""
        text += f" (request id {self.request_id})" if self.request_id else ""
        return text + (f". {self.hint}" if self.hint else "")


class BadRequestError(ApiError):
    """400. This cloud also answers some failed authentications with it (facts 4.3); `hint` says when."""


class AuthenticationError(ApiError):
    """401: signature, key or token were not accepted."""


class PermissionDeniedError(ApiError):
    """403: known, but not allowed; or a key that is locked for some minutes."""


class NotFoundError(ApiError):
    """404."""


class RateLimitError(ApiError):
    """429: too many requests; `retry_after` says how long to wait, when the server does."""


class ServerError(ApiError):
    """5xx, from the gateway or the service."""


def _impersonal(job: Any) -> Any:
    """A copy of a job model with its personal fields unset; anything else as it is."""
    fields: tuple[Any, ...] = getattr(job, "__attrs_attrs__", ())
    personal = [field for field in fields if redaction.is_sensitive(field.name)]
    if personal:
        job = copy.copy(job)
        for field in personal:
            setattr(job, field.name, field.default)
    return job
