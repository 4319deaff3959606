"""Signature verification, against test vectors and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from metastudio.sandbox import KeyPair, Sandbox
from metastudio.sandbox.http import SandboxRequest
from metastudio.sandbox.signature import ParsedAuthorization, canonical_request, parse_authorization, verify

Path_ = Callable[[str], str]
Sign = Callable[..., dict[str, str]]
VECTORS = Path(__file__).parents[1] / "reference" / "signing-vectors.json"


def vectors() -> list[dict[str, Any]]:
    return [
        vector
        for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
        if vector["algorithm"] == "SDK-HMAC-SHA256"
        and "url" in vector
        # A header listed twice in SignedHeaders, which the signing guide forbids.
        and vector["id"] != "37-duplicate-header-case"
    ]


def request_of(vector: dict[str, Any]) -> SandboxRequest:
    url = urlsplit(vector["url"])
    sent = {name.lower(): value for name, value in vector["headers_sent"].items() if name != "Authorization"}
    headers = tuple((name.encode(), value.encode("latin-1")) for name, value in sent.items())
    body = (vector["body"] or "").encode()
    return SandboxRequest(vector["method"], url.path.encode(), url.query.encode(), headers, body)


def authorization_of(vector: dict[str, Any]) -> ParsedAuthorization:
    authorization = parse_authorization(vector["headers_sent"]["Authorization"])
    assert authorization is not None
    return authorization


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_vector_verifies(vector: dict[str, Any]) -> None:
    request, authorization = request_of(vector), authorization_of(vector)

    assert canonical_request(request, authorization.signed_headers).decode() == vector["canonical_request"]
    assert verify(request, authorization, vector["sk"])


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_tampered_vector_is_refused(vector: dict[str, Any]) -> None:
    request, authorization = request_of(vector), authorization_of(vector)
    changed_headers = tuple((name, value + b"0") for name, value in request.headers)
    tampered = [
        replace(request, method="PUT"),
        replace(request, path=request.path + b"x"),
        replace(request, query=request.query + b"&z=1"),
        replace(request, query=request.query + b"&z"),
        replace(request, headers=changed_headers),
        replace(request, headers=request.headers[1:]),
    ]
    if "UNSIGNED" not in vector["canonical_request"]:
        tampered.append(replace(request, body=request.body + b" "))

    assert not any(verify(each, authorization, vector["sk"]) for each in tampered)
    assert not verify(request, authorization, vector["sk"] + "x")
    assert not verify(request, replace(authorization, signed_headers=authorization.signed_headers[:-1]), vector["sk"])
    assert not verify(request, replace(authorization, signature="0" * 64), vector["sk"])


def test_whitespace_around_a_header_value_is_ignored() -> None:
    request = SandboxRequest("GET", b"/", b"", ((b"x-sdk-date", b" a  b\t"),))

    assert b"\nx-sdk-date:a  b\n" in canonical_request(request, ["x-sdk-date"])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=00",
        "SDK-HMAC-SHA256, Access=AK, SignedHeaders=host, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=" + "G" * 64,
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=" + "0" * 64 + "\n",
        "SDK-HMAC-SM3 Access=AK, SignedHeaders=host, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Credential=AK/20240704/r/s/sdk_request, SignedHeaders=host, Signature=" + "0" * 64,
        "Bearer token",
    ],
)
def test_malformed_authorization_is_refused(value: str) -> None:
    assert parse_authorization(value) is None


@pytest.mark.parametrize(
    "query", ["", "?limit=3&offset=1", "?name=a%20b%2Bc%26d", "?name=a+b", "?name=%E6%95%B0&limit=1", "?state=A%2CB"]
)
def test_signatures_of_the_vendors_signer_are_accepted(
    http: httpx.Client, sandbox: Sandbox, path: Path_, sign: Sign, query: str
) -> None:
    url = sandbox.url + path(sandbox.project_id) + query
    for keys in (sandbox.main.keys, sandbox.main.temporary):
        response = http.get(url, headers=sign(url, keys, X_Project_Id=sandbox.project_id))

        assert response.status_code == 200, response.text


def test_order_of_the_query_on_the_wire_does_not_matter(
    http: httpx.Client, sandbox: Sandbox, path: Path_, sign: Sign
) -> None:
    url = sandbox.url + path(sandbox.project_id)
    headers = sign(f"{url}?limit=1&offset=2", sandbox.main.keys, X_Project_Id=sandbox.project_id)

    assert http.get(f"{url}?offset=2&limit=1", headers=headers).status_code == 200
    assert http.get(f"{url}?offset=1&limit=2", headers=headers).status_code == 401


def test_an_unknown_access_key_is_named_in_the_error(
    http: httpx.Client, sandbox: Sandbox, path: Path_, sign: Sign
) -> None:
    url = sandbox.url + path(sandbox.project_id)
    response = http.get(url, headers=sign(url, KeyPair("NOBODY", "secret"), X_Project_Id=sandbox.project_id))

    assert response.status_code == 401
    assert response.json()["error_code"] == "APIGW.0301"
    assert "NOBODY" in response.json()["error_msg"]
