"""SDK-HMAC-SHA256, the request signature of Huawei Cloud's gateway, as pure functions.

Read from the bottom up it is the whole recipe: ``authorization`` names who signed, ``signature`` is a keyed hash
of ``string_to_sign``, which holds a plain hash of ``canonical_request``, which is made of the request's parts, each
brought into the one spelling that both sides agree on. No I/O, no clock, no state.

Source: the API Request Signing Guide (api-sign-algorithm-001 to 005) and the vendor's Python signer 3.1.219; where
implementations disagree, docs/signing.md says which inputs to avoid.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

ALGORITHM = "SDK-HMAC-SHA256"
EMPTY_PAYLOAD_HASH = hashlib.sha256(b"").hexdigest()


# Text that stands for itself, and a query made of it: nothing to encode, nothing to decode.
_is_unreserved = re.compile(r"[\w.~-]*", re.ASCII).fullmatch
_is_plain_query = re.compile(r"[\w.~-]+=[\w.~-]*(?:&[\w.~-]+=[\w.~-]*)*", re.ASCII).fullmatch


def format_date(now: datetime) -> str:
    """The value of ``X-Sdk-Date``, ``YYYYMMDDTHHMMSSZ``, for a time in UTC."""
    day_and_time = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    return "%04d%02d%02dT%02d%02d%02dZ" % day_and_time  # noqa: UP031 - half the time of strftime or an f-string


def _encode(text: str) -> str:
    """RFC 3986: everything but ``A-Za-z0-9-_.~`` becomes ``%XX`` of its UTF-8 bytes, in upper case."""
    return text if _is_unreserved(text) else _quote(text)


@lru_cache(maxsize=256)
def _quote(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")


def _decode(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape")


def canonical_uri(path: str) -> str:
    """The path, percent-encoded or not, segment by segment in the one spelling, ending in ``/``.

    The request itself goes out without the added ``/``. An encoded slash (``%2F``) is read as a slash, as the
    vendor's Python signer does; other languages' signers do not, so do not put one into a segment.
    """
    encoded = quote(unquote(path, errors="surrogateescape"), safe="/~", errors="surrogateescape")
    return encoded if encoded.endswith("/") else encoded + "/"


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a URL's query, in their order: ``+`` is a space, ``name`` alone is ``name=``.

    Bytes that are not UTF-8 survive as surrogate escapes, so that ``canonical_query`` gives them back unchanged.
    """
    pairs: list[tuple[str, str]] = []
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            pairs.append((_decode(key), _decode(value)))
    return pairs


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Decoded pairs, sorted by decoded key and then value, as ``key=value`` joined by ``&``.

    This text is also what must stand in the URL that is sent.
    """
    return "&".join([f"{_encode(key)}={_encode(value)}" for key, value in sorted(pairs)])


def spell_query(query: str) -> str:
    """The query of a URL, however it is encoded and ordered, as ``canonical_query`` spells it."""
    if _is_plain_query(query):  # NUL sorts before all that is in it, as the end of a key has to
        return "&".join(sorted(query.replace("=", "\0").split("&"))).replace("\0", "=")
    return canonical_query(query_pairs(query))


def signed_headers(headers: Iterable[str]) -> tuple[str, ...]:
    """The header names in the order they are signed. Names with ``_`` are sent but never signed."""
    return _in_order(tuple(headers))


@lru_cache(maxsize=64)
def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if "_" not in name))


def canonical_headers(headers: Mapping[str, str], names: Iterable[str]) -> str:
    """One line ``name:value`` for each signed header, the value's ends trimmed, inner blanks as they are."""
    return "".join([f"{name}:{headers[name].strip()}\n" for name in names])


def payload_hash(body: bytes, declared: str | None = None) -> str:
    """The body's SHA-256, or what the request declares as ``X-Sdk-Content-Sha256`` (such as ``UNSIGNED-PAYLOAD``).

    An empty body always has the hash of nothing.
    """
    if not body:
        return EMPTY_PAYLOAD_HASH
    return declared or hashlib.sha256(body).hexdigest()


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], payload: str = EMPTY_PAYLOAD_HASH
) -> str:
    """The request in the spelling that is hashed.

    ``path`` as sent; ``query`` from ``canonical_query``; ``headers`` those to be signed, names in lower case;
    ``payload`` from ``payload_hash``.
    """
    start, names, end = _frame(method, path, tuple(headers))
    return f"{start}{query}\n{canonical_headers(headers, names)}{end}{payload}"


@lru_cache(maxsize=64)
def _frame(method: str, path: str, headers: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """What is the same in request after request: before the query, the names to sign, after the headers."""
    names = signed_headers(headers)
    # The last header line ends in a line break of its own, hence the blank line before the names.
    return f"{method.upper()}\n{canonical_uri(path)}\n", names, f"\n{';'.join(names)}\n"


def string_to_sign(date: str, request: str) -> str:
    """``date`` is the value of ``X-Sdk-Date``; ``request`` the canonical request."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(request.encode('utf-8', 'surrogateescape')).hexdigest()}"


def signature(secret_key: str, text: str) -> str:
    """HMAC-SHA256 of the string to sign under the secret key, in lower-case hexadecimal."""
    return keyed_signature(secret_key)(text)


def keyed_signature(secret_key: str) -> Callable[[str], str]:
    """``signature`` of one secret key. The two blocks of HMAC (RFC 2104) that hold the key are hashed beforehand.

    That halves the time of a signature against ``hmac.new``, which starts from the key each time.
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
    """The value of the ``Authorization`` header. There is no comma after the algorithm."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signed}"
