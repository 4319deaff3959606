"""Requests as commands for a shell. Credentials stand in them as variables only.

A token is a header of its own. A signature belongs to one request and one moment, so a command makes it afresh:
`python -m metastudio.contract.sign URL` prints the headers in the form of a configuration of curl.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from metastudio import masking
from metastudio.signing import canonical_query, query_pairs

SIGNER = "python -m metastudio.contract.sign"
_VARIABLES = {
    SIGNER: "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and HUAWEICLOUD_SDK_PROJECT_ID",
    "$METASTUDIO_TOKEN": "METASTUDIO_TOKEN",
}


def variables(commands: Iterable[str]) -> str:
    """Say which variables of the environment commands read, "" for none."""
    everything = "\n".join(commands)
    named = [names for part, names in _VARIABLES.items() if part in everything]
    return f"The commands read {' and '.join(named)} from the environment." if named else ""


def command(
    method: str,
    url: str,
    *,
    way: str = "keys",
    token_header: str = "X-Auth-Token",  # noqa: S107 - the name of a header
    headers: Iterable[tuple[str, str]] = (),
    case: str | None = None,
) -> str:
    """Return the command for a request. `way` is keys, token or none; `case` names a forged signature."""
    verb = [] if method == "GET" else ["-I"] if method == "HEAD" else ["-X", method]
    shown = [part for name, value in headers for part in ("-H", shlex.quote(f"{name}: {_shown(name, value)}"))]
    if way == "keys":
        options = [*(["--case", case] if case else []), *(["--method", method] if method != "GET" else [])]
        signer = " ".join([SIGNER, *options, shlex.quote(_masked(url))])
        return " ".join([signer, "|", "curl -sS -i", *verb, *shown, "-K -"])
    if way == "token":
        shown.append(f'-H "{token_header}: $METASTUDIO_TOKEN"')
    return " ".join(["curl -sS -i", *verb, *shown, shlex.quote(_masked(url))])


def _masked(url: str) -> str:
    """The URL as it was sent, but for values of parameters that tell something about a person or open a door."""
    parts = urlsplit(url)
    pairs = query_pairs(parts.query)
    masked = [(name, _shown(name, value)) for name, value in pairs]
    if masked == pairs:
        return url
    return urlunsplit(parts._replace(query=canonical_query(masked)))


def _shown(name: str, value: str) -> str:
    return masking.MASK if masking.is_sensitive(name) else masking.mask(value)
