"""Authentication for httpx: requests signed with an access key, or carrying a token.

An auth flow makes the one repeat of a refused request that can help, because something has changed: the clock was
set right, or the key or token is another one. Everything else about retrying is the caller's.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self

import httpx

from metastudio import redaction
from metastudio.auth import signature
from metastudio.auth.clock import Clock
from metastudio.auth.credentials import Credentials
from metastudio.auth.flow import Call, ReadRequest, Step, StepAuth
from metastudio.auth.origin_policy import StayAtOrigin
from metastudio.auth.refresh import Renewal
from metastudio.errors import ConfigurationError
from metastudio.http import hints
from metastudio.http.url import normalize_query

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["AkSkAuth", "Clock"]

_log = logging.getLogger("metastudio")

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A refused date nearer to the server's than this is not why it was refused: 15 minutes are allowed (facts 2.2)."""

EARLY, LATE = timedelta(minutes=40), timedelta(minutes=5)
"""How long before their end temporary keys are renewed, by one caller and by all. 40 minutes is the vendor's."""

# What a signature covers, of that which a request has. Any other header may be changed by a proxy on the way.
_SIGNED = {
    name.encode(): name
    for name in ("host", "x-app-userid", "x-project-id", "x-sdk-content-sha256", "x-sdk-date", "x-security-token")
}


class _Signer(NamedTuple):
    """Key, secret and token of one signature, which belong together."""

    credentials: Credentials
    sign: Callable[[str], str]

    @classmethod
    def of(cls, credentials: Credentials) -> Self:
        return cls(credentials, signature.keyed_signature(credentials.secret_key))


class AkSkAuth(StepAuth):
    """Signs each request with an access key (SDK-HMAC-SHA256), for a sync or async httpx client.

    Works with any httpx client and any service that signs this way::

        httpx.get("https://vpc.cn-north-4.myhuaweicloud.com/v1/.../vpcs", auth=AkSkAuth("AK", "SK"))

    The URL goes out in the spelling that is signed. When the server refuses the date, the clock is corrected by the
    answer's ``Date`` and the request repeated once; when keys that come from a provider are refused, the provider is
    asked again and the request repeated once if it has others.

    Args:
        access_key: the AK.
        secret_key: the SK.
        project_id: sent and signed as ``X-Project-Id``.
        security_token: of a temporary key.
        clock: the time to sign with; shared with other auth objects so that they learn from each other.

    Raises:
        CredentialsError: a key is empty or holds characters that it cannot have.
        ConfigurationError: so does the project id; in a request, a header that is to be signed.
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
        self._setup(None, project_id, clock)
        self._renewal = Renewal[_Signer](_Signer.of(Credentials(access_key, secret_key, security_token)))

    @classmethod
    def from_provider(
        cls, provider: Callable[[], Credentials], *, project_id: str | None = None, clock: Clock | None = None
    ) -> Self:
        """Sign with keys that `provider` gives when they are first needed, and again before they end.

        It may block: an async client calls it in a worker thread.
        """
        self = cls.__new__(cls)
        self._setup(provider, project_id, clock)
        self._renewal = Renewal[_Signer](early=EARLY, late=LATE, now=self.clock.now)
        return self

    def _setup(self, provider: Callable[[], Credentials] | None, project_id: str | None, clock: Clock | None) -> None:
        if project_id is not None and not re.fullmatch(r"[\w-]+", project_id, re.ASCII):
            raise ConfigurationError(f"{project_id!a} is no project id: letters, digits, - and _ only")
        self.clock = clock or Clock()
        self.project_id = project_id
        self._provider = provider

    def steps(self, request: httpx.Request) -> Generator[Step, Any, None]:
        """Sign, send; after a refusal that something can be done about, sign and send once more."""
        try:
            body = request.content
        except httpx.RequestNotRead:
            body = yield ReadRequest(request)
        signer = self._renewal.fresh() or (yield from self._renewal.get(self._renew))
        date = self._sign(request, body, signer)
        if signer.credentials.security_token is not None:
            yield StayAtOrigin(request)
        response = yield request
        if response.status_code == 401:
            again = yield from self._after_refusal(response, date, signer)
            if again is not None:
                self._sign(request, body, again)
                yield request

    def _renew(self) -> Generator[Step, Any, tuple[_Signer, datetime | None]]:
        assert self._provider is not None
        credentials: Credentials = yield Call(self._provider)
        return _Signer.of(credentials), credentials.expires_at

    def _after_refusal(
        self, response: httpx.Response, date: datetime, signer: _Signer
    ) -> Generator[Step, Any, _Signer | None]:
        """What to sign the repeat with, or None when nothing has changed."""
        offset = timedelta(seconds=hints.clock_offset(response) or 0)
        if abs(offset) > CLOCK_TOLERANCE:
            self.clock.set_to(date + offset)
            _log.warning("the clock is %+.0f s off the server's; signing by the server's now", -offset.total_seconds())
            return signer
        if self._provider is None:
            return None
        try:
            again = yield from self._renewal.get(self._renew, refused=signer)
        except Exception as error:  # noqa: BLE001 - the provider may raise anything; the refusal says more
            _log.warning("the access key was refused and could not be renewed: %s", error)
            return None
        return again if again.credentials != signer.credentials else None

    def _sign(self, request: httpx.Request, body: bytes, signer: _Signer) -> datetime:
        """Put date, project, token and signature into the request, and its URL into the signed spelling."""
        now = self.clock.now()
        date = signature.format_date(now)
        ours = {"x-sdk-date": date}
        if self.project_id is not None:
            ours["x-project-id"] = self.project_id
        if signer.credentials.security_token is not None:
            ours["x-security-token"] = signer.credentials.security_token
        signed = _headers_to_sign(request, ours, body)

        target = request.url.raw_path.decode("ascii")
        path, _, query = target.partition("?")
        query = normalize_query(query)
        if target != (spelling := f"{path}?{query}" if query else path):
            request.url = request.url.copy_with(raw_path=spelling.encode("ascii"))

        payload = signature.payload_hash(body, signed.get("x-sdk-content-sha256"))
        canonical = signature.canonical_request(request.method, path, query, signed, payload)
        text = signature.string_to_sign(date, canonical)
        names = signature.signed_headers(signed)
        ours["Authorization"] = signature.authorization(signer.credentials.access_key, names, signer.sign(text))
        for name, value in ours.items():
            request.headers[name] = value
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("canonical request:\n%s", redaction.mask_canonical_request(canonical))
            _log.debug("string to sign:\n%s", text)
        return now

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self.project_id!r}, keys=***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


_NOT_PICKLED = "an auth object holds secrets and is not pickled: make another one in the other process"


def _headers_to_sign(request: httpx.Request, ours: dict[str, str], body: bytes) -> dict[str, str]:
    """What the signature covers: headers of the request, and ours, which replace any of an earlier attempt."""
    found: dict[str, str] = {}
    for raw_name, raw_value in request.headers.raw:
        name = _SIGNED.get(raw_name.lower())
        if name is None or name in ours:
            continue
        if name in found:
            raise ConfigurationError(f"the header {name} is there twice, which servers read differently")
        found[name] = raw_value.decode("ascii", "replace")
        if not (raw_value.isascii() and found[name].isprintable()):
            raise ConfigurationError(f"the header {name} holds line breaks or characters that are not ASCII")
    if "x-security-token" in found:  # of keys used before
        del request.headers["x-security-token"], found["x-security-token"]
    if "x-sdk-content-sha256" in found and not body:  # the vendor's signers read it differently then
        del request.headers["x-sdk-content-sha256"], found["x-sdk-content-sha256"]
    return found | ours
