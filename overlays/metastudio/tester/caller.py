"""Callers and their credentials: request headers signed with a key pair, carrying a token, or forged on purpose.

The tester is a client, so it signs with the signing functions of the client. Headers depend only on the method, the
URL, the body and the time, so that httpx, requests and curl send the same bytes.
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
"""Headers of a signed request (docs/service-notes.md#signing)."""


@dataclass(frozen=True)
class Tampering:
    """Changes that make a signature invalid. The default changes nothing.

    Args:
        keys: sign with this key pair.
        date_shift: shift the signing date.
        signed_query: sign this query instead of the sent one.
        signed_path: sign this path instead of the sent one.
        signed_method: sign this method instead of the sent one.
        unsigned_headers: headers that the signature does not cover.
        removed_headers: headers that are not sent.
        replaced_headers: signed and sent value of headers whose values differ.
        edit_authorization: edits the Authorization header.
    """

    keys: Credentials | None = None
    date_shift: timedelta = timedelta(0)
    signed_query: str | None = None
    signed_path: str | None = None
    signed_method: str | None = None
    unsigned_headers: tuple[str, ...] = ()
    removed_headers: tuple[str, ...] = ()
    replaced_headers: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    edit_authorization: Callable[[str], str] | None = None


UNTAMPERED = Tampering()


@dataclass(frozen=True)
class Caller:
    """Credentials of a caller: a key pair, a token, both or none.

    Args:
        project_id: the project of the caller.
        keys: the key pair.
        token: the token.
        token_header: header of the token in the contract.
        clock: clock of the signing date.
        signer_options: options of `metastudio.tester.sign` that select these credentials in a shell command.
        shown_token: the token in a shell command, between double quotes.
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
        """The credentials, which no report may contain."""
        keys = (self.keys.access_key, self.keys.secret_key, self.keys.security_token) if self.keys else ()
        return tuple(each for each in (*keys, self.token) if each)

    def with_key_only(self) -> Caller:
        """Return the same caller without the token."""
        return replace(self, token=None)

    def with_token_only(self) -> Caller:
        """Return the same caller without the key pair."""
        return replace(self, keys=None)

    def with_project_header(self, project_id: str) -> Caller:
        """Return the same caller with another project ID in the signed X-Project-Id header."""
        options = (*self.signer_options, "--project", project_id)
        return replace(self, project_id=project_id, signer_options=options)

    def headers(self, method: str, url: str, tampering: Tampering = UNTAMPERED, *, body: bytes = b"") -> dict[str, str]:
        """Return the authentication headers of a request: signed with the key pair, else with the token, else none."""
        if self.keys is not None:
            return self._signed(method, url, tampering, body)
        return {self.token_header: self.token} if self.token is not None else {}

    def _signed(self, method: str, url: str, tampering: Tampering, body: bytes) -> dict[str, str]:
        keys = tampering.keys or self.keys
        assert keys is not None
        parts = urlsplit(url)
        date = signature.format_date(self.clock.now() + tampering.date_shift)
        sent = {DATE: date, PROJECT: self.project_id}
        if keys.security_token is not None:
            sent[SECURITY_TOKEN] = keys.security_token
        covered = {"host": parts.netloc, **{name.lower(): value for name, value in sent.items()}}
        for name, (signed, replacement) in tampering.replaced_headers.items():
            covered[name.lower()] = signed
            sent[name] = replacement
        for name in tampering.unsigned_headers:
            covered.pop(name.lower(), None)
        query = parts.query if tampering.signed_query is None else tampering.signed_query
        canonical = signature.canonical_request(
            tampering.signed_method or method,
            parts.path if tampering.signed_path is None else tampering.signed_path,
            canonical_query(query_pairs(query)),
            covered,
            signature.payload_hash(body),
        )
        signed = signature.signature(keys.secret_key, signature.string_to_sign(date, canonical))
        value = signature.authorization(keys.access_key, signature.signed_headers(covered), signed)
        sent[AUTHORIZATION] = tampering.edit_authorization(value) if tampering.edit_authorization else value
        return {name: value for name, value in sent.items() if name not in tampering.removed_headers}


def canonical_url(url: str) -> str:
    """Return a URL with its query in canonical encoding, which every HTTP library sends unchanged."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=canonical_query(query_pairs(parts.query)), fragment=""))


def quote_segment(value: str) -> str:
    """Percent-encode a value as one path segment."""
    return quote(value, safe="-_.~")
