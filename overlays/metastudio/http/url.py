"""URLs and queries in the canonical spelling, the one that a request signature covers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

_is_unreserved = re.compile(r"[\w.~-]*", re.ASCII).fullmatch
_is_plain_query = re.compile(r"[\w.~-]+=[\w.~-]*(?:&[\w.~-]+=[\w.~-]*)*", re.ASCII).fullmatch
_is_plain_path = re.compile(r"/(?!/)[A-Za-z0-9/_.~%-]*").fullmatch


def merge(client: httpx.Client | httpx.AsyncClient, arguments: dict[str, Any]) -> dict[str, Any]:
    """Merge the path and the parameters of a request into one URL, in the canonical spelling.

    httpx parses a URL three times to do that, which is most of the time of building a request (docs/benchmarks.md).
    This parses it once, and signing does not have to parse it again.

    Args:
        client: The client whose base URL and default parameters apply.
        arguments: Keyword arguments of `build_request`.

    Returns:
        Keyword arguments of `build_request` without parameters. Anything that the generated functions do not send,
        such as a list of parameters or an absolute URL, is returned unchanged for httpx to handle.
    """
    path, params = arguments.get("url"), arguments.get("params") or {}
    if not isinstance(path, str) or not _is_plain_path(path) or not isinstance(params, dict) or client.params:
        return arguments
    if not all(type(value) in (str, int) for value in params.values()):
        return arguments
    query = canonical_query([(name, str(value)) for name, value in params.items()])
    target = client.base_url.raw_path + path[1:].encode() + (f"?{query}".encode() if query else b"")
    return {**arguments, "url": client.base_url.copy_with(raw_path=target), "params": None}


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Decode the query of a URL into names and values, in their order.

    A ``+`` is a space, and a name without ``=`` has an empty value. Bytes that are not UTF-8 become surrogate
    escapes, so that `canonical_query` restores them.
    """
    pairs: list[tuple[str, str]] = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode decoded names and values as a query, sorted by name and then by value."""
    return "&".join([f"{_encode(name)}={_encode(value)}" for name, value in sorted(pairs)])


def normalize_query(query: str) -> str:
    """Rewrite the query of a URL, in any encoding and order, in the canonical spelling."""
    if _is_plain_query(query):  # nothing to decode or encode; NUL makes a name sort before its longer neighbours
        return "&".join(sorted(query.replace("=", "\0").split("&"))).replace("\0", "=")
    return canonical_query(query_pairs(query))


def _encode(text: str) -> str:
    """Percent-encode every character that RFC 3986 does not call unreserved."""
    return text if _is_unreserved(text) else _quote(text)


@lru_cache(maxsize=256)
def _quote(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")


def _decode(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape")
