"""The configuration of a client: arguments, then environment variables, credentials file and instance metadata.

Names are the vendor's where it has one (docs/service-notes.md#credential-sources), so that a machine set up for its
SDK needs no other settings.
"""

from __future__ import annotations

import os
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metastudio.auth import chain
    from metastudio.auth.clock import Clock
    from metastudio.auth.credentials import Credentials

PROJECT_ID = "HUAWEICLOUD_SDK_PROJECT_ID"
REGION = "METASTUDIO_REGION"
_DEFAULT_REGION = "cn-north-4"  # for IAM, where the URL of the contract has no region
BASE_URL = "METASTUDIO_BASE_URL"
TOKEN = "METASTUDIO_TOKEN"  # noqa: S105 - the name of a variable
Found = tuple[Any, str | None]  # a value, or None, and where it comes from
REGION_ENDPOINT = "HUAWEICLOUD_SDK_REGION_METASTUDIO_{region}"


class Config(NamedTuple):
    """The configuration of a client, and where its parts come from, such as ``argument region``.

    Attributes:
        region: The region.
        region_source: Where `region` comes from.
        base_url: The URL of the server.
        base_url_source: Where `base_url` comes from; ``region`` if it is the region's.
        allow_http: Whether credentials may be sent over plain http to another machine.
        iam_endpoint: The URL of IAM; None for the region's.
        auth: Authenticates requests.
        auth_source: Where `auth` comes from.
        project_id: The project ID; None to look it up at IAM.
        project_source: Where `project_id` comes from.
    """

    region: str
    region_source: str
    base_url: httpx.URL
    base_url_source: str
    allow_http: bool
    iam_endpoint: str | None
    auth: httpx.Auth
    auth_source: str
    project_id: str | None
    project_source: str | None

    def summary(self) -> str:
        """Return what `repr` of a client shows."""
        return f"{self.base_url} project={self.project_id} auth={self.auth!r}"


def resolve(
    *,
    region: str | None = None,
    project_id: str | None = None,
    credentials: Credentials | None = None,
    auth: httpx.Auth | None = None,
    profile: str | None = None,
    base_url: str | httpx.URL | None = None,
    allow_http: bool = False,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Find everything that no argument gives. An argument always precedes the environment. Sends no request.

    Args:
        region: The region; else METASTUDIO_REGION, else the credentials file, else the default of the contract.
        project_id: The project ID; else that of `auth`, else HUAWEICLOUD_SDK_PROJECT_ID, else the credentials file.
        credentials: An access key; else the environment, METASTUDIO_TOKEN, the credentials file, or the instance
            metadata service.
        auth: Authenticates requests, instead of `credentials`.
        profile: A section of the credentials file, else HUAWEICLOUD_SDK_PROFILE, else ``[basic]``. As an argument, it
            is one for all that the section has: its keys, region and project precede the environment.
        base_url: The URL of the server; else METASTUDIO_BASE_URL unless an argument gives the
            region, else the region's.
        allow_http: Accept plain http to another machine.
        clock: The time to sign with.
        environ: Replaces ``os.environ``.

    Raises:
        ConfigurationError: A value is malformed, both `credentials` and `auth` are given, or there is no such profile.
        CredentialsError: The credentials found are incomplete or cannot be read.
    """
    from metastudio_client.contract import SERVER

    from metastudio.auth import chain
    from metastudio.auth.aksk import AkSkAuth
    from metastudio.auth.credentials import Credentials, check_project_id
    from metastudio.auth.origin_policy import require_https

    environ = os.environ if environ is None else environ
    file = cache(partial(chain.read_section, environ, profile=profile))  # read only if it is needed

    def in_file(key: str) -> Found:
        return file().values.get(key) or None, file().place

    def in_profile(key: str) -> Found:
        return in_file(key) if profile else (None, None)

    region_name, region_source = _first(
        (region or None, "argument region"),
        partial(in_profile, "region"),
        _variable(environ, REGION),
        partial(in_file, "region"),
        (SERVER.variables.get("region", _DEFAULT_REGION), "the contract's default"),
    )
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", region_name):
        raise ConfigurationError(f"region {region_name!a} ({region_source}) is malformed; write it like cn-north-4")
    endpoint_variable = REGION_ENDPOINT.format(region=region_name.upper().replace("-", "_"))
    endpoint = environ.get(endpoint_variable, "").split(",")[0].strip()
    url, url_source = _first(
        (base_url or None, "argument base_url"),
        (None, None) if region or in_profile("region")[0] else _variable(environ, BASE_URL),
        (endpoint or None, f"environment ({endpoint_variable})"),
        (SERVER.template.format_map({**SERVER.variables, "region": region_name}), "region"),
    )
    url = require_https(url, name=f"base URL ({url_source})", allow_http=allow_http)

    source: chain.Source | None = None
    if auth is not None:
        if credentials is not None:
            raise ConfigurationError("arguments credentials and auth are both given; pass only one")
        auth_source = "argument auth"
        if not isinstance(auth, httpx.Auth):
            raise ConfigurationError(
                f"auth must be an httpx.Auth, such as metastudio.TokenAuth(...), not a {type(auth).__name__}"
            )
    elif credentials is not None:
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(
                f'credentials must be metastudio.Credentials("AK", "SK"), not a {type(credentials).__name__}'
            )
        keys = credentials.access_key, credentials.secret_key
        auth = AkSkAuth(*keys, security_token=credentials.security_token, clock=clock)
        auth_source = "argument credentials"
    elif not (
        source := (chain.from_file(environ, profile=profile) if profile else None) or chain.from_environment(environ)
    ) and environ.get(TOKEN):
        from metastudio.auth.token import TokenAuth

        auth, auth_source = TokenAuth(environ[TOKEN]), f"environment ({TOKEN})"
    else:
        source = source or chain.find(environ=environ, profile=profile)
        auth, auth_source = AkSkAuth.from_provider(source.provide, clock=clock), source.name
    iam_endpoint, _ = _first(
        partial(in_profile, "iam_endpoint"),
        _variable(environ, chain.IAM_ENDPOINT),
        (source.iam_endpoint if source else None, None),
    )
    project_id, project_source = _first(
        (project_id, "argument project_id"),
        (auth.project_id if isinstance(auth, AkSkAuth) else None, "argument auth"),
        partial(in_profile, "project_id"),
        _variable(environ, PROJECT_ID),
        partial(in_file, "project_id"),
    )
    if project_id is not None:
        check_project_id(project_id, str(project_source))
    return Config(
        region=region_name,
        region_source=region_source,
        base_url=url,
        base_url_source=url_source,
        allow_http=allow_http,
        iam_endpoint=iam_endpoint,
        auth=auth,
        auth_source=auth_source,
        project_id=project_id,
        project_source=project_source,
    )


def _variable(environ: Mapping[str, str], name: str) -> Found:
    return environ.get(name) or None, f"environment ({name})"


def _first(*candidates: Found | Callable[[], Found]) -> tuple[Any, Any]:
    """Return the first candidate that has a value, or None twice. Functions are called only if their turn comes."""
    for candidate in candidates:
        value, source = candidate() if callable(candidate) else candidate
        if value is not None:
            return value, source
    return None, None
