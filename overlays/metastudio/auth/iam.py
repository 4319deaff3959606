"""Authentication by a token that IAM, the cloud's identity service, gives for a user's password.

``POST /v3/auth/tokens`` (facts 2.1). The cloud recommends access keys instead; a token is for who has none.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from metastudio import errors, redaction
from metastudio.auth.clock import parse_time
from metastudio.auth.credentials import IAM_ENDPOINT
from metastudio.auth.flow import ReadResponse, Step
from metastudio.auth.origin_policy import StayAtOrigin, require_https
from metastudio.auth.token import TokenFlow
from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.http import error_mapping

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from datetime import datetime

    from metastudio.auth.clock import Clock


def endpoint(
    region: str | None = None,
    given: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    allow_http: bool = False,
) -> str:
    """The URL of IAM, without a slash at its end: `given`, else the environment's, else the region's, else the global.

    Raises:
        ConfigurationError: the URL is none, or not https; or the region's name cannot be one.
    """
    url = given or (os.environ if environ is None else environ).get(IAM_ENDPOINT)
    if not url:
        if region is not None and not re.fullmatch(r"[a-z0-9-]+", region):
            raise ConfigurationError(f"{region!r} is no region; they look like cn-north-4")
        url = f"https://iam.{region}.myhuaweicloud.com" if region else "https://iam.myhuaweicloud.com"
    return str(require_https(url, allow_http=allow_http)).rstrip("/")


class IamTokenAuth(TokenFlow):
    """Logs an IAM user in and sends the token as ``X-Auth-Token``, for a sync or async httpx client.

    The login is part of the call that needs it and has its timeout. The token is kept for its 24 hours, renewed
    before they end, and once when a server refuses it; calls that come meanwhile wait for the one that renews.

    Args:
        user: name of the IAM user.
        password: of the user.
        account: name of the account (domain) that the user belongs to.
        project: name of the project the token is for; the region's own project has the region's name.
        region: instead of `project`, and says which IAM to ask.
        iam_endpoint: URL of IAM; else ``HUAWEICLOUD_SDK_IAM_ENDPOINT``, else the region's.
        allow_http: let the password go to a plain http URL of another machine.
        clock: the time that the token's end is compared with.

    Raises:
        CredentialsError: user, password or account is empty.
        ConfigurationError: neither project nor region is given, or the IAM URL will not do.
        AuthenticationError: in a request: IAM refuses the login; the error has IAM's words.
        ApiError: in a request: IAM is unwell, or redirects; by its class.
        ResponseFormatError: in a request: IAM's success has no token.
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
            raise CredentialsError("IamTokenAuth needs user, password and account, none of them empty")
        if not (project or region):
            raise ConfigurationError("IamTokenAuth needs a project or a region: a token is for one project")
        self.user = user
        self.account = account
        self.project = project or region
        self.iam = endpoint(region or _region_of(project), iam_endpoint, allow_http=allow_http)
        self.project_id: str | None = None
        """Id of the project that the token is for; known after the first login."""
        self._password = password

    def renew(self, request: httpx.Request) -> Generator[Step, Any, tuple[str, datetime | None]]:
        """Log in, with the timeout of the call that needs it: without that, httpx would wait for ever."""
        login = self._login_request(timeout=request.extensions.get("timeout"))
        yield StayAtOrigin(login)
        response = yield login
        yield ReadResponse(response)
        return self._accept(response)

    def log_in(self, client: httpx.Client) -> None:
        """Log in now, by a request of its own; for who needs `project_id` before the first call."""
        try:
            response = client.send(self._login_request(), auth=httpx.Auth(), follow_redirects=False)
        except errors.ApiError as error:  # from a client that raises them
            raise self._refusal(error) from None
        self._renewal.keep(*self._accept(response))

    async def alog_in(self, client: httpx.AsyncClient) -> None:
        """`log_in` for async clients."""
        try:
            response = await client.send(self._login_request(), auth=httpx.Auth(), follow_redirects=False)
        except errors.ApiError as error:
            raise self._refusal(error) from None
        self._renewal.keep(*self._accept(response))

    def _login_request(self, *, timeout: Any = None) -> httpx.Request:
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
            extensions={"timeout": timeout} if timeout else {},
        )

    def _accept(self, response: httpx.Response) -> tuple[str, datetime | None]:
        """The token and its end, from IAM's answer."""
        if not response.is_success:
            raise self._refusal(error_mapping.api_error(response))
        token = response.headers.get("X-Subject-Token")
        said = _token_of(response)
        if not token or said is None:
            raise errors.ResponseFormatError(
                f"IAM at {self.iam} said success, but its answer is no token",
                status_code=response.status_code,
                request_id=response.headers.get("X-Request-Id"),
                content_type=response.headers.get("Content-Type"),
                request=errors.RequestSummary.of(response.request),
            )
        self.project_id = said.project_id
        if said.ends is None or said.issued is None:
            return token, said.ends
        # Our clock may be wrong, so only the length of the token's life is taken from IAM's.
        return token, self.clock.now() + (said.ends - said.issued)

    def _refusal(self, said: errors.ApiError) -> errors.ApiError:
        """What IAM said, without the password. Whatever it minds about a login, this user is not authenticated."""
        refused = 400 <= said.status_code < 500 and said.status_code != 429
        asked = (
            f"{self.iam} was asked for a token for user {self.user!r} of account {self.account!r} and project "
            f"{self.project!r}" + ("; repeated wrong passwords lock the account for 15 minutes." if refused else ".")
        )
        return (errors.AuthenticationError if refused else type(said))(
            said.status_code,
            said.error_code,
            said.error_msg and redaction.mask(said.error_msg, [self._password]),
            said.request_id,
            redaction.mask(said.body, [self._password]),
            said.request,
            said.retries,
            retry_after=said.retry_after,
            hint=" ".join(filter(None, (said.hint, asked))),
            encoded_authorization_message=said.encoded_authorization_message,
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(user={self.user!r}, password=***, account={self.account!r}, "
            f"project={self.project!r}, iam_endpoint={self.iam!r})"
        )


class _Token(NamedTuple):
    project_id: str | None
    issued: datetime | None
    ends: datetime | None


def _token_of(response: httpx.Response) -> _Token | None:
    """What the body says about the token, or None when it is no such body."""
    try:
        token = response.json()["token"]
        issued, ends = (parse_time(token[key]) if key in token else None for key in ("issued_at", "expires_at"))
        return _Token(token.get("project", {}).get("id"), issued, ends)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _region_of(project: str | None) -> str | None:
    """A region's project has the region's name, any other project of the region that name and ``_`` before its own."""
    region = (project or "").partition("_")[0]
    return region if re.fullmatch(r"[a-z]+-[a-z]+-\d+", region) else None
