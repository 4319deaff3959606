"""The exceptions of this client, in one tree.

The class of an API error depends only on the HTTP status, because this cloud reuses error codes: one code comes with
six statuses, and its meaning differs between services (docs/service-notes.md#error-codes).

All exceptions can be pickled and copied with their attributes. None shows a secret, a signature, a token, a contact or
a download address (`metastudio.redaction`), and `str(error)` is always one printable line.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from metastudio import redaction

if TYPE_CHECKING:
    import httpx

_SHOWN_CODE, _SHOWN_MESSAGE = 100, 500  # characters in str(error); the attributes keep the whole text


class MetaStudioError(Exception):
    """Base class of all exceptions of this client."""

    def __str__(self) -> str:
        return redaction.printable(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception.__reduce__ would call the constructor with `args`, which are not always its arguments.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class CredentialsError(MetaStudioError):
    """Credentials were not found, or could not be read or refreshed."""


class ConfigurationError(MetaStudioError):
    """A setting is missing or invalid, or the client is used in an unsupported way."""


class RequestSummary(NamedTuple):
    """Method and URL of a request, without headers and with sensitive query values masked."""

    method: str
    url: str

    @classmethod
    def of(cls, request: httpx.Request) -> Self:
        """Summarize a request."""
        return cls(request.method, redaction.mask_url(request.url))


class ApiConnectionError(MetaStudioError):
    """No complete response arrived: DNS, TLS, a refused or a broken connection.

    Attributes:
        request: Method and URL, or None.
        retries: Number of retries made.
    """

    def __init__(self, message: str, *, request: RequestSummary | None = None, retries: int = 0) -> None:
        super().__init__(message)
        self.request = request
        self.retries = retries


class ApiTimeoutError(ApiConnectionError):
    """The response did not arrive within the timeouts or the deadline."""


class ResponseFormatError(MetaStudioError):
    """The server reported success, but the response does not match the contract.

    Neither the message nor the attributes quote the body, because it may hold personal data.

    Attributes:
        status_code: HTTP status.
        request_id: Request ID of the server, or None.
        content_type: Content type of the response, or None.
        place: JSON pointer to the mismatch; "" is the whole body.
        request: Method and URL, or None.
        retries: Number of retries made.
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
    """The project has no job with this ID.

    Attributes:
        job_id: The ID that was looked up.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id} in this project")
        self.job_id = job_id


class _JobError(MetaStudioError):
    """An error about a job.

    Attributes:
        job: The job as it was last seen. Pickling drops its personal fields.
    """

    def __init__(self, message: str, *, job: Any = None) -> None:
        super().__init__(message)
        self.job = job

    def __reduce__(self) -> tuple[Any, ...]:
        function, args, state = super().__reduce__()
        return function, args, {**state, "job": _without_personal_fields(self.job)}


class WaitTimeoutError(_JobError):
    """The job did not finish in time. `job` is the job as it was last seen, or None."""


class JobFailedError(_JobError):
    """The job that was waited for with `raise_on_failure=True` has failed. `job` is that job."""


class ListChangedError(MetaStudioError):
    """The list changed during pagination in a way that the paginator cannot correct."""


class ListChangedWarning(UserWarning):
    """The list shrank while it was read by offset, so items may be missing."""


class ApiError(MetaStudioError):
    """The server responded with a status other than success.

    This class itself stands for redirects and every status without a class below.

    Attributes:
        status_code: HTTP status.
        error_code: The server's error code as text, or None.
        error_msg: The server's message, or the whole body if it has none.
        request_id: Request ID from `X-Request-Id` or the body, or None. Quote it to the vendor's support.
        body: The response body as text, cut after 64 KB. Bytes that are not text appear as `\\xNN`.
        request: Method and URL, or None.
        retries: Number of retries made.
        retry_after: Seconds that the server asked to wait, or None.
        hint: Advice on the likely cause, or None.
        encoded_authorization_message: IAM's encoded explanation of a denial, or None.
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
        super().__init__(status_code, error_code, error_msg, request_id)
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

    def __str__(self) -> str:
        text = f"HTTP {self.status_code}"
        if self.error_code:
            text += f" {_shortened(self.error_code, _SHOWN_CODE)}"
        if message := _shortened(self.error_msg or "", _SHOWN_MESSAGE):
            text += f": {message}"
        if self.request_id:
            text += f" (request id {_shortened(self.request_id, _SHOWN_CODE)})"
        return f"{text}. {redaction.printable(self.hint)}" if self.hint else text


class BadRequestError(ApiError):
    """400. This cloud also uses it for some failed authentications (docs/service-notes.md#error-codes)."""


class AuthenticationError(ApiError):
    """401: the signature, access key or token was refused."""


class PermissionDeniedError(ApiError):
    """403: authenticated but not allowed, or the access key is locked for some minutes."""


class NotFoundError(ApiError):
    """404."""


class RateLimitError(ApiError):
    """429: too many requests."""


class ServerError(ApiError):
    """5xx, from the gateway or the service."""


def _shortened(text: str, length: int) -> str:
    text = redaction.printable(text)
    return text if len(text) <= length else text[:length] + "..."


def _without_personal_fields(job: Any) -> Any:
    """Return a copy of a job model with its personal fields unset; any other object unchanged."""
    fields: tuple[Any, ...] = getattr(job, "__attrs_attrs__", ())
    personal = [field for field in fields if redaction.is_sensitive(field.name)]
    if personal:
        job = copy.copy(job)
        for field in personal:
            setattr(job, field.name, field.default)
    return job
