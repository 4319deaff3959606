"""Temporary credentials from the metadata service of a cloud server that has an agency.

The protocol is that of the vendor's SDK: get a metadata token if the service issues them, then the credentials
(docs/service-notes.md#temporary-credentials-and-metadata).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx

from metastudio.auth.clock import parse_time
from metastudio.auth.credentials import Credentials, require_visible_ascii
from metastudio.errors import CredentialsError
from metastudio.http import untrusted_json
from metastudio.http.deadline import deadline, limit_connections
from metastudio.http.proxies import plain_client
from metastudio.http.response import ResponseBody

ADDRESS = "http://169.254.169.254"
TIMEOUT = 3.0
"""Seconds for each request, from connecting to the end of the response."""

_TOKEN_PATH = "/meta-data/latest/api/token"  # noqa: S105 - a path
_TOKEN_TTL = 6 * 3600
_CREDENTIALS_PATH = "/openstack/latest/securitykey"
_NO_AGENCY = b"Please configure Cloud Service Agency first"


class InstanceMetadata:
    """A credentials provider that calls the metadata service.

    It uses no proxy and follows no redirects. The service speaks plain http, on a link-local address.

    Args:
        address: The URL of the service, for tests.
    """

    def __init__(self, address: str = ADDRESS) -> None:
        self._address = address
        self._token: str | None = None

    def __call__(self) -> Credentials:
        """Return the current credentials.

        Raises:
            CredentialsError: The service does not respond, no agency is configured, or the response has no
                credentials.
        """
        found = self._find()
        if isinstance(found, str):
            raise self._error(found)
        return found

    def _find(self) -> Credentials | str:
        """Return the credentials, or what is wrong. Error reporters record local variables of what raises."""
        token_status = 200 if self._token else self._get_token()
        status, body = self._get_credentials()
        if status == httpx.codes.UNAUTHORIZED and _NO_AGENCY not in body:
            token_status = self._get_token()
            status, body = self._get_credentials()
        if status == httpx.codes.OK:
            return _parse(body)
        if _NO_AGENCY in body:
            return "this machine has no agency; configure a cloud service agency for it"
        return f"HTTP {status} for the credentials, after HTTP {token_status} for the metadata token"

    def _get_token(self) -> int:
        # A service without tokens responds with 404, 405 or 503, in CCE pods with 400. Any error is tolerated here,
        # because the second request fails if a token is needed.
        status, body = self._request("PUT", _TOKEN_PATH, {"X-Metadata-Token-Ttl-Seconds": str(_TOKEN_TTL)})
        self._token = None
        if status == httpx.codes.OK:
            with suppress(CredentialsError):
                self._token = require_visible_ascii("metadata token", body.decode("latin-1").strip())
        return status

    def _get_credentials(self) -> tuple[int, bytes]:
        return self._request("GET", _CREDENTIALS_PATH, {"X-Metadata-Token": self._token} if self._token else {})

    def _request(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        hooks: dict[str, Any] = {"request": [limit_connections], "response": [_limit_body]}
        try:
            with deadline(TIMEOUT), plain_client(trust_env=False, timeout=TIMEOUT, event_hooks=hooks) as client:
                response = client.request(method, self._address + path, headers=headers)
        except httpx.DecodingError:
            raise self._error("the response is longer than 64 KB, or cannot be decoded") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise self._error(f"no response ({type(error).__name__})") from None
        return response.status_code, response.content

    def _error(self, problem: str) -> CredentialsError:
        return CredentialsError(f"instance metadata at {self._address}: {problem}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"


def _limit_body(response: httpx.Response) -> None:
    response.stream = ResponseBody(response, untrusted_json.LIMIT)


def _first(fields: Any, *names: str) -> str | None:
    return next((value for name in names if (value := untrusted_json.member(fields, name, str))), None)


def _parse(body: bytes) -> Credentials | str:
    try:
        value = untrusted_json.parse(body)
    except ValueError:
        return "the response is not JSON"
    fields = value.get("credential") or value.get("credentials") or value if isinstance(value, dict) else {}
    try:
        access_key = _first(fields, "access", "accessKeyId", "access_key_id")
        secret_key = _first(fields, "secret", "secretAccessKey", "secret_access_key")
        security_token = _first(fields, "securitytoken", "securityToken", "security_token")
        expiration = _first(fields, "expires_at", "expiration")
    except ValueError:
        access_key = secret_key = security_token = expiration = None
    if not (access_key and secret_key):
        return "the response has no access key and secret key"
    try:
        expires_at = parse_time(expiration) if expiration else None
    except ValueError:
        return "the expiration of the credentials is not a time"
    try:
        return Credentials(access_key, secret_key, security_token, expires_at=expires_at)
    except CredentialsError as error:
        return str(error)
