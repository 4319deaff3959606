"""Verification of SDK-HMAC-SHA256 signatures (docs/service-notes.md#signing).

Written independently of the client's signing code, so that a mistake in either one makes the sandbox refuse.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from metastudio.sandbox.http import SandboxRequest

ALGORITHM = "SDK-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=(?P<access>[^,\s]+), ?SignedHeaders=(?P<signed>[^,\s]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_UNRESERVED = "-_.~"  # besides letters and digits, which quote never encodes


@dataclass(frozen=True)
class ParsedAuthorization:
    """The parts of an Authorization header."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(value: str) -> ParsedAuthorization | None:
    """Parse an Authorization header. Returns None if it is malformed."""
    found = _AUTHORIZATION.fullmatch(value)
    if found is None:
        return None
    return ParsedAuthorization(found["access"], tuple(found["signed"].split(";")), found["signature"])


def canonical_request(request: SandboxRequest, signed_headers: Iterable[str]) -> bytes:
    """Return the canonical request of a received request.

    The path and the query are decoded and encoded again. A plus sign is decoded as a space, because many clients send a
    space so and sign it as `%20`.
    """
    path = quote(unquote_to_bytes(request.path), safe=f"{_UNRESERVED}/")
    pairs = [part.partition(b"=")[::2] for part in request.query.replace(b"+", b" ").split(b"&") if part]
    decoded = sorted((unquote_to_bytes(key), unquote_to_bytes(value)) for key, value in pairs)
    query = "&".join(f"{quote(key, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for key, value in decoded)
    names = sorted(name.lower() for name in signed_headers)
    headers = [f"{name}:" + ",".join(each.strip(" \t") for each in request.header(name)) for name in names]
    unsigned = request.body and request.header("x-sdk-content-sha256") == [_UNSIGNED]
    payload = _UNSIGNED if unsigned else hashlib.sha256(request.body).hexdigest()
    lines = [request.method.upper(), f"{path.removesuffix('/')}/", query, *headers, "", ";".join(names), payload]
    return "\n".join(lines).encode("latin-1")


def verify(request: SandboxRequest, authorization: ParsedAuthorization, secret_key: str) -> bool:
    """Return whether the signature is the one that the secret key gives for this request."""
    dates = request.header("x-sdk-date")
    digest = hashlib.sha256(canonical_request(request, authorization.signed_headers)).hexdigest()
    string_to_sign = f"{ALGORITHM}\n{dates[0] if dates else ''}\n{digest}"
    expected = hmac.new(secret_key.encode(), string_to_sign.encode("latin-1"), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, authorization.signature)
