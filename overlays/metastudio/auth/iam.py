"""Authentication by a token that IAM, the cloud's identity service, issues for a user's password.

See docs/service-notes.md#iam-tokens. The cloud recommends access keys instead.
"""

from __future__ import annotations

import copy
import math
import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from metastudio import errors, redaction
from metastudio.auth import flow
from metastudio.auth.chain import IAM_ENDPOINT
from metastudio.auth.clock import parse_time
from metastudio.auth.credentials import is_project_id, require_visible_ascii
from metastudio.auth.origin_policy import require_https, restrict_to_origin
from metastudio.auth.refresh import MAX_LIFETIME
from metastudio.auth.token import ADVISORY_WINDOW, TokenFlow
from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.http import error_mapping, untrusted_json
from metastudio.http.response import ResponseBody
from metastudio.http.untrusted_json import member

if TYPE_CHECKING:
    from collections.abc import Generator

    from metastudio.auth.clock import Clock
    from metastudio.auth.flow import Step


FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=1)
"""Time without a login after a refused one. It doubles with each further refusal, because repeated wrong passwords lock
the account for 15 minutes (docs/service-notes.md#iam-tokens)."""


def endpoint(region: str | None = None, given: str | None = None, *, allow_http: bool = False) -> str:
    """Return the URL of IAM, without a trailing slash.

    Args:
        region: The region whose IAM is used; None for the global one.
        given: A URL to use instead; the next choice is ``HUAWEICLOUD_SDK_IAM_ENDPOINT``.
        allow_http: Accept plain http to another machine.

    Raises:
        ConfigurationError: The region is malformed, or the URL is malformed or not https.
    """
    url = given or os.environ.get(IAM_ENDPOINT)
    if not url:
        if region is not None and not re.fullmatch(r"[a-z0-9-]+", region):
            raise ConfigurationError(f"{region!a} is not a region; write it like cn-north-4")
        url = f"https://iam.{region}.myhuaweicloud.com" if region else "https://iam.myhuaweicloud.com"
    name = f"IAM URL (iam_endpoint or {IAM_ENDPOINT})"
    return str(require_https(url, name=name, allow_http=allow_http)).rstrip("/")


