"""Hostile requests to the sandbox: large bodies, deep JSON, scopes that name no project."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from metastudio.sandbox import MAIN, Sandbox, serve
from metastudio.sandbox.http import MAX_BODY_BYTES

TOKENS = "/v3/auth/tokens"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(jobs=1) as running:
        yield running


def login(**scope: Any) -> dict[str, Any]:
    user = {"name": MAIN.user, "password": MAIN.password, "domain": {"name": MAIN.domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **scope}}


def test_a_large_body_is_refused_and_not_read_to_its_end(sandbox: Sandbox) -> None:
    """The body never ends, so a server that reads all of it never responds."""
    port = httpx.URL(sandbox.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"POST {TOKENS} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(f"{MAX_BODY_BYTES:x}\r\n".encode() + bytes(MAX_BODY_BYTES) + b"\r\n1\r\n \r\n")
        response = b""
        while b"error_code" not in response and (part := connection.recv(65536)):
            response += part
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"APIGW.0201" in response


def test_a_body_of_the_maximum_size_is_read(sandbox: Sandbox) -> None:
    body = json.dumps(login()).encode().ljust(MAX_BODY_BYTES)
    assert httpx.post(sandbox.url + TOKENS, content=body).status_code == 201


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"auth":' * 50_000, b"[" * 900 + b"]" * 900, b"\xff", b"9" * 5000]
)
def test_deep_json_is_refused(sandbox: Sandbox, content: bytes) -> None:
    assert httpx.post(sandbox.url + TOKENS, content=content).status_code == 400


@pytest.mark.parametrize("project", [{}, {"domain": {"name": "a"}}, {"Id": MAIN.project_id}])
def test_a_scope_without_id_and_name_is_refused(sandbox: Sandbox, project: dict[str, Any]) -> None:
    response = httpx.post(sandbox.url + TOKENS, json=login(scope={"project": project}))
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The project in the scope has neither id nor name."
