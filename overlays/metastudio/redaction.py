"""Masking of secrets and personal data, and removal of control characters, in texts that are shown.

Errors and log lines pass through here. A server may echo anything, so a text is masked in two ways: the exact
secrets that its request carried, and values whose name or form is sensitive (docs/service-notes.md#personal-data).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

MASK = "***"
TEXT_LIMIT = 64 * 1024
"""Characters of a text that `mask` reads. It cuts off the rest, so that masking a hostile text takes bounded time."""

_SECRET_HEADERS = ("Authorization", "X-Auth-Token", "X-Security-Token", "X-App-UserId", "Cookie")
_AUTHORIZATION_PART = r"(?:Access|Credential|Signature)=([^,/\s]+)"
_SHORTEST_SECRET = 4  # masking a shorter value would mask ordinary words

_SENSITIVE_WORDS = (
    "authorization", "contact", "cookie", "mail", "mobile", "passwd", "password", "phone", "secret", "signature",
    "token", "url", "user_id", "userid",
)  # fmt: skip
_SENSITIVE_ENDINGS = tuple(word + suffix for word in _SENSITIVE_WORDS for suffix in ("", "key", "_key"))
_SENSITIVE_NAMES = ("access", "ak", "sk")

# Patterns are strings: `re` compiles them for the first error and keeps them, so importing costs nothing.
# Possessive quantifiers (++) make the time linear in the length of the text.
_NAME = r"""(?<![\w-])([\w-]++)\\?["']?\s*+(?::|=>?)\s*+"""  # also inside a JSON string, where quotes are escaped
_VALUE = r"""(?is)(\\?["'])(?:(?!\1)(?:\\.|[^\\]))*+|(?![\[{])(?:(?:basic|bearer)\s++)?[^\s,;|&"'\\<>]+"""
_ADDRESS = r"""(?i)(https?:(?:\\?/){2}[^\s"'<>?#\\/]++)([^\s"'<>]*+)"""
_SIGNATURE = r"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])"
_MAIL = r"(?<![\w.+%-])[\w.+%-]++@[\w-]++\.[\w.-]++"
_MOBILE = r"(?<![0-9A-Za-z])(?:\+\d{1,3}[ -]?)?1[3-9]\d{9}(?![0-9A-Za-z])"
_JSON_ESCAPE = r'\\(?:u((?![dD][89a-fA-F])[0-9a-fA-F]{4})|(["\\/]))'  # without surrogates

# Terminal sequences (colours; titles and links), then marks that change the direction of text.
_SEQUENCES = (
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_CONTROLS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"


def is_sensitive(name: str) -> bool:
    """Return whether the value of a header, query parameter or field of this name must be masked."""
    name = name.lower()
    return name.endswith(_SENSITIVE_ENDINGS) or name in _SENSITIVE_NAMES


def secrets_of(request: httpx.Request) -> list[str]:
    """Return the secrets in the headers of a request: access key, signature, tokens, user ID."""
    found: list[str] = []
    for name in _SECRET_HEADERS:
        if value := request.headers.get(name):
            found += [value, *re.findall(_AUTHORIZATION_PART, value)]
    return found


def has_secret(text: str, request: httpx.Request) -> bool:
    """Return whether a text without blanks holds a secret of a request. Short ones may be in an ID by chance."""
    return any(len(secret) >= 2 * _SHORTEST_SECRET and secret in text for secret in secrets_of(request))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace secrets and everything that looks sensitive by `***`.

    Args:
        text: The text to mask. What exceeds `TEXT_LIMIT` is cut off, and a note at the end says so.
        secrets: Exact values to mask, also where JSON escapes them.

    Returns:
        The masked text.
    """
    ordered = sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)
    length = len(text)
    text = _mask_secrets(text[:TEXT_LIMIT], ordered)
    text = _mask_named_values(text)
    text = re.sub(_ADDRESS, _mask_address, text)
    text = re.sub(f"{_SIGNATURE}|{_MAIL}|{_MOBILE}", MASK, text)
    if length <= TEXT_LIMIT:
        return text
    half_a_secret = max(map(len, ordered), default=0) + 100  # the cut may have split one, so drop that much
    return f"{text[:-half_a_secret]}... [cut: {length} characters]"


def mask_url(url: httpx.URL) -> str:
    """Return the URL without user information and fragment, and with sensitive query values masked."""
    bare = str(url.copy_with(userinfo=b"", query=None, fragment=None))
    query = _mask_query(url.query.decode("ascii"))
    return f"{bare}?{query}" if query else bare


def mask_canonical_request(canonical_request: str) -> str:
    """Return a canonical request for the log: sensitive values are masked, the rest is as it was signed."""
    method, path, query, *rest = canonical_request.split("\n")
    return "\n".join((method, path, _mask_query(query), *(_mask_member(line, ":") for line in rest)))


def printable(text: str) -> str:
    """Make a server's text safe for a terminal, a log line or `str(error)`.

    Terminal sequences and bidirectional marks are removed. Control characters and line breaks become one blank, so
    that the text cannot forge a line. Lone surrogates, which no encoding can print, become U+FFFD.
    """
    if text.isprintable():
        return text
    text = re.sub(_CONTROLS, " ", re.sub(_SEQUENCES, "", text))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()


def _mask_secrets(text: str, secrets: list[str]) -> str:
    """Mask exact values as they are, escaped for JSON, and escaped twice (JSON in a JSON string)."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    unescaped = text
    for _ in range(2):
        if "\\" not in unescaped:
            break
        unescaped = re.sub(_JSON_ESCAPE, lambda match: chr(int(match[1], 16)) if match[1] else match[2], unescaped)
        if any(secret in unescaped for secret in secrets):
            return _mask_secrets(unescaped, secrets)
    return text


def _mask_named_values(text: str) -> str:
    """Mask what follows a sensitive name, as in `"token": "..."`, `sk=...` or `Authorization: Bearer ...`."""
    parts: list[str] = []
    done = 0
    for name in re.finditer(_NAME, text):
        if name.start() < done or not is_sensitive(name[1]):
            continue
        if value := re.compile(_VALUE).match(text, name.end()):
            quote = value[1] or ""
            parts += text[done : name.end()], quote, MASK
            done = value.end() if quote else value.start() + len(value[0].rstrip("]}"))
    return "".join((*parts, text[done:]))


def _mask_address(match: re.Match[str]) -> str:
    """Show only the origin of an address with a query, such as a signed download address."""
    origin, rest = match.groups()
    return f"{origin}/{MASK}" if "?" in rest else origin + rest


def _mask_query(query: str) -> str:
    return "&".join(_mask_member(member, "=") for member in query.split("&"))


def _mask_member(member: str, separator: str) -> str:
    name, found, value = member.partition(separator)
    return f"{name}{separator}{MASK}" if found and value and is_sensitive(name) else member
