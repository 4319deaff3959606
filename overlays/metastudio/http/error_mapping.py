"""From an answer that is not success to the error that says what it said."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from metastudio import errors, redaction
from metastudio.http import hints
from metastudio.http.retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

_BY_STATUS: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
}


def api_error(response: httpx.Response, *, body: bytes | None = None, retries: int = 0) -> errors.ApiError:
    """The error for `response`, an answer that is not success and has been read.

    Args:
        response: the answer; it knows its request.
        body: its bytes where `response.content` cannot give them (a broken content encoding).
        retries: number of repeats made before this answer.
    """
    secrets = redaction.secrets_of(response.request)
    text = _text(response.content if body is None else body, response.charset_encoding)
    said = _Said.read(text)
    code = said.code and redaction.mask(said.code, secrets)
    shown = redaction.mask(text, secrets)
    message = redaction.mask(said.message, secrets) if said.message else shown
    status = response.status_code
    cls = _BY_STATUS.get(status, errors.ServerError if 500 <= status <= 599 else errors.ApiError)
    return cls(
        status,
        code,
        message or None,
        request_id(response) or said.request_id,
        shown,
        errors.RequestSummary.of(response.request),
        retries,
        retry_after=retry_after(response.headers),
        hint=hints.hint(response, code or "", said.message or text),
        encoded_authorization_message=said.authorization,
    )


def request_id(response: httpx.Response) -> str | None:
    """The id the server gave the request, from the header; None when there is none that could be one."""
    return _one_word(response.headers.get("X-Request-Id"))


def _one_word(value: Any) -> str | None:
    """An id goes into log lines, so it must not be able to look like several of them."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,128}", value) else None


def _text(body: bytes, charset: str | None) -> str:
    """The text of an error body, nothing lost. UTF-8 goes before the header's claim, which is often wrong."""
    detected = json.detect_encoding(body)  # UTF-16 and UTF-32 by their zeros, UTF-8 otherwise
    for candidate in (detected, charset or detected):
        try:
            return body.decode(candidate)
        except (LookupError, UnicodeError):
            continue
    return body.decode("utf-8", "backslashreplace")


class _Said(NamedTuple):
    """What an error body says, in whichever of this cloud's forms (facts 2.1, 4.1, 4.4)."""

    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    authorization: str | None = None

    @classmethod
    def read(cls, text: str) -> _Said:
        """What `text` says, if it is JSON: in nested objects, and in arrays when these do not say it all."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return cls()
        said = cls._search(value, arrays=False)
        return said if said.code and said.message else said._or(cls._search(value, arrays=True))

    @classmethod
    def _search(cls, value: Any, *, arrays: bool) -> _Said:
        """As the vendor's SDK does: an outer code and message hide inner ones, of neighbours the last counts."""
        pair, parts = cls(), cls()
        waiting = [value]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                here = cls._of(cast("dict[str, Any]", value))
                parts = parts._replace(authorization=here.authorization or parts.authorization)._or(here)
                if here.code and here.message:
                    pair = cls(here.code, here.message)
                else:
                    waiting += _reversed(cast("dict[str, Any]", value).values())
            elif isinstance(value, list) and arrays:
                waiting += _reversed(value)
        return pair._or(parts) if pair.code else parts

    def _or(self, other: _Said) -> _Said:
        return _Said(*(mine or theirs for mine, theirs in zip(self, other, strict=True)))

    @classmethod
    def _of(cls, value: dict[str, Any]) -> _Said:
        pairs = [
            (_as_text(value.get(code)), _as_text(value.get(message)))
            for code, message in (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
        ]
        code, message = next((pair for pair in pairs if all(pair)), (None, None))
        return cls(
            code or next((code for code, _ in pairs if code), None),
            message or next((message for _, message in pairs if message), None),
            _one_word(value.get("request_id")) or _one_word(value.get("requestId")),
            _as_text(value.get("encoded_authorization_message")),
        )


def _reversed(values: Iterable[Any]) -> list[Any]:
    return list(values)[::-1]


def _as_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate could not be printed
