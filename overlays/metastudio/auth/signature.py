"""SDK-HMAC-SHA256, the request signature of Huawei Cloud's API gateway, as pure functions.

The recipe, step by step: `canonical_request` writes the parts of a request in one agreed spelling, `string_to_sign`
hashes it together with the date, `signature` is the HMAC of that text under the secret key, and `authorization` is
the header that carries it. Nothing here does I/O, reads a clock or keeps state.

Sources: the vendor's API Request Signing Guide and its Python SDK (docs/service-notes.md#signing). Signers of other
languages disagree about some inputs; docs/signing.md lists them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

ALGORITHM = "SDK-HMAC-SHA256"
EMPTY_PAYLOAD_HASH = hashlib.sha256(b"").hexdigest()


def format_date(now: datetime) -> str:
    """Format a UTC time as the value of ``X-Sdk-Date``, ``YYYYMMDDTHHMMSSZ``."""
    day_and_time = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    return "%04d%02d%02dT%02d%02d%02dZ" % day_and_time  # noqa: UP031 - half the time of strftime or an f-string


def canonical_uri(path: str) -> str:
    """Percent-encode each segment of a path, decoded or not, and end it with ``/``.

    The request is sent without the added ``/``. An encoded slash (``%2F``) counts as a slash, as in the vendor's
    Python signer but not in those of other languages, so a path segment should not contain one.
    """
    encoded = quote(unquote(path, errors="surrogateescape"), safe="/~", errors="surrogateescape")
    return encoded if encoded.endswith("/") else encoded + "/"


def signed_headers(headers: Iterable[str]) -> tuple[str, ...]:
    """Sort the names of the headers to sign. Names that contain ``_`` are sent but never signed."""
    return _sorted_names(tuple(headers))


@lru_cache(maxsize=64)
def _sorted_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if "_" not in name))


def payload_hash(body: bytes, declared: str | None = None) -> str:
    """Return the SHA-256 of the body in lower-case hexadecimal.

    Args:
        body: The body; an empty one always has the hash of no bytes.
        declared: The header ``X-Sdk-Content-Sha256``, such as ``UNSIGNED-PAYLOAD``, which replaces the hash.
    """
    if not body:
        return EMPTY_PAYLOAD_HASH
    return declared or hashlib.sha256(body).hexdigest()


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], payload: str = EMPTY_PAYLOAD_HASH
) -> str:
    """Write the parts of a request in the spelling that is hashed.

    Args:
        method: The HTTP method, in any case.
        path: The path as it is sent.
        query: The query from `metastudio.http.url.canonical_query`.
        headers: The headers to sign, by their names in lower case.
        payload: The hash from `payload_hash`.
    """
    start, names, end = _frame(method, path, tuple(headers))
    lines = "".join([f"{name}:{headers[name].strip()}\n" for name in names])
    return f"{start}{query}\n{lines}{end}{payload}"


@lru_cache(maxsize=64)
def _frame(method: str, path: str, headers: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """Return what repeated requests share: the text before the query, the sorted names, the text after the headers."""
    names = signed_headers(headers)
    # The last header line ends in a line break of its own, hence the blank line before the names.
    return f"{method.upper()}\n{canonical_uri(path)}\n", names, f"\n{';'.join(names)}\n"


def string_to_sign(date: str, request: str) -> str:
    """Return the text that is signed.

    Args:
        date: The value of ``X-Sdk-Date``.
        request: The canonical request.
    """
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(request.encode('utf-8', 'surrogateescape')).hexdigest()}"


def signature(secret_key: str, text: str) -> str:
    """Return the HMAC-SHA256 of the string to sign under the secret key, in lower-case hexadecimal."""
    return keyed_signature(secret_key)(text)


def keyed_signature(secret_key: str) -> Callable[[str], str]:
    """Return `signature` for one secret key, whose part of the HMAC (RFC 2104) is hashed only once.

    Copying the two hashes takes half the time of `hmac.HMAC.copy`.
    """
    key = secret_key.encode()
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    block = key.ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes([byte ^ pad for byte in block])) for pad in (0x36, 0x5C))

    def sign(text: str) -> str:
        inside, outside = inner.copy(), outer.copy()
        inside.update(text.encode())
        outside.update(inside.digest())
        return outside.hexdigest()

    return sign


def authorization(access_key: str, names: Iterable[str], signed: str) -> str:
    """Return the value of the ``Authorization`` header. It has no comma after the algorithm."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signed}"
