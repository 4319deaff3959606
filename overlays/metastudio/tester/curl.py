"""Requests as commands for a shell. Credentials stand in them as variables only.

A token is a header of its own. A signature belongs to one request and one moment, so a command makes it afresh:
`python -m metastudio.tester.sign URL` prints the headers in the form of a configuration of curl.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from metastudio import redaction
from metastudio.http.url import canonical_query, query_pairs
from metastudio.tester.access import Access

SIGNER = "python -m metastudio.tester.sign"
_KEYS = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_PROJECT_ID")
_OTHER_KEYS = ("METASTUDIO_OTHER_AK", "METASTUDIO_OTHER_SK", "METASTUDIO_OTHER_PROJECT_ID")


def variables(commands: Iterable[str]) -> str:
    """Say which variables of the environment commands read, "" for none."""
    names: dict[str, None] = {}
    for command in commands:
        if command.startswith(SIGNER):
            names |= dict.fromkeys(_OTHER_KEYS if " --other " in command else _KEYS)
        names |= dict.fromkeys(re.findall(r"\$\{?(METASTUDIO_\w+)", command))
    *most, last = names or [""]
    return f"The commands read {', '.join(most)}{' and ' if most else ''}{last} from the environment." if last else ""


def command(
    method: str,
    url: str,
    who: Access,
    *,
    headers: Iterable[tuple[str, str]] = (),
    case: str | None = None,
    generated: bool = False,
) -> str:
    """Return the command for a request of somebody.

    `case` names a forged signature; `generated` says that headers were made up, so that nobody's data is in them.
    """
    verb = [] if method == "GET" else ["-I"] if method == "HEAD" else ["-X", method]
    shown = [part for header in headers for part in ("-H", shlex.quote(_header(*header, generated)))]
    if who.keys is not None:
        options = [*who.signer_options, *(["--case", case] if case else [])]
        options += ["--method", method] if method != "GET" else []
        signer = " ".join([SIGNER, *options, shlex.quote(_masked(url))])
        return " ".join([signer, "|", "curl -sS -i", *verb, *shown, "-K -"])
    if who.token is not None:
        shown.append(f'-H "{who.token_header}: {who.shown_token}"')
    return " ".join(["curl -sS -i", *verb, *shown, shlex.quote(_masked(url))])


def _header(name: str, value: str, generated: bool) -> str:
    if not value:
        return f"{name};"  # so curl sends a header without a value, instead of none
    return f"{name}: {value if generated else _shown(name, value)}"


def _masked(url: str) -> str:
    """The URL as it was sent, but for values of parameters that tell something about a person or open a door."""
    parts = urlsplit(url)
    pairs = query_pairs(parts.query)
    masked = [(name, _shown(name, value)) for name, value in pairs]
    if masked == pairs:
        return url
    return urlunsplit(parts._replace(query=canonical_query(masked)))


def _shown(name: str, value: str) -> str:
    return redaction.MASK if redaction.is_sensitive(name) else redaction.mask(value)
