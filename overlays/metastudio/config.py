"""The configuration of a client: arguments, then environment variables, credentials file and instance metadata.

Names are the vendor's where it has one (docs/service-notes.md#credential-sources), so that a machine set up for its
SDK needs no other settings.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from metastudio_client._contract import SERVER

from metastudio.auth import chain
from metastudio.auth.aksk import AkSkAuth, check_project_id
from metastudio.auth.origin_policy import require_https
from metastudio.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from metastudio.auth.clock import Clock
    from metastudio.auth.credentials import Credentials

PROJECT_ID = "HUAWEICLOUD_SDK_PROJECT_ID"
REGION = "METASTUDIO_REGION"
BASE_URL = "METASTUDIO_BASE_URL"
TOKEN = "METASTUDIO_TOKEN"  # noqa: S105 - the name of a variable
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


def resolve(
    *,
    region: str | None = None,
    project_id: str | None = None,
    credentials: Credentials | None = None,
    auth: httpx.Auth | None = None,
    base_url: str | httpx.URL | None = None,
    allow_http: bool = False,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Find everything that no argument gives. An argument always precedes the environment. Sends no request.

    Args:
        region: The region; else METASTUDIO_REGION, else the default of the contract.
        project_id: The project ID; else that of `auth`, else HUAWEICLOUD_SDK_PROJECT_ID, else the credentials file.
        credentials: An access key; else the environment, METASTUDIO_TOKEN, the credentials file, or the instance
            metadata service.
        auth: Authenticates requests, instead of `credentials`.
        base_url: The URL of the server; else METASTUDIO_BASE_URL unless `region` is given, else the region's.
        allow_http: Accept plain http to another machine.
        clock: The time to sign with.
        environ: Replaces ``os.environ``.

    Raises:
        ConfigurationError: A value is malformed, or both `credentials` and `auth` are given.
        CredentialsError: The credentials found are incomplete or cannot be read.
    """
    environ = os.environ if environ is None else environ
    if base_url:
        url, url_source = base_url, "argument base_url"
    elif not region and environ.get(BASE_URL):
        url, url_source = environ[BASE_URL], f"environment ({BASE_URL})"
    else:
        url, url_source = None, "region"
    region, region_source = _region(region, environ)
    if url is None:
        url, url_source = _endpoint(region, environ)
    parsed_url = require_https(url, name=f"base URL ({url_source})", allow_http=allow_http)

    source: chain.Source | None = None
    if auth is not None:
        if credentials is not None:
            raise ConfigurationError("arguments credentials and auth are both given; pass only one")
        auth_source = "argument auth"
    elif credentials is not None:
        auth = AkSkAuth(
            credentials.access_key, credentials.secret_key, security_token=credentials.security_token, clock=clock
        )
        auth_source = "argument credentials"
    elif (source := chain.from_environment(environ)) is None and environ.get(TOKEN):
        from metastudio.auth.token import TokenAuth

        auth, auth_source = TokenAuth(environ[TOKEN]), f"environment ({TOKEN})"
    else:
        source = source or chain.find(environ=environ)
        auth, auth_source = AkSkAuth.from_provider(source.provide, clock=clock), source.name

    project_id, project_source = _project_id(project_id, auth, environ, source)
    iam_endpoint = environ.get(chain.IAM_ENDPOINT) or (source.iam_endpoint if source else None)
    return Config(
        region, region_source, parsed_url, url_source, allow_http, iam_endpoint, auth, auth_source,
        project_id, project_source,
    )  # fmt: skip


def _region(region: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if region:
        source = "argument region"
    elif region := environ.get(REGION):
        source = f"environment ({REGION})"
    else:
        region, source = str(SERVER["variables"]["region"]), "the contract's default"
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", region):
        raise ConfigurationError(f"region {region!a} ({source}) is malformed; write it like cn-north-4")
    return region, source


def _endpoint(region: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the region's URL from the environment, where the first of a comma list counts, or from the contract."""
    name = REGION_ENDPOINT.format(region=region.upper().replace("-", "_"))
    if url := environ.get(name, "").split(",")[0].strip():
        return url, f"environment ({name})"
    return str(SERVER["url"]).format(region=region), "region"


def _project_id(
    project_id: str | None, auth: httpx.Auth, environ: Mapping[str, str], source: chain.Source | None
) -> tuple[str | None, str | None]:
    if project_id is not None:
        found_in = "argument project_id"
    elif isinstance(auth, AkSkAuth) and auth.project_id is not None:
        project_id, found_in = auth.project_id, "argument auth"
    elif environ.get(PROJECT_ID):
        project_id, found_in = environ[PROJECT_ID], f"environment ({PROJECT_ID})"
    else:
        source = source if source and source.project_id else chain.from_file(environ)
        if source is None or not source.project_id:
            return None, None
        project_id, found_in = source.project_id, source.name
    check_project_id(project_id, found_in)
    return project_id, found_in
