"""The URL of a request, made in one step and in the spelling that is signed.

httpx would parse it three times: the path, the path below the base URL, that with its parameters; and signing it would
make a fourth, to bring the parameters into the order of the signature. Parsing is what takes most of the time of
building a request (docs/benchmarks.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from metastudio.auth import signature

if TYPE_CHECKING:
    import httpx

_plain_path = re.compile(r"/(?!/)[A-Za-z0-9/_.~%-]*").fullmatch


def resolve(client: httpx.Client | httpx.AsyncClient, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments of `build_request` with a path below the base URL and its parameters made one URL.

    Only what the generated functions give is done here; the rest is left to httpx, as it is.
    """
    path, params = arguments.get("url"), arguments.get("params") or {}
    if not isinstance(path, str) or not _plain_path(path) or not isinstance(params, dict) or client.params:
        return arguments
    if not all(type(value) in (str, int) for value in params.values()):
        return arguments
    query = signature.canonical_query([(name, str(value)) for name, value in params.items()])
    target = client.base_url.raw_path + path[1:].encode() + (f"?{query}".encode() if query else b"")
    return {**arguments, "url": client.base_url.copy_with(raw_path=target), "params": None}
