"""Where requests go: base URL, path parameters and the httpx client."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from metastudio.errors import ConfigurationError
from metastudio.http.proxies import plain_client
from metastudio.tester.http_client import CONTENT_ENCODINGS
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.options import RunOptions


def path_values(options: RunOptions, tested: OperationUnderTest) -> dict[str, str]:
    """Return a value for each path parameter: from the options, or the example in the contract.

    Raises:
        ConfigurationError: a parameter has neither.
    """
    found: dict[str, str] = {}
    for (where, name), at in tested.parameter_pointers.items():
        if where == "path":
            given = {"project_id": options.project_id, **options.path_values}.get(name)
            value = given or (tested.document.at(at) or {}).get("example")
            if value is None:
                raise ConfigurationError(f"no value for path parameter {name}: give --path {name}=VALUE")
            found[name] = str(value)
    return found


def token_header(chosen: Sequence[OperationUnderTest]) -> str:
    """Return the name of the token header in the contract."""
    return next(
        (requirement[0] for tested in chosen for requirement in tested.security_requirements if len(requirement) == 1),
        "X-Auth-Token",
    )


def client_for(options: RunOptions) -> httpx.Client:
    """Return the httpx client for the server or the application. It follows no redirects."""
    transport = None
    if options.app is not None:
        from metastudio.tester.inprocess import InProcessTransport

        transport = InProcessTransport(options.app)
    headers = {"User-Agent": "metastudio-contract", "Accept": "application/json"}
    headers["Accept-Encoding"] = ", ".join(CONTENT_ENCODINGS)
    return plain_client(
        transport=transport, timeout=options.timeout, verify=options.verify, headers=headers, follow_redirects=False
    )


def base_url(options: RunOptions) -> str:
    """Return the base URL of the server or the application."""
    if options.url is not None:
        return options.url
    from metastudio.tester.inprocess import BASE_URL

    return BASE_URL
