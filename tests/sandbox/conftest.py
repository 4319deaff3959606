"""A running sandbox, and requests to it that the vendor's own signer signs: the sandbox must believe that one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from metastudio.sandbox import Keys, Sandbox, serve
from metastudio.sandbox.listing import read_contract

Sign = Callable[..., dict[str, str]]
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """A client that adds nothing of its own."""
    with httpx.Client(timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def path() -> Callable[[str], str]:
    """The path of the contract's list of jobs in a project."""
    template = read_contract().listings[0].operation.path
    return lambda project_id: template.replace("{project_id}", project_id)


@pytest.fixture(scope="module")
def ask(sandbox: Sandbox, path: Callable[[str], str], http: httpx.Client) -> Ask:
    """Asks for the jobs of the main project, with its token: `ask("?limit=1")`, `ask(params=..., method="HEAD")`."""

    def asked(query: str = "", *, method: str = "GET", **others: Any) -> httpx.Response:
        headers = [("X-Auth-Token", sandbox.token), *others.pop("headers", [])]
        return http.request(method, sandbox.url + path(sandbox.project_id) + query, headers=headers, **others)

    return asked


@pytest.fixture(scope="session")
def sign() -> Sign:
    """Headers that sign a request, as the vendor's signer makes them. A date of None is now."""

    def signed(url: str, keys: Keys, *, method: str = "GET", date: str | None = None, **headers: str) -> dict[str, str]:
        parts = urlsplit(url)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if date:
            given["X-Sdk-Date"] = date
        if keys.security_token:
            given["X-Security-Token"] = keys.security_token
        query: Any = parse_qsl(parts.query, keep_blank_values=True)
        request = SdkRequest(
            method=method,
            schema=parts.scheme,
            host=parts.netloc,
            resource_path=parts.path,
            query_params=query,
            header_params=given,
            body="",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of utcnow, which the signer calls
            Signer(SimpleNamespace(ak=keys.access_key, sk=keys.secret_key)).sign(request)
        return dict(request.header_params)

    return signed
