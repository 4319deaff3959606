"""Requests as shell commands, with credentials as environment variables.

A signature is valid for one request and some minutes only, so the command signs again: `python -m
metastudio.tester.sign URL` prints the signed headers as a curl configuration.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from metastudio import redaction
from metastudio.http.curl import curl_command
from metastudio.http.url import canonical_query, query_pairs
from metastudio.tester.access import Scheme, SchemeKind
from metastudio.tester.caller import Caller

IN_PROCESS_URL, BASE_URL = "http://testserver", "METASTUDIO_BASE_URL"
SIGNER = "python -m metastudio.tester.sign"
_KEYS = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_PROJECT_ID")
_OTHER_KEYS = ("METASTUDIO_OTHER_AK", "METASTUDIO_OTHER_SK", "METASTUDIO_OTHER_PROJECT_ID")


def variables(commands: Iterable[str]) -> str:
    """Return a sentence that names the environment variables the commands read, "" for none."""
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
    caller: Caller,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    forgery: str | None = None,
) -> str:
    """Return the shell command of a request.

    Args:
        method: HTTP method.
        url: URL with the query.
        caller: whose credentials the request carries.
        headers: further headers, which the tester made.
        body: the body, which the tester made.
        forgery: name of the forged signature; None for a valid one.
    """
    options = ["-sS", "-i", *([] if method == "GET" else ["-I"] if method == "HEAD" else ["-X", method])]
    data = shlex.quote(body.decode("utf-8", "replace"))
    options += ["--data-binary", data] if body else []
    scheme, expanded = caller.scheme, list[tuple[str, str]]()
    if scheme is not None and scheme.kind is SchemeKind.SIGNATURE:
        signing = [*caller.signer_options, *(["--case", forgery] if forgery else [])]
        signing += ["--method", method] if method != "GET" else []
        signing += ["--body", data] if body else []
        return " ".join([SIGNER, *signing, _quoted(url), "|", *curl_command(options, "", headers), "-K -"])
    if scheme is not None and scheme.kind is SchemeKind.TOKEN and scheme.location == "header":
        is_complete = scheme.value(caller.token or "") == caller.token
        expanded = [(scheme.name, caller.shown_token if is_complete else scheme.value(caller.shown_token))]
    elif scheme is not None:
        options.append(_credential(scheme, caller))
    return " ".join(curl_command(options, _quoted(url), headers, expanded))


def _credential(scheme: Scheme, caller: Caller) -> str:
    """The options that send credentials elsewhere than in a header of their own."""
    if scheme.kind is SchemeKind.BASIC:
        return f'-u "{caller.shown_login}"'
    option = "-b" if scheme.location == "cookie" else "-G --data-urlencode"
    return f'{option} "{escaped(scheme.name)}={caller.shown_token}"'


def escaped(text: str) -> str:
    """Escape a text that is no secret for the space between the double quotes of a shell."""
    return re.sub(r'([$`"\\])', r"\\\1", text)


def _quoted(url: str) -> str:
    """The URL as a shell word, with sensitive values masked; for an application in this process with a variable."""
    parts = urlsplit(url)
    pairs = query_pairs(parts.query)
    masked = [(name, redaction.MASK if redaction.is_sensitive(name) else redaction.mask(text)) for name, text in pairs]
    shown = url if masked == pairs else urlunsplit(parts._replace(query=canonical_query(masked)))
    if not shown.startswith(f"{IN_PROCESS_URL}/"):
        return shlex.quote(shown)
    return f'"${BASE_URL}"{shlex.quote(shown.removeprefix(IN_PROCESS_URL))}'
