"""Authentication by signing each request with an access key."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import httpx

from metastudio import redaction
from metastudio.auth import flow, signature
from metastudio.auth.clock import Clock
from metastudio.auth.credentials import Credentials, check_project_id
from metastudio.auth.flow import AuthFlow, Step
from metastudio.auth.origin_policy import restrict_to_origin
from metastudio.auth.refresh import RefreshableValue
from metastudio.errors import ConfigurationError
from metastudio.http import hints
from metastudio.http.url import normalize_query

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log = logging.getLogger("metastudio")

MIN_CLOCK_CORRECTION = timedelta(minutes=5)
"""A smaller clock offset did not cause a refusal (docs/service-notes.md#clock-tolerance)."""

ADVISORY_WINDOW, MANDATORY_WINDOW = timedelta(minutes=40), timedelta(minutes=5)
"""When temporary credentials are refreshed before they expire; see `metastudio.auth.refresh`."""

# The headers that a signature covers. Proxies may change any other header on the way.
_SIGNED = {
    name.encode(): name
    for name in ("host", "x-app-userid", "x-project-id", "x-sdk-content-sha256", "x-sdk-date", "x-security-token")
}


class _SigningKey(NamedTuple):
    credentials: Credentials
    sign: Callable[[str], str]

    @classmethod
    def of(cls, credentials: Credentials) -> Self:
        return cls(credentials, signature.keyed_signature(credentials.secret_key))


class AkSkAuth(AuthFlow):
    """Signs each request with an access key (SDK-HMAC-SHA256).

    Works with httpx.Client and httpx.AsyncClient, and with any service of this cloud::

        httpx.get("https://vpc.cn-north-4.myhuaweicloud.com/v1/.../vpcs", auth=AkSkAuth("AK", "SK"))

    The query is sent in the spelling that is signed. A 401 is retried at most once, and only after a clock correction
    or with other credentials, because repeated failures lock the key (docs/service-notes.md#key-lockout).

    Args:
        access_key: The access key (AK).
        secret_key: The secret key (SK).
        project_id: Sent and signed as ``X-Project-Id``. Without it, a request's own header, or else its extension
            ``project_id``, is signed.
        security_token: The security token of a temporary key.
        clock: The time to sign with. Auth objects that share a clock share its corrections.

    Raises:
        CredentialsError: A key is empty, or has blanks, line breaks or non-ASCII characters.
        ConfigurationError: The project ID is malformed; in a request: a header to be signed is malformed.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        *,
        project_id: str | None = None,
        security_token: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._configure(None, project_id, clock)
        key = _SigningKey.of(Credentials(access_key, secret_key, security_token))
        self._key = RefreshableValue(self.clock.now, key)

    @classmethod
    def from_provider(
        cls, provider: Callable[[], Credentials], *, project_id: str | None = None, clock: Clock | None = None
    ) -> Self:
        """Sign with the credentials that a function returns.

        Args:
            provider: Called for the first request, again before the credentials expire, and once when the server
                refuses them. It may block; an async client calls it in a worker thread.
            project_id: As in the constructor.
            clock: As in the constructor.
        """
        self = cls.__new__(cls)
        self._configure(provider, project_id, clock)
        self._key = RefreshableValue[_SigningKey](self.clock.now, advisory=ADVISORY_WINDOW, mandatory=MANDATORY_WINDOW)
        return self

    def _configure(
        self, provider: Callable[[], Credentials] | None, project_id: str | None, clock: Clock | None
    ) -> None:
        if project_id is not None:
            check_project_id(project_id, "argument project_id")
        self.clock = clock or Clock()
        self.project_id = project_id
        self._provider = provider

    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """Sign and send the request; after a 401, correct the clock or refresh the credentials and retry once."""
        try:
            body = request.content
        except httpx.RequestNotRead:
            body = yield flow.read(request)
        key = self._key.current() or (yield from self._key.get(self._refresh, timeout=flow.read_timeout(request)))
        date = self._sign(request, body, key)
        if key.credentials.security_token is not None:
            yield restrict_to_origin(request)
        response = yield request
        if response.status_code == 401:
            retry_key = yield from self._recover(response, date, key)
            if retry_key is not None:
                self._sign(request, body, retry_key)
                yield request

    def _refresh(self) -> Generator[Step, Any, tuple[_SigningKey, datetime | None]]:
        assert self._provider is not None
        credentials: Credentials = yield flow.call(self._provider)
        return _SigningKey.of(credentials), credentials.expires_at

    def _recover(
        self, response: httpx.Response, date: datetime, key: _SigningKey
    ) -> Generator[Step, Any, _SigningKey | None]:
        """Return the key to retry with, or None if nothing has changed since the 401."""
        offset = timedelta(seconds=hints.clock_offset(response) or 0)
        if abs(offset) > MIN_CLOCK_CORRECTION:
            self.clock.set_to(date + offset)
            _log.warning("this machine's clock is off by %+.0f s; using the server's time", -offset.total_seconds())
            return key
        if self._provider is None:
            return None
        try:
            new_key = yield from self._key.get(self._refresh, refused=key, timeout=flow.read_timeout(response.request))
        except Exception as error:  # noqa: BLE001 - whatever the provider raises, the 401 tells the user more
            _log.warning("the server refused the access key, and it could not be refreshed: %s", error)
            return None
        return new_key if new_key.credentials != key.credentials else None

    def _sign(self, request: httpx.Request, body: bytes, key: _SigningKey) -> datetime:
        """Sign the request in place and return the date that was signed."""
        now = self.clock.now()
        date = signature.format_date(now)
        added = {"x-sdk-date": date}
        if self.project_id is not None:
            added["x-project-id"] = self.project_id
        if key.credentials.security_token is not None:
            added["x-security-token"] = key.credentials.security_token
        headers = _headers_to_sign(request, added, body)
        if "x-project-id" not in headers and (project_id := request.extensions.get("project_id")) is not None:
            headers["x-project-id"] = added["x-project-id"] = _check_header("x-project-id", project_id)

        target = request.url.raw_path.decode("ascii")
        path, _, query = target.partition("?")
        query = normalize_query(query)
        if target != (normalized := f"{path}?{query}" if query else path):
            request.url = request.url.copy_with(raw_path=normalized.encode("ascii"))

        payload = signature.payload_hash(body, headers.get("x-sdk-content-sha256"))
        canonical = signature.canonical_request(request.method, path, query, headers, payload)
        text = signature.string_to_sign(date, canonical)
        names = signature.signed_headers(headers)
        added["Authorization"] = signature.authorization(key.credentials.access_key, names, key.sign(text))
        for name, value in added.items():
            request.headers[name] = value
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("canonical request:\n%s", redaction.mask_canonical_request(canonical))
            _log.debug("string to sign:\n%s", text)
        return now

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={vars(self).get('project_id')!r}, keys=***)"


def _headers_to_sign(request: httpx.Request, added: dict[str, str], body: bytes) -> dict[str, str]:
    """Return the headers that the signature covers: those of the request, replaced by the added ones."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers.raw:
        name = _SIGNED.get(raw_name.lower())
        if name is None or name in added:
            continue
        if name in headers:
            raise ConfigurationError(f"header {name} is there twice, which servers treat differently; send it once")
        headers[name] = _check_header(name, raw_value.decode("latin-1"))
    if "x-security-token" in headers:  # of other credentials that the request was sent with before
        del request.headers["x-security-token"], headers["x-security-token"]
    if "x-sdk-content-sha256" in headers and not body:  # which implementations treat differently
        del request.headers["x-sdk-content-sha256"], headers["x-sdk-content-sha256"]
    return headers | added


def _check_header(name: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(f"header {name} has line breaks or non-ASCII characters; remove them")
    return value
