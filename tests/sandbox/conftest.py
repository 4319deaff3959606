"""A running sandbox, and requests to it signed by the vendor's own signer."""

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
from metastudio.sandbox import KeyPair, Sandbox, serve
from metastudio.sandbox.listing import read_contract

Sign = Callable[..., dict[str, str]]
Fetch = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """A client without credentials."""
    with httpx.Client(timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def path() -> Callable[[str], str]:
    """The path of the list of jobs in a project."""
    template = read_contract().listings[0].operation.path
    return lambda project_id: template.replace("{project_id}", project_id)


@pytest.fixture(scope="module")
def fetch(sandbox: Sandbox, path: Callable[[str], str], http: httpx.Client) -> Fetch:
    """Requests the jobs of the main project with its token: `fetch("?limit=1")`, `fetch(params=..., method="HEAD")`."""

    def send(query: str = "", *, method: str = "GET", **others: Any) -> httpx.Response:
        headers = [("X-Auth-Token", sandbox.token), *others.pop("headers", [])]
        return http.request(method, sandbox.url + path(sandbox.project_id) + query, headers=headers, **others)

    return send


@pytest.fixture(scope="session")
def sign() -> Sign:
    """Returns the headers of a request signed by the vendor's signer. A date of None is now."""

    def signed(
        url: str, keys: KeyPair, *, method: str = "GET", date: str | None = None, **headers: str
    ) -> dict[str, str]:
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
            warnings.simplefilter("ignore", DeprecationWarning)  # the signer calls utcnow
            Signer(SimpleNamespace(ak=keys.access_key, sk=keys.secret_key)).sign(request)
        return dict(request.header_params)

    return signed
