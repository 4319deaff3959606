"""Reads a response: its body in bounded memory, and its JSON as the contract declares it."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import httpx

from metastudio import redaction
from metastudio.contract.structure import Mismatch
from metastudio.http import trailing_data
from metastudio.http.deadline import time_left
from metastudio.http.untrusted_json import MAX_DEPTH, is_too_deep

if TYPE_CHECKING:
    from metastudio.contract.operation import Operation

MAX_RESPONSE_SIZE = 64 * 2**20
"""Default limit of a decoded body in bytes: far above any page of a list, and harmless to a small machine."""
ERROR_LIMIT = 4 * redaction.TEXT_LIMIT
"""Bytes that are read of an error. Its text is cut at `TEXT_LIMIT` characters, of at most 4 bytes each."""
ACCEPT_ENCODING = "gzip"

_ZLIB_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_DETECT_FORMAT = zlib.MAX_WBITS | 32  # of gzip and zlib
_PIECE = 256 * 1024
_BROKEN = "its content encoding is broken"
_TOO_DEEP = Mismatch("", f"its JSON is nested more than {MAX_DEPTH} levels deep, the most that this client reads")
_NOT_ASKED_FOR = f"its content encoding is not {ACCEPT_ENCODING}"


class ResponseBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response, decoded in pieces, so that a small response cannot fill the memory.

    Reading the body of a success raises `httpx.DecodingError` at the limit, or if its content encoding is broken. The
    body of an error is cut instead, and is left undecoded if that fails, because it must not hide the error message.

    Args:
        response: The response. Its `Content-Encoding` is removed, because httpx would decode without limits.
        limit: Decoded bytes that a success may have; None for no limit.
    """

    def __init__(self, response: httpx.Response, limit: int | None) -> None:
        self.limit = limit
        self._response = response
        self._stream: Any = response.stream
        self._is_error = not response.is_success
        self._encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        if self._encoding != "identity":
            response.extensions["content_encoding"] = self._encoding

    def __iter__(self) -> Iterator[bytes]:
        decode = self._decoder()
        for chunk in self._stream:
            time_left()
            yield from decode(chunk)
            if decode.full:
                return
        yield from decode.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        decode = self._decoder()
        async for chunk in self._stream:
            for piece in decode(chunk):
                yield piece
            if decode.full:
                return
        for piece in decode.end():
            yield piece

    def _decoder(self) -> _Decoder | _ErrorDecoder:
        return _ErrorDecoder(self._encoding) if self._is_error else _Decoder(self._encoding, self.limit)

    def close(self) -> None:
        """Release the connection."""
        trailing_data.ended(self._response)
        self._stream.close()

    async def aclose(self) -> None:
        """Release the connection."""
        trailing_data.ended(self._response)
        await self._stream.aclose()


class _Decoder:
    """Decodes the body of a success.

    Attributes:
        full: Whether the rest of the body is not wanted.
    """

    full = False

    def __init__(self, encoding: str, limit: int | None) -> None:
        self._limit = limit
        self._size = 0
        self._zlib: Any = None
        if encoding in _ZLIB_ENCODINGS:
            self._zlib = zlib.decompressobj(_DETECT_FORMAT)
        elif encoding != "identity":
            several = "," in encoding
            raise httpx.DecodingError("it has several content encodings" if several else _NOT_ASKED_FOR)

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the content of a chunk."""
        if self._zlib is None:
            yield self._counted(chunk)
            return
        while chunk and not self._zlib.eof:
            try:
                piece = self._zlib.decompress(chunk, _PIECE)
            except zlib.error:
                raise httpx.DecodingError(_BROKEN) from None
            chunk = self._zlib.unconsumed_tail
            yield self._counted(piece)

    def end(self) -> Iterator[bytes]:
        """Yield what is left at the end of the body."""
        if self._zlib is not None and not self._zlib.eof:
            raise httpx.DecodingError(_BROKEN)
        return iter(())

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._limit is not None and self._size > self._limit:
            raise httpx.DecodingError(f"its body is longer than max_response_size, {self._limit} bytes")
        return piece


class _ErrorDecoder:
    """Decodes the beginning of the body of an error, in one piece."""

    def __init__(self, encoding: str) -> None:
        self.full = False
        self._encoding = encoding
        self._raw = bytearray()

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        """Keep a chunk."""
        self._raw += chunk[: ERROR_LIMIT - len(self._raw)]
        self.full = len(self._raw) >= ERROR_LIMIT
        return self.end() if self.full else iter(())

    def end(self) -> Iterator[bytes]:
        """Yield what was kept."""
        yield self._decoded()

    def _decoded(self) -> bytes:
        raw = bytes(self._raw)
        if self._encoding not in _ZLIB_ENCODINGS:
            return raw
        try:
            return zlib.decompressobj(_DETECT_FORMAT).decompress(raw, ERROR_LIMIT)
        except zlib.error:
            return raw


def parse_success(response: httpx.Response, operation: Operation) -> tuple[Any, Mismatch | None]:
    """Parse a successful response and check it against the contract.

    Args:
        response: A successful response that has been read.
        operation: The operation that was called.

    Returns:
        The parsed body (None if the contract declares no JSON for this status), and where it does not match.
    """
    status = response.status_code
    if status not in operation.success:
        return None, Mismatch("", f"the contract declares only status {', '.join(map(str, operation.success))}")
    structure = operation.success[status]
    if structure is None:
        return None, None
    try:
        value = json.loads(response.content, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        return None, _TOO_DEEP
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None, Mismatch("", f"expected JSON, got {_kind(response.content)}")
    except ValueError:  # of the two functions below, or an integer of more digits than Python converts
        return None, Mismatch("", "its JSON has NaN, Infinity or a number that is too large")
    return (None, _TOO_DEEP) if is_too_deep(value) else (value, structure.mismatch(value))


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # Python reads NaN and Infinity, which JSON does not have


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # it would be written as Infinity
        raise ValueError(text)
    return number


def _kind(body: bytes) -> str:
    if not body:
        return "an empty body"
    if body.lstrip()[:1] == b"<":
        return "an HTML or XML page (a proxy, a login page, a wrong base URL?)"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "bytes that are not UTF-8 text"
    return "text that is not JSON, or cut short"
