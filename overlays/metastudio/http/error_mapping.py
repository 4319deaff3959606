"""Maps a response other than success to an exception of `metastudio.errors`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from metastudio import errors, redaction
from metastudio.http import hints, untrusted_json
from metastudio.http.retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import httpx

_CLASSES: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
}
_CODE_NAMES = ("error_code", "errorCode", "code")
_MESSAGE_NAMES = ("error_msg", "errorMsg", "message")


def api_error(response: httpx.Response, *, retries: int = 0) -> errors.ApiError:
    """Return the exception for a response other than success.

    Args:
        response: The response, already read, with its request.
        retries: Number of retries made before this response.
    """
    status = response.status_code
    default = errors.ServerError if 500 <= status <= 599 else errors.ApiError
    secrets = redaction.secrets_of(response.request)
    text = _decode(response.content, response.charset_encoding)
    parsed = _ErrorBody.parse(text)
    code = redaction.mask(parsed.code, secrets) if parsed.code else None
    masked = redaction.mask(text, secrets)
    return _CLASSES.get(status, default)(
        status,
        code,
        (redaction.mask(parsed.message, secrets) if parsed.message else masked) or None,
        request_id(response) or _request_id_of(response, parsed.request_id),
        masked,
        errors.RequestSummary.of(response.request),
        retries,
        retry_after=retry_after(response.headers),
        hint=hints.hint(response, code or "", parsed.message or text),
        encoded_authorization_message=parsed.encoded_authorization_message,
    )


def request_id(response: httpx.Response) -> str | None:
    """Return the request ID from the response headers, or None if it is missing, malformed or echoes a secret."""
    return _request_id_of(response, response.headers.get("X-Request-Id"))


def _request_id_of(response: httpx.Response, value: Any) -> str | None:
    """Return the value if it is one printable word, so that it cannot forge a log line, and echoes no secret."""
    is_word = isinstance(value, str) and re.fullmatch(r"[!-~]{1,128}", value)
    return value if is_word and not redaction.has_secret(value, response.request) else None


def _decode(body: bytes, charset: str | None) -> str:
    """Decode an error body without losing a byte. UTF-8 wins over the declared charset, which is often wrong.

    Trying UTF-8 first also keeps ASCII from the punycode codec, which takes quadratic time.
    """
    detected = json.detect_encoding(body)  # UTF-16 and UTF-32 by their zero bytes, otherwise UTF-8
    for candidate in (detected, "utf-8", charset or "utf-8"):
        try:
            return body.decode(candidate)
        except (LookupError, ValueError):
            continue
    return body.decode("utf-8", "backslashreplace")


class _ErrorBody(NamedTuple):
    """The parts of an error body, in any format of this cloud (docs/service-notes.md#error-bodies)."""

    code: str | None = None
    message: str | None = None
    request_id: Any = None
    encoded_authorization_message: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a body; every part is None if `untrusted_json` refuses it.

        A code and its message are searched like in the vendor's SDK: those of an outer object win over inner ones,
        and those of the last sibling win. Objects inside arrays count if no other has both.
        """
        try:
            value = untrusted_json.parse(text)
            objects = list(_objects(value, arrays=False))
            if not any(map(_pair, objects)):
                objects += _objects(value, arrays=True)
            pairs = filter(None, map(_pair, reversed(objects)))
            code, message = next(pairs, (_first(objects, _CODE_NAMES), _first(objects, _MESSAGE_NAMES)))
            return cls(
                _as_text(code),
                _as_text(message),
                _first(objects, ("request_id", "requestId")),
                _as_text(_first(reversed(objects), ("encoded_authorization_message",))),
            )
        except ValueError:
            return cls()


def _objects(value: Any, *, arrays: bool) -> Iterator[dict[str, Any]]:
    """Yield the objects in a JSON value in document order, except those inside an object with code and message."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
            if not _pair(value):
                pending += reversed(value.values())
        elif isinstance(value, list) and arrays:
            pending += reversed(value)


def _pair(obj: dict[str, Any]) -> tuple[Any, Any] | None:
    """Return code and message if the object has both under names that belong together."""
    for names in zip(_CODE_NAMES, _MESSAGE_NAMES, strict=True):
        code, message = map(obj.get, names)
        if _present(code) and _present(message):
            return code, message
    return None


def _first(objects: Iterable[dict[str, Any]], names: Iterable[str]) -> Any:
    return next((obj[name] for obj in objects for name in names if _present(obj.get(name))), None)


def _present(value: Any) -> bool:
    return value is not None and value != ""


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot be printed or stored
