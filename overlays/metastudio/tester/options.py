"""Settings of a run, and credentials from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metastudio.auth import chain
from metastudio.auth.credentials import Credentials
from metastudio.auth.origin_policy import require_https
from metastudio.errors import ConfigurationError
from metastudio.tester.access import Login
from metastudio.tester.caller import Caller


@dataclass(frozen=True)
class RunOptions:
    """Settings of a run. Give either `url` or `app`.

    Args:
        url: base URL of the server, http or https.
        app: an ASGI application, tested in this process.
        project_id: project ID in the request path, if it has one.
        keys: key pair of the caller. Every security scheme is tested for which there are credentials; without any,
            only a server that needs no authentication can be tested.
        token: token of the caller, for every scheme of the contract that takes one.
        login: user and password of the caller.
        other_project_id: project ID of a second caller, for the tenant isolation check.
        other_keys: key pair of the second caller.
        other_token: token of the second caller.
        other_login: user and password of the second caller.
        expired_token: a token that is no longer valid, for the authentication matrix.
        spec: path of the contract; None for the packaged one.
        path_values: values of path parameters other than the project ID.
        rate_limit: maximum requests per second; None for no limit.
        max_time: maximum duration of the run in seconds. Properties not reached by then are not exercised.
        max_examples: number of requests that schemathesis draws at random, besides the deterministic ones.
        seed: seed of the generated requests.
        only: suites and properties to run by name, with `*` as wildcard, such as `meaning` or `filter.*`.
        skip: suites and properties to skip, in the same form.
        writes: also send methods that may change data.
        freeze: restrict the list to the items that exist at the start, with a filter on their times.
        forge: send forged credentials; None sends them except to the vendor's public hosts.
        timeout: seconds to wait for the next byte of a response.
        verify: whether to verify certificates, or the path of a CA bundle.
        allow_http: send credentials over plain http to another machine.

    Raises:
        ConfigurationError: the settings are invalid.
    """

    url: str | None = None
    app: Any = None
    project_id: str | None = None
    keys: Credentials | None = None
    token: str | None = field(default=None, repr=False)
    login: Login | None = None
    other_project_id: str | None = None
    other_keys: Credentials | None = None
    other_token: str | None = field(default=None, repr=False)
    other_login: Login | None = None
    expired_token: str | None = field(default=None, repr=False)
    spec: Path | None = None
    path_values: Mapping[str, str] = field(default_factory=dict[str, str])
    rate_limit: float | None = None
    max_time: float | None = None
    max_examples: int = 50
    seed: int = 0
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    writes: bool = False
    freeze: bool = False
    forge: bool | None = None
    timeout: float = 10.0
    verify: bool | str = True
    allow_http: bool = False

    def __post_init__(self) -> None:
        if (self.url is None) == (self.app is None):
            raise ConfigurationError("give either url or app: the server to test")
        if self.url is not None and not re.match(r"https?://[^/?#@\s]+", self.url):
            raise ConfigurationError(f"url {self.url!r} is not a server URL: write http://host or https://host")
        if self.url is not None:
            require_https(self.url, allow_http=self.allow_http)
        if self.url is not None and re.search(r"[?#]", self.url):
            raise ConfigurationError(f"url {self.url!r} must not contain a query or a fragment")
        for name, value in (("rate_limit", self.rate_limit), ("max_time", self.max_time), ("timeout", self.timeout)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} must be a finite number above 0, not {value}")
        if self.max_examples < 1:
            raise ConfigurationError(f"max_examples must be at least 1, not {self.max_examples}")

    def caller(self) -> Caller:
        """Return the caller."""
        return Caller(self.project_id or "", self.keys, self.token, self.login)

    def other_caller(self, caller: Caller) -> Caller | None:
        """Return the second caller, with the clock of the first; None if there is none."""
        if not (self.other_project_id or self.other_keys or self.other_token or self.other_login):
            return None
        return Caller(
            self.other_project_id or "", self.other_keys, self.other_token, self.other_login, caller.schemes,
            caller.clock, ("--other",), "$METASTUDIO_OTHER_TOKEN",
            "$METASTUDIO_OTHER_USER:$METASTUDIO_OTHER_PASSWORD",
        )  # fmt: skip


def login_from_environment(prefix: str = "METASTUDIO") -> Login | None:
    """Return the user and password of the environment, METASTUDIO_USER and METASTUDIO_PASSWORD; None without both."""
    user, password = os.environ.get(f"{prefix}_USER"), os.environ.get(f"{prefix}_PASSWORD")
    return Login(user, password) if user and password else None


def credentials_from_environment(profile: str | None = None) -> tuple[Credentials | None, str | None, str | None]:
    """Return the key pair, token and project ID from the environment or the vendor's credentials file.

    Args:
        profile: section of the credentials file; its keys and project precede the environment.

    Raises:
        ConfigurationError: there is no such profile.
        CredentialsError: they are incomplete or unreadable.
    """
    source = chain.from_settings(os.environ, profile=profile)
    keys = source.provide() if source else None

    def in_file() -> str | None:
        return chain.read_section(os.environ, profile=profile).values.get("project_id") or None

    project = (in_file() if profile else None) or os.environ.get("HUAWEICLOUD_SDK_PROJECT_ID") or in_file()
    token = None if profile and keys else os.environ.get("METASTUDIO_TOKEN")  # it may be that of another account
    return keys, token or None, project


def other_credentials_from_environment() -> tuple[Credentials | None, str | None, str | None]:
    """Return the key pair, token and project ID of the second caller: METASTUDIO_OTHER_AK, _SK, _TOKEN, _PROJECT_ID.

    Raises:
        CredentialsError: a key is malformed.
    """
    names = ("AK", "SK", "TOKEN", "PROJECT_ID")
    access_key, secret_key, token, project = (os.environ.get(f"METASTUDIO_OTHER_{name}") or None for name in names)
    keys = Credentials(access_key, secret_key) if access_key and secret_key else None
    return keys, token, project
