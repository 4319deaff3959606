"""Where a client's settings come from: argument, environment, credentials file, instance metadata, in this order.

The names are the vendor's where it has one, so that what is set on people's machines works (facts.md 1 and 2.3).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from metastudio_client._contract import SERVER

from metastudio.auth import credentials as chain
from metastudio.auth.aksk import AkSkAuth
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


class Settings(NamedTuple):
    """What a client works with. `auth_source` and `project_source` say where the two were found.

    `project_id` is None where it has to be asked for; `iam_endpoint` is None where it is the region's.
    """

    region: str
    base_url: httpx.URL
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
) -> Settings:
    """Find every setting that was not given. Sends nothing.

    Raises:
        ConfigurationError: a setting cannot work, such as a URL without scheme, or both `credentials` and `auth`.
        CredentialsError: the credentials found are incomplete or cannot be read.
    """
    environ = os.environ if environ is None else environ
    region = str(region or environ.get(REGION) or SERVER["variables"]["region"])
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", region):
        raise ConfigurationError(f"{region!a} is no name of a region; it looks like cn-north-4")
    url = require_https(base_url or environ.get(BASE_URL) or _endpoint(region, environ), allow_http=allow_http)
    if auth is not None and credentials is not None:
        raise ConfigurationError("give credentials or auth, not both: auth is used as it is")
    source: chain.Source | None = None
    if auth is not None:
        where = "argument auth"
    elif credentials is not None:
        auth, where = AkSkAuth.from_provider(lambda: credentials, clock=clock), "argument credentials"
    elif (source := chain.from_environment(environ)) is None and environ.get(TOKEN):
        from metastudio.auth.token import TokenAuth

        auth, where = TokenAuth(environ[TOKEN]), f"environment ({TOKEN})"
    else:
        source = source or chain.find(environ=environ)
        auth, where = AkSkAuth.from_provider(source.provide, clock=clock), source.name
    project, found_in = _project(project_id, environ, source, auth)
    iam_endpoint = environ.get(chain.IAM_ENDPOINT) or (source.iam_endpoint if source else None)
    return Settings(region, url, allow_http, iam_endpoint, auth, where, project, found_in)


def _project(
    given: str | None, environ: Mapping[str, str], source: chain.Source | None, auth: httpx.Auth
) -> tuple[str | None, str | None]:
    found: tuple[str | None, str | None] = (None, None)
    if given is not None:
        found = given, "argument project_id"
    elif environ.get(PROJECT_ID):
        found = environ[PROJECT_ID], f"environment ({PROJECT_ID})"
    elif isinstance(auth, AkSkAuth) and auth.project_id is not None:
        found = auth.project_id, "argument auth"
    else:
        source = source if source and source.project_id else chain.from_file(environ)
        if source is not None and source.project_id:
            found = source.project_id, source.name
    if found[0] is not None and not re.fullmatch(r"[\w-]+", found[0], re.ASCII):
        raise ConfigurationError(f"project id {found[0]!a} ({found[1]}) is none: letters, digits, - and _ only")
    return found


def _endpoint(region: str, environ: Mapping[str, str]) -> str:
    """The endpoint that the environment names for the region (the first of a comma list), or the contract's."""
    given = environ.get(REGION_ENDPOINT.format(region=region.upper().replace("-", "_")), "")
    url: str = SERVER["url"]
    return given.split(",")[0].strip() or url.format(region=region)
