"""The ways in: requests signed with an access key, or carrying a token, or forged on purpose.

The tester is a client of the server, so it signs with the client's own pure functions; nothing here verifies.
Everything is made from a method, a URL and a time, so that each library (httpx, requests, curl) sends the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from metastudio.auth import signature
from metastudio.auth.clock import Clock
from metastudio.auth.credentials import Credentials
from metastudio.http.url import canonical_query, query_pairs

AUTHORIZATION, DATE, PROJECT, SECURITY_TOKEN = "Authorization", "X-Sdk-Date", "X-Project-Id", "X-Security-Token"
"""Headers of the recipe (facts, section 3)."""


@dataclass(frozen=True)
class Tamper:
    """What is wrong with a signature. Without anything, nothing is.

    `signed_query`, `signed_path` and `signed_method` replace what the signature covers, `late` shifts its date,
    `unsigned` are headers left out of it, `without` headers that are not sent, `swapped` headers that are sent with
    another value than the signed one, `authorization` edits the header in the end.
    """

    keys: Credentials | None = None
    late: timedelta = timedelta(0)
    signed_query: str | None = None
    signed_path: str | None = None
    signed_method: str | None = None
    unsigned: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    swapped: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    authorization: Callable[[str], str] | None = None


RIGHT = Tamper()


@dataclass(frozen=True)
class Access:
    """Somebody's credentials: a key pair, a token or both, and the project they are for.

    `token_header` is the header that the contract names for the token. `signer_options` and `shown_token` stand for the
    credentials in commands: options of `metastudio.tester.sign`, and what a shell reads between double quotes.
    """

    project_id: str
    keys: Credentials | None = None
    token: str | None = None
    token_header: str = "X-Auth-Token"  # noqa: S105 - the name of a header
    clock: Clock = field(default_factory=Clock)
    signer_options: tuple[str, ...] = ()
    shown_token: str = "$METASTUDIO_TOKEN"  # noqa: S105 - the name of a variable

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        keys = (self.keys.access_key, self.keys.secret_key, self.keys.security_token) if self.keys else ()
        return tuple(each for each in (*keys, self.token) if each)

    def as_key(self) -> Access:
        """Return the same caller without the token."""
        return replace(self, token=None)

    def as_token(self) -> Access:
        """Return the same caller without the key pair."""
        return replace(self, keys=None)

    def naming(self, project_id: str) -> Access:
        """Return the same caller, whose signed header names another project."""
        options = (*self.signer_options, "--project", project_id)
        return replace(self, project_id=project_id, signer_options=options)

    def headers(self, method: str, url: str, tamper: Tamper = RIGHT) -> dict[str, str]:
        """Return the headers that let a request in. A key pair goes before a token; without either there are none."""
        if self.keys is not None:
            return self._signed(method, url, tamper)
        return {self.token_header: self.token} if self.token is not None else {}

    def _signed(self, method: str, url: str, tamper: Tamper) -> dict[str, str]:
        keys = tamper.keys or self.keys
        assert keys is not None
        parts = urlsplit(url)
        date = signature.format_date(self.clock.now() + tamper.late)
        sent = {DATE: date, PROJECT: self.project_id}
        if keys.security_token is not None:
            sent[SECURITY_TOKEN] = keys.security_token
        covered = {"host": parts.netloc, **{name.lower(): value for name, value in sent.items()}}
        for name, (signed, swapped) in tamper.swapped.items():
            covered[name.lower()] = signed
            sent[name] = swapped
        for name in tamper.unsigned:
            covered.pop(name.lower(), None)
        query = parts.query if tamper.signed_query is None else tamper.signed_query
        canonical = signature.canonical_request(
            tamper.signed_method or method,
            parts.path if tamper.signed_path is None else tamper.signed_path,
            canonical_query(query_pairs(query)),
            covered,
        )
        signed = signature.signature(keys.secret_key, signature.string_to_sign(date, canonical))
        value = signature.authorization(keys.access_key, signature.signed_headers(covered), signed)
        sent[AUTHORIZATION] = tamper.authorization(value) if tamper.authorization else value
        return {name: value for name, value in sent.items() if name not in tamper.without}


def spelled(url: str) -> str:
    """Return a URL with its query in the canonical spelling, the one that every reader of it takes alike."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=canonical_query(query_pairs(parts.query)), fragment=""))


def in_path(value: str) -> str:
    """Write a value into a path."""
    return quote(value, safe="-_.~")
