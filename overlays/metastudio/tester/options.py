"""What a run is told."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from metastudio.auth import chain
from metastudio.auth.credentials import Credentials
from metastudio.auth.origin_policy import require_https
from metastudio.errors import ConfigurationError
from metastudio.tester.access import Access
from metastudio.tester.verdicts import Property


@dataclass(frozen=True)
class Options:
    """What a run is told. Either `url` or `app` says what is tested.

    Args:
        url: where the server's paths begin, http or https.
        app: an ASGI application, tested in this process.
        project_id: the project whose list is asked for.
        keys: a key pair; with `token` too, both ways in are tested. Without either, only an open server can be.
        token: a token.
        other_project_id, other_keys, other_token: another caller with another project, for the tenant check.
        expired_token: a token that is no longer valid, for the matrix.
        spec: the contract, by default the packaged one.
        path_values: values of path parameters other than the project.
        rate_limit: requests per second at most, None for as fast as they go.
        max_time: seconds that the run may take; what is not reached by then is not exercised.
        max_examples: how many requests schemathesis draws at random, besides those that it works out.
        seed: the same seed draws the same requests.
        only, skip: suites and properties by name, `*` being anything, such as `meaning` or `filter.*`.
        writes: send methods that may change something as well.
        freeze: pin the list to what was there at the start, by a filter of its times.
        forge: send forged credentials; None for yes, except to the vendor's public hosts.
        timeout: seconds to wait for an answer.
        verify: whether to check certificates, or a file of those to trust.
        allow_http: send credentials over plain http to another machine.

    Raises:
        ConfigurationError: they cannot work.
    """

    url: str | None = None
    app: Any = None
    project_id: str | None = None
    keys: Credentials | None = None
    token: str | None = None
    other_project_id: str | None = None
    other_keys: Credentials | None = None
    other_token: str | None = None
    expired_token: str | None = None
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
            raise ConfigurationError("say what is to be tested: a URL, or an application in this process")
        if self.url is not None and not re.match(r"https?://[^/?#@\s]+", self.url):
            raise ConfigurationError(f"{self.url!r} is no URL of a server: write http://host or https://host")
        if self.url is not None:
            require_https(self.url, allow_http=self.allow_http)
        if self.url is not None and re.search(r"[?#]", self.url):
            raise ConfigurationError("leave the query out of the URL: it is where the server's paths begin")
        for name, value in (("rate_limit", self.rate_limit), ("max_time", self.max_time), ("timeout", self.timeout)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} is a number above 0, not {value}")
        if self.max_examples < 1:
            raise ConfigurationError(f"max_examples is 1 or more, not {self.max_examples}")
        if (self.other_keys or self.other_token) and not self.other_project_id:
            raise ConfigurationError("the other caller needs a project of its own: give other_project_id")

    def wants(self, property_: Property) -> bool:
        """Whether a property is among those to be looked at."""
        names = (
            str(property_.suite),
            property_.id,
            f"{property_.suite}/{property_.id}",
            property_.key,
            property_.operation,
        )

        def named(patterns: tuple[str, ...]) -> bool:
            return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

        return (not self.only or named(self.only)) and not named(self.skip)

    def access(self, token_header: str) -> Access:
        """Return the caller. Raises ConfigurationError without a project."""
        if not self.project_id:
            raise ConfigurationError("no project: give --project-id, or set HUAWEICLOUD_SDK_PROJECT_ID")
        return Access(self.project_id, self.keys, self.token, token_header)

    def other(self, caller: Access) -> Access | None:
        """Return the other caller, who has the same clock; None where there is none."""
        if not self.other_project_id:
            return None
        return Access(
            self.other_project_id, self.other_keys, self.other_token, caller.token_header, caller.clock,
            ("--other",), "$METASTUDIO_OTHER_TOKEN",
        )  # fmt: skip


def found_credentials(environ: Mapping[str, str] = os.environ) -> tuple[Credentials | None, str | None, str | None]:
    """Return the key pair, the token and the project of the environment, or of the vendor's credentials file.

    Raises CredentialsError where they are incomplete or cannot be read.
    """
    source = chain.from_environment(environ) or chain.from_file(environ)
    keys = source.provide() if source else None
    project = environ.get("HUAWEICLOUD_SDK_PROJECT_ID") or (source.project_id if source else None)
    return keys, environ.get("METASTUDIO_TOKEN") or None, project


def other_credentials(environ: Mapping[str, str] = os.environ) -> tuple[Credentials | None, str | None, str | None]:
    """Return the same of the other caller: METASTUDIO_OTHER_AK, _SK, _TOKEN and _PROJECT_ID.

    Raises CredentialsError for a key that cannot be one.
    """
    access_key, secret_key = environ.get("METASTUDIO_OTHER_AK"), environ.get("METASTUDIO_OTHER_SK")
    keys = Credentials(access_key, secret_key) if access_key and secret_key else None
    return keys, environ.get("METASTUDIO_OTHER_TOKEN") or None, environ.get("METASTUDIO_OTHER_PROJECT_ID") or None
