"""Callers and their credentials: request headers signed with a key pair, carrying a token, or forged on purpose.

The tester is a client, so it signs with the signing functions of the client. Headers depend only on the method, the
URL, the body and the time, so that httpx, requests and curl send the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from metastudio.auth import signature
from metastudio.auth.clock import Clock
from metastudio.auth.credentials import Credentials
from metastudio.http.url import canonical_query, normalize_query
from metastudio.tester.access import (
    AUTHORIZATION,
    DATE,
    PROJECT,
    SECURITY_TOKEN,
    SIGNATURE,
    SIGNED_HEADERS,
    VENDOR_SCHEMES,
    Login,
    Scheme,
    SchemeKind,
)
from metastudio.tester.forgeries import FORGERIES, Forgery


@dataclass(frozen=True)
class Caller:
    """Credentials of a caller. A request carries those of the first scheme for which there are any.

    Args:
        project_id: the project of the caller, "" for none.
        keys: the key pair.
        token: the token, for every scheme that takes one.
        login: user name and password.
        schemes: the schemes that the contract allows.
        clock: clock of the signing date.
        signer_options: options of `metastudio.tester.sign` that select these credentials in a shell command.
        shown_token: the token in a shell command, between double quotes.
        shown_login: user name and password in a shell command, between double quotes.
    """

    project_id: str
    keys: Credentials | None = None
    token: str | None = field(default=None, repr=False)
    login: Login | None = None
    schemes: tuple[Scheme, ...] = VENDOR_SCHEMES
    clock: Clock = field(default_factory=Clock)
    signer_options: tuple[str, ...] = ()
    shown_token: str = "$METASTUDIO_TOKEN"  # noqa: S105 - the name of a variable
    shown_login: str = "$METASTUDIO_USER:$METASTUDIO_PASSWORD"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials in each form in which they are sent. No report may contain them."""
        keys = (self.keys.access_key, self.keys.secret_key, self.keys.security_token) if self.keys else ()
        login = (self.login.password, self.login.encoded) if self.login else ()
        bare = self.token.partition(" ")[2] if self.token else ""
        return tuple(each for each in (*keys, *login, self.token, bare, quote(self.token or "", safe="")) if each)

    def credential(self, scheme: Scheme) -> Credentials | str | Login | None:
        """Return the credentials for a scheme, None if there are none."""
        match scheme.kind:
            case SchemeKind.SIGNATURE:
                return self.keys
            case SchemeKind.TOKEN:
                return self.token
            case SchemeKind.BASIC:
                return self.login

    @property
    def scheme(self) -> Scheme | None:
        """The scheme of which a request carries credentials, None for none."""
        return next((each for each in self.schemes if self.credential(each) is not None), None)

    def with_schemes(self, schemes: Iterable[Scheme]) -> Caller:
        """Return the same caller with other schemes. A signature comes first: it shows whether the clock is right."""
        return replace(self, schemes=tuple(sorted(schemes, key=lambda each: each != SIGNATURE)))

    def with_project_header(self, project_id: str) -> Caller:
        """Return the same caller with another project ID in the signed X-Project-Id header."""
        options = (*self.signer_options, "--project", project_id)
        return replace(self, project_id=project_id, signer_options=options)

    def headers(self, method: str, url: str, forgery: str | None = None, *, body: bytes = b"") -> dict[str, str]:
        """Return the authentication headers of a request, a cookie among them; a forged signature by its name."""
        scheme = self.scheme
        credential = self.credential(scheme) if scheme else None
        if isinstance(credential, Credentials):
            return self._signed(credential, method, url, FORGERIES[forgery] if forgery else Forgery(), body)
        if scheme is None or credential is None or scheme.location == "query":
            return {}
        value = scheme.value(credential)
        return {"Cookie": f"{scheme.name}={value}"} if scheme.location == "cookie" else {scheme.name: value}

    def authenticated_url(self, url: str) -> str:
        """Return a URL with the credentials, if a query parameter carries them."""
        if (scheme := self.scheme) is None or scheme.location != "query":
            return url
        joint = "&" if urlsplit(url).query else "?"
        return f"{url}{joint}{canonical_query([(scheme.name, self.token or '')])}"

    @property
    def header_names(self) -> set[str]:
        """The headers that may carry credentials."""
        return {*SIGNED_HEADERS, *(each.name for each in self.schemes if each.location == "header")}

    def sign(self, request: Any) -> Any:
        """Sign a request of the library `requests`, replacing the credentials that it carries."""
        request.url = canonical_url(request.url)
        for name in self.header_names & set(request.headers):
            del request.headers[name]
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        request.headers.update(self.headers(request.method, request.url, body=body))
        return request

    def _signed(self, keys: Credentials, method: str, url: str, forgery: Forgery, body: bytes) -> dict[str, str]:
        keys, parts = forgery.keys(keys), urlsplit(url)
        date = signature.format_date(self.clock.now() + forgery.date_shift)
        sent = {DATE: date, **({PROJECT: self.project_id} if self.project_id else {})}
        if keys.security_token is not None:
            sent[SECURITY_TOKEN] = keys.security_token
        covered = {"host": parts.netloc, **{name.lower(): value for name, value in sent.items()}}
        for name, (signed, replacement) in forgery.replaced_headers.items():
            covered[name.lower()] = signed
            sent[name] = replacement
        for name in forgery.unsigned_headers:
            covered.pop(name.lower(), None)
        canonical = signature.canonical_request(
            forgery.signed_method or method,
            forgery.signed_path(parts.path),
            normalize_query(forgery.signed_query(parts.query)),
            covered,
            signature.payload_hash(body),
        )
        signed = signature.signature(keys.secret_key, signature.string_to_sign(date, canonical))
        value = signature.authorization(keys.access_key, signature.signed_headers(covered), signed)
        sent[AUTHORIZATION] = forgery.authorization(value)
        return {name: value for name, value in sent.items() if name not in forgery.removed_headers}


def canonical_url(url: str) -> str:
    """Return a URL with its query in canonical encoding, which every HTTP library sends unchanged."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=normalize_query(parts.query), fragment=""))
