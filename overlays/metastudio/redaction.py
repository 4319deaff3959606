"""What must never be shown, and how it is blotted out of text that is.

Secrets, signatures and tokens open doors; contacts and download addresses are personal (facts 5.7, 5.15).
Errors and log lines pass through here on their way out. A server may echo anything, hence two nets:
the exact values that this request carried, and names and forms that give a sensitive value away.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

MASK = "***"

_WORDS = "authorization|cookie|contact|e?mail|mobile|passw(?:or)?d|phone|secret|signature|token|user_?id|url"
_KEY = rf"(?:[\w-]*(?:{_WORDS})(?:_?key)?|access|ak|sk)"


@cache
def _nets() -> tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]:
    """What to look for and what to put there; made when the first text is masked, as most programs see no error."""
    quoted = r"(\\?[\"'])(?:(?!\4)(?:\\.|[^\\]))*"  # also inside a string of JSON, where quotes are escaped
    bare, word = r"[^\s\"'\\,{}\[\]]+", r"[^\s,;|&\"'\\<>]+"
    insensitive = re.IGNORECASE | re.DOTALL
    return (
        (re.compile(rf"(\\?[\"'])({_KEY})\1(\s*[:=]\s*)(?:{quoted}|{bare})", insensitive), rf"\1\2\1\3\4{MASK}"),
        (re.compile(rf"(?<![\w-])({_KEY})(\s?[:=]\s*)(?:(?:basic|bearer)\s+)?{word}", insensitive), rf"\1\2{MASK}"),
        (re.compile(r"(https?:(?:\\?/){2}[^\s\"'<>?#\\/]+)([^\s\"'<>]*)", insensitive), _masked_address),
        (re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])"), MASK),  # a signature
        (re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+\.[\w.-]+"), MASK),
        (re.compile(r"(?<![0-9A-Za-z])(?:\+\d{1,3}[ -]?)?1[3-9]\d{9}(?![0-9A-Za-z])"), MASK),  # a mobile phone
    )


_SECRET_HEADERS = ("Authorization", "X-Auth-Token", "X-Security-Token", "X-App-UserId", "Cookie")
_AUTHORIZATION_PART = r"(?:Access|Credential|Signature)=([^,/\s]+)"
_SHORTEST_SECRET = 4  # a shorter value would blot out ordinary words


def is_sensitive(name: str) -> bool:
    """Whether the value of a header, query parameter or field of this name must not be shown."""
    return re.fullmatch(_KEY, name, re.IGNORECASE) is not None


def secrets_of(request: httpx.Request) -> list[str]:
    """The sensitive values that this request carries in its headers: key, signature, tokens, user id."""
    found: list[str] = []
    for name in _SECRET_HEADERS:
        if value := request.headers.get(name):
            found += [value, *re.findall(_AUTHORIZATION_PART, value)]
    return found


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace `secrets`, and everything that looks sensitive by its name or form, by `***`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    for pattern, replacement in _nets():
        text = pattern.sub(replacement, text)
    return text


def mask_url(url: httpx.URL) -> str:
    """The URL without user information and fragment, values of sensitive query parameters replaced."""
    bare = str(url.copy_with(userinfo=b"", query=None, fragment=None))
    query = _masked_query(url.query.decode("ascii"))
    return f"{bare}?{query}" if query else bare


def mask_canonical_request(canonical_request: str) -> str:
    """A canonical request for the log: what is sensitive loses its value, the rest stays as it was signed."""
    method, path, query, *rest = canonical_request.split("\n")
    return "\n".join((method, path, _masked_query(query), *(_masked_member(line, ":") for line in rest)))


def _masked_query(query: str) -> str:
    return "&".join(_masked_member(member, "=") for member in query.split("&"))


def _masked_member(member: str, separator: str) -> str:
    name, found, value = member.partition(separator)
    return f"{name}{separator}{MASK}" if found and value and is_sensitive(name) else member


def _masked_address(match: re.Match[str]) -> str:
    """Of an address with a query, such as a signed download address, only the origin is shown."""
    origin, rest = match.groups()
    return f"{origin}/{MASK}" if "?" in rest else origin + rest
