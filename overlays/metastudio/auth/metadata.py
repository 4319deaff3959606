"""Temporary keys from the metadata service, which a cloud server asks for the keys of its agency.

The protocol is the vendor's SDK's (facts 2.3): a token first, where the service has tokens, then the keys.
"""

from __future__ import annotations

import http.client
import json
from typing import Any, cast
from urllib.parse import urlsplit

from metastudio.auth.clock import parse_time
from metastudio.auth.credentials import Credentials
from metastudio.errors import CredentialsError

ADDRESS = "http://169.254.169.254"
TIMEOUT = 3.0
"""Seconds for connecting, and for each part of the answer."""

_TOKEN_PATH = "/meta-data/latest/api/token"  # noqa: S105 - a path
_TOKEN_SECONDS = 6 * 3600
_KEYS_PATH = "/openstack/latest/securitykey"
_NO_AGENCY = b"Please configure Cloud Service Agency first"


class InstanceMetadata:
    """A provider of credentials: each call asks the metadata service for the current keys.

    Never uses a proxy and follows no redirect; plain http is how the service speaks, on a link-local address.

    Args:
        address: of the service, in tests.
    """

    def __init__(self, address: str = ADDRESS) -> None:
        self._address = address
        self._token: str | None = None

    def __call__(self) -> Credentials:
        """Ask.

        Raises:
            CredentialsError: nothing answers, no agency is configured, or the answer has no keys.
        """
        token_status = 200 if self._token else self._ask_for_token()
        status, body = self._ask("GET", _KEYS_PATH, self._token_header())
        if status == http.client.UNAUTHORIZED and _NO_AGENCY not in body:
            token_status = self._ask_for_token()
            status, body = self._ask("GET", _KEYS_PATH, self._token_header())
        if status == http.client.OK:
            return self._read(body)
        if _NO_AGENCY in body:
            raise self._error("no agency is configured for this machine")
        raise self._error(f"HTTP {status} for the keys, after HTTP {token_status} for the token")

    def _ask_for_token(self) -> int:
        """Services without tokens answer 404, 405 or 503, in CCE pods 400. Whether one is needed, the keys decide."""
        status, body = self._ask("PUT", _TOKEN_PATH, {"X-Metadata-Token-Ttl-Seconds": str(_TOKEN_SECONDS)})
        self._token = body.decode("latin-1").strip() if status == http.client.OK else None
        return status

    def _token_header(self) -> dict[str, str]:
        return {"X-Metadata-Token": self._token} if self._token else {}

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self._address).netloc, timeout=TIMEOUT)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._error(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()

    def _read(self, body: bytes) -> Credentials:
        try:
            said = json.loads(body)
        except ValueError:
            raise self._error("the answer is not JSON") from None
        said = said.get("credential") or said.get("credentials") or said if isinstance(said, dict) else {}
        keys = cast("dict[str, Any]", said if isinstance(said, dict) else {})
        access_key = _first(keys, "access", "accessKeyId", "access_key_id")
        secret_key = _first(keys, "secret", "secretAccessKey", "secret_access_key")
        token = _first(keys, "securitytoken", "securityToken", "security_token")
        if not (access_key and secret_key):
            raise self._error("the answer has no keys")
        try:
            ends = parse_time(end) if (end := _first(keys, "expires_at", "expiration")) else None
        except ValueError:
            raise self._error("the keys' end is not a time") from None
        return Credentials(access_key, secret_key, token, expires_at=ends)

    def _error(self, what: str) -> CredentialsError:
        return CredentialsError(f"instance metadata at {self._address}: {what}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"


def _first(values: dict[str, Any], *names: str) -> str | None:
    value = next((values[name] for name in names if values.get(name)), None)
    return None if value is None else str(value)
