"""The security schemes of a contract: how a request carries credentials."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

AUTHORIZATION, DATE, PROJECT, SECURITY_TOKEN = SIGNED_HEADERS = (
    "Authorization", "X-Sdk-Date", "X-Project-Id", "X-Security-Token",
)  # fmt: skip
"""Headers of a signed request (docs/service-notes.md#signing)."""


class Login(NamedTuple):
    """A user name and its password."""

    user: str
    password: str

    @property
    def encoded(self) -> str:
        """The value of HTTP Basic, without its first word."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ...)"


class SchemeKind(StrEnum):
    """Which credentials a scheme carries."""

    SIGNATURE = "signature"
    """A signature with a key pair, in several headers."""
    TOKEN = "token"  # noqa: S105 - no secret
    """A token or key, in a header, query parameter or cookie."""
    BASIC = "basic"
    """A user name and password."""


@dataclass(frozen=True)
class Scheme:
    """One way to authenticate.

    Args:
        kind: which credentials it carries.
        id: the first part of the IDs of its properties.
        location: `header`, `query` or `cookie`.
        name: name of the header, query parameter or cookie.
        word: first word of the value in a header, such as `Bearer`; empty for none.
    """

    kind: SchemeKind
    id: str
    location: str
    name: str
    word: str = ""

    def value(self, credential: str | Login) -> str:
        """Return the value that is sent. A token that already begins with the word of the scheme stays as it is."""
        text = credential.encoded if isinstance(credential, Login) else credential
        is_complete = not self.word or text.lower().startswith(f"{self.word.lower()} ")
        return text if is_complete else f"{self.word} {text}".rstrip()


SIGNATURE = Scheme(SchemeKind.SIGNATURE, "signature", "header", AUTHORIZATION)
VENDOR_SCHEMES = (SIGNATURE, Scheme(SchemeKind.TOKEN, "token", "header", "X-Auth-Token"))
"""The schemes of the service (docs/service-notes.md#signing)."""


@dataclass(frozen=True)
class Security:
    """What the contract requires of an operation.

    Args:
        is_optional: whether requests without credentials are allowed.
        schemes: the schemes of which one is enough.
        unsupported: schemes that the tester does not know, in words.
    """

    is_optional: bool
    schemes: tuple[Scheme, ...]
    unsupported: tuple[str, ...]


def security(requirements: Iterable[Mapping[str, Any]]) -> Security:
    """Return what security requirements ask for.

    Args:
        requirements: the requirements, of which one is enough: scheme names and their declarations, None for one that
            the contract does not declare.
    """
    given = list(requirements)
    schemes, unsupported = list[Scheme](), list[str]()
    for requirement in given:
        headers = {str(each.get("name")).lower() for each in requirement.values() if isinstance(each, dict)}
        if {"authorization", "x-sdk-date"} <= headers:
            schemes.append(SIGNATURE)
        elif requirement:
            has_token = any(each.kind is SchemeKind.TOKEN for each in schemes)
            [(name, declared), *more] = requirement.items()
            scheme = None if more else _scheme(name, declared, has_token)
            schemes += [scheme] if scheme else []
            unsupported += [] if scheme else [" with ".join(requirement)]
    return Security(not given or {} in given, tuple(dict.fromkeys(schemes)), tuple(unsupported))


def _scheme(name: str, declared: Any, has_token: bool) -> Scheme | None:
    """Return a scheme, None if the tester does not know it. The properties of a second token scheme have its name."""
    if not isinstance(declared, dict):
        return None
    id_ = f"token.{name}" if has_token else "token"
    match declared.get("type"), str(declared.get("scheme", "")).lower():
        case "apiKey", _:
            return Scheme(SchemeKind.TOKEN, id_, str(declared.get("in")), str(declared.get("name")))
        case ("http", "bearer") | (("oauth2" | "openIdConnect"), _):
            return Scheme(SchemeKind.TOKEN, id_, "header", AUTHORIZATION, "Bearer")
        case "http", "basic":
            return Scheme(SchemeKind.BASIC, "basic", "header", AUTHORIZATION, "Basic")
        case _:
            return None
