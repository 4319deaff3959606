"""How the server is reached: over HTTP or in this process, at which paths."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from metastudio.errors import ConfigurationError
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.options import Options


def path_values(options: Options, subject: Subject) -> dict[str, str]:
    """Return a value for each path parameter: given, or the contract's example."""
    found: dict[str, str] = {}
    for (where, name), at in subject.parameter_places.items():
        if where == "path":
            given = {"project_id": options.project_id, **options.path_values}.get(name)
            value = given or (subject.document.at(at) or {}).get("example")
            if value is None:
                raise ConfigurationError(f"no value for {name} in the path: give --path {name}=VALUE")
            found[name] = str(value)
    return found


def token_header(chosen: Sequence[Subject]) -> str:
    """Return the header that the contract names for a token."""
    return next((way[0] for subject in chosen for way in subject.ways_in if len(way) == 1), "X-Auth-Token")


def client_for(options: Options) -> httpx.Client:
    """Return the HTTP client; it follows no redirects."""
    transport = None
    if options.app is not None:
        from metastudio.tester.inprocess import InProcess

        transport = InProcess(options.app)
    headers = {"User-Agent": "metastudio-contract", "Accept": "application/json"}
    return httpx.Client(
        transport=transport, timeout=options.timeout, verify=options.verify, headers=headers, follow_redirects=False
    )


def base_url(options: Options) -> str:
    """Return where the paths begin."""
    if options.url is not None:
        return options.url
    from metastudio.tester.inprocess import BASE_URL

    return BASE_URL