class IamTokenAuth(TokenFlow):
    """Logs in as an IAM user and sends the token as ``X-Auth-Token``.

    Works with httpx.Client and httpx.AsyncClient.

    The login is part of the request that needs it and has the same timeout. The token is kept until shortly before it
    expires, after 24 hours, and is refreshed once when a server refuses it.

    After a refused login, the old token is used while it is valid. Then requests fail with the same error, and the next
    login is sent after 5 minutes, then 10, up to an hour, because repeated wrong passwords lock the account.

    Args:
        user: The name of the IAM user.
        password: The user's password.
        account: The name of the account (domain) that the user belongs to.
        project: The name of the project that the token is for. The default project of a region has its name.
        region: The region whose IAM is used, and whose default project if `project` is not given.
        iam_endpoint: The URL of IAM; the default is ``HUAWEICLOUD_SDK_IAM_ENDPOINT``, then the region's.
        allow_http: Send the password over plain http to another machine.
        clock: The time that the expiration of the token is compared with.

    Attributes:
        project_id: The ID of the project that the token is for; None before the first login.

    Raises:
        CredentialsError: User, password or account is empty.
        ConfigurationError: Neither project nor region is given, or the URL of IAM is malformed or not https.
        AuthenticationError: In a request: IAM refuses the login.
        ApiError: In a request: IAM fails or redirects; the class follows from the HTTP status.
        ResponseFormatError: In a request: IAM responds with success but without a token.
    """

    def __init__(
        self,
        user: str,
        password: str,
        account: str,
        *,
        project: str | None = None,
        region: str | None = None,
        iam_endpoint: str | None = None,
        allow_http: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock=clock)
        if not (user and password and account):
            raise CredentialsError("IamTokenAuth needs user, password and account; none of them may be empty")
        if not (project or region):
            raise ConfigurationError("IamTokenAuth needs a project or a region; a token is for one project")
        self.user = user
        self.account = account
        self.project = project or region
        self.iam = endpoint(region or _region_of(project), iam_endpoint, allow_http=allow_http)
        self.project_id: str | None = None
        self._password = password
        self._refusal: _RefusedLogin | None = None

    def refresh(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Log in, with the timeout of the request that needs the token."""
        login = self.login_request(timeout=request.extensions.get("timeout"))
        yield restrict_to_origin(login)
        response = yield login
        response.stream = ResponseBody(response, untrusted_json.LIMIT)
        try:
            yield flow.read(response)
        except httpx.DecodingError:  # it is longer, or cannot be decoded
            raise self._no_token(response) from None
        return self._read_token(response)

    def login_request(self, *, timeout: Any = None) -> httpx.Request:
        """Build the request that logs in. It holds the password.

        Args:
            timeout: The ``timeout`` extension of the request; without it, httpx waits without limit.

        Raises:
            AuthenticationError: IAM refused a login a short time ago.
        """
        if self._refusal is not None and (left := self._refusal.until - self.clock.now()) > timedelta(0):
            raise self._refusal.repeated(left)
        user = {"name": self.user, "password": self._password, "domain": {"name": self.account}}
        return httpx.Request(
            "POST",
            f"{self.iam}/v3/auth/tokens?nocatalog=true",
            json={
                "auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": self.project}},
                }
            },
            headers={"Accept-Encoding": "identity"},  # plain httpx would also offer encodings that are not limited
            extensions={"timeout": timeout} if timeout else {},
        )

    def accept_login(self, response: httpx.Response) -> None:
        """Take the token from a response to `login_request`, instead of logging in with the next request.

        Raises:
            ApiError, ResponseFormatError: As for the class.
        """
        self._token.set(*self._read_token(response))

    def login_error(self, error: errors.ApiError) -> errors.ApiError:
        """Turn an error response to `login_request` into the error for the user, without the password.

        Any 4xx but 408 and 429 becomes an AuthenticationError, because IAM refuses logins with several statuses, and
        holds the next login back.
        """
        refused = 400 <= error.status_code < 500 and error.status_code not in (408, 429)
        context = (
            f"{self.iam} was asked for a token for user {self.user!r} of account {self.account!r} and project "
            f"{self.project!r}" + ("; repeated wrong passwords lock the account for 15 minutes." if refused else ".")
        )
        fields = {name: value for name, value in vars(error).items() if name != "__notes__"}
        fields["error_msg"] = error.error_msg and redaction.mask(error.error_msg, [self._password])
        fields["body"] = redaction.mask(error.body, [self._password])
        fields["hint"] = " ".join(filter(None, (error.hint, context)))
        explained = (errors.AuthenticationError if refused else type(error))(**fields)
        if refused:
            self._hold_back(explained)
        return explained

    def _hold_back(self, error: errors.ApiError) -> None:
        now = self.clock.now()
        pause = min(self._refusal.pause * 2, LONGEST_PAUSE) if self._refusal else FIRST_PAUSE
        until = now + pause
        if (expires_at := self._token.expires_at()) is not None:  # the old token may be good until then
            until = max(until, min(expires_at, now + ADVISORY_WINDOW))
        self._refusal = _RefusedLogin(error, pause, until)

    def _read_token(self, response: httpx.Response) -> tuple[str, datetime | None]:
        """Return the token in IAM's response and the time it expires by our clock."""
        if not response.is_success:
            raise self.login_error(error_mapping.api_error(response))
        try:
            details = member(untrusted_json.parse(response.content), "token", dict)
            issued_at, expires_at = (
                parse_time(text) if (text := member(details, name, str)) else None
                for name in ("issued_at", "expires_at")
            )
            project_id = member(member(details, "project", dict) or {}, "id", str)
            if not (project_id is None or is_project_id(project_id)):
                raise ValueError("the project ID is malformed")
            token = require_visible_ascii("token", response.headers.get("X-Subject-Token"))
        except (CredentialsError, ValueError):
            raise self._no_token(response) from None
        self.project_id = project_id
        self._refusal = None
        if expires_at is not None and issued_at is not None:
            # Our clock may be wrong, so only the lifetime of the token is taken from IAM's times.
            expires_at = self.clock.now() + min(max(expires_at - issued_at, timedelta(0)), MAX_LIFETIME)
        return token, expires_at

    def _no_token(self, response: httpx.Response) -> errors.ResponseFormatError:
        return errors.ResponseFormatError(
            f"IAM at {self.iam} responded with success but without a token, or with a malformed one",
            status_code=response.status_code,
            request_id=error_mapping.request_id(response),
            content_type=response.headers.get("Content-Type"),
            request=errors.RequestSummary.of(response.request),
        )

    def __repr__(self) -> str:
        shown = vars(self).get  # also after the constructor has failed
        return (
            f"{type(self).__name__}(user={shown('user')!r}, password=***, account={shown('account')!r}, "
            f"project={shown('project')!r}, iam_endpoint={shown('iam')!r})"
        )


class _RefusedLogin(NamedTuple):
    """The last login, which IAM refused, and when the next one may be sent."""

    error: errors.ApiError
    pause: timedelta
    until: datetime

    def repeated(self, left: timedelta) -> errors.ApiError:
        """Return the error once more. Each caller gets its own, because an exception collects tracebacks."""
        error = copy.copy(self.error)
        minutes = math.ceil(left.total_seconds() / 60)
        error.hint = f"{error.hint} To avoid that, no login is sent for another {minutes} minutes."
        return error


def _region_of(project: str | None) -> str | None:
    """Return the region in the name of a project: the region itself, or the region, ``_`` and a name."""
    region = (project or "").partition("_")[0]
    return region if re.fullmatch(r"[a-z]+-[a-z]+-\d+", region) else None
