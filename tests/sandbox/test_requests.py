"""Valid requests are accepted, invalid ones are refused, and none makes the server fail."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.sandbox import Sandbox

Fetch = Callable[..., httpx.Response]
Path_ = Callable[[str], str]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "offset=0",
        "offset=2147483647",
        "limit=1",
        "limit=100",
        "limit=007",
        "sort_key=create_time",
        "sort_key=asset_order",
        "sort_dir=desc",
        "state=NEVER_SEEN",
        "state=" + "%2C".join(["TRAINING"] * 100),
        "state=TRAINING,JOB_FINISH",
        "name=" + quote("数" * 64),
        "name=%22%27--%3B%20DROP%20TABLE%20items",
        "name=a+b",
        "create_since=2023-01-01T00:00:00Z&create_until=2022-01-01T00:00:00Z",
        "create_since=2023-01-01T00:00:00%2B08:00",
        "create_since=2016-12-31T23:59:60Z",
        "create_since=2017-01-01T07:59:60.5%2B08:00",
        "create_since=0000-02-29T00:00:00Z",
        "unknown=1&unknown=2",
        "model_resolution=8K",
        "&&limit=3&",
    ],
)
def test_valid_queries(fetch: Fetch, query: str) -> None:
    response = fetch(f"?{query}")

    assert response.status_code == 200, response.headers


@pytest.mark.parametrize(
    "query",
    [
        "offset=-1",
        "offset=2147483648",
        "offset=" + "9" * 5000,
        "offset=",
        "offset",
        "offset=1.0",
        "offset=%201",
        "offset=%2B1",
        "offset=1_0",
        "offset=%D9%A1",
        "offset=1e1",
        "limit=0",
        "limit=101",
        "limit=ten",
        "limit=1&limit=1",
        "sort_key=",
        "sort_key=Create",
        "sort_dir=DESC",
        "sort_dir=up",
        "state=",
        "state=A,,B",
        "state=training",
        "state=A&state=B",
        "state=" + ",".join(["A"] * 101),
        "state=A%0A",
        "name=",
        "name=a%0A",
        "name=%00",
        "name=%7F",
        "name=%C2%85",
        "name=" + "a" * 65,
        "create_since=2023-01-01",
        "create_since=2023-01-01T00:00:00",
        "create_since=2023-01-01T00:00:00z",
        "create_since=2023-01-01%2000:00:00Z",
        "create_since=2023-02-29T00:00:00Z",
        "create_since=2023-01-01T24:00:00Z",
        "create_since=2023-01-01T12:30:60Z",
        "create_since=2023-01-01T00:00:61Z",
        "create_since=2023-01-01T00:00:00%2B24:00",
        "create_since=2023-01-01T00:00:00Z%0A",
        "create_until=now",
        "create_until=1700000000",
    ],
)
def test_invalid_queries(fetch: Fetch, query: str) -> None:
    response = fetch(f"?{query}")

    assert (response.status_code, response.json()) == (
        400,
        {"error_code": "MSS.00000003", "error_msg": "Invalid parameter"},
    )
    name = re.split("[=&]", query)[0]
    assert response.headers["X-Sandbox-Reason"].startswith(name)


@pytest.mark.parametrize("query", ["name=%", "name=%G0", "name=%FF", "%FF=1", "name=%ED%A0%80", "name=%C0%AF"])
def test_malformed_percent_encoding(sandbox: Sandbox, path: Path_, query: str) -> None:
    response = _raw(sandbox, path, f"?{query}")

    assert b" 400 " in response
    assert b"APIGW.0201" in response


@pytest.mark.parametrize("value", ["", "é".encode("latin-1"), "数".encode(), "x" * 65])
def test_invalid_header(fetch: Fetch, value: str | bytes) -> None:
    assert fetch(headers=[("X-App-UserId", value)]).status_code == 400


def test_repeated_header(fetch: Fetch) -> None:
    assert fetch(headers=[("X-App-UserId", "me")]).status_code == 200
    assert fetch(headers=[("X-App-UserId", "me"), ("X-App-UserId", "me")]).status_code == 400


@settings(max_examples=200, deadline=None)
@given(query=st.binary(max_size=60), name=st.sampled_from(["name", "state", "limit", "create_since", "sort_key"]))
def test_no_query_makes_the_server_fail(query: bytes, name: str, sandbox: Sandbox, path: Path_) -> None:
    for text in (quote(query), re.sub(rb"[^!-~]|#", b"%", query).decode()):
        status = _raw(sandbox, path, f"?{name}={text}").split(b" ", 2)[1]
        assert status in (b"200", b"400")


def test_head_is_get_without_a_body(fetch: Fetch) -> None:
    got, headed = fetch(), fetch(method="HEAD")

    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
def test_other_methods(sandbox: Sandbox, path: Path_, http: httpx.Client, method: str) -> None:
    response = http.request(method, sandbox.url + path(sandbox.project_id))

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_other_paths(sandbox: Sandbox, path: Path_, http: httpx.Client) -> None:
    known = path(sandbox.project_id)
    for other in ("/", "/v1", f"{known}/", f"{known}/1", f"/{known}", known.upper()):
        response = http.get(sandbox.url + other, headers={"X-Auth-Token": sandbox.token})
        assert (response.status_code, response.json()["error_code"]) == (404, "APIGW.0101"), other


def test_headers_of_every_response(sandbox: Sandbox, path: Path_, http: httpx.Client) -> None:
    url, token = sandbox.url + path(sandbox.project_id), {"X-Auth-Token": sandbox.token}
    responses = [
        http.get(url, headers=token),
        http.get(url, headers=token),
        http.get(f"{url}?limit=0", headers=token),
        http.get(url),
        http.post(url),
        http.get(f"{sandbox.url}/nowhere"),
        http.get(f"{sandbox.url}/v3/projects"),
    ]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert len(set(ids)) == len(ids)
    for response in responses:
        assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
        assert response.headers["Content-Type"] == "application/json"
        assert abs(parsedate_to_datetime(response.headers["Date"]).timestamp() - sandbox.settings.now()) < 60
        assert "server" not in response.headers
        body = response.json()
        if body.get("error_code", "").startswith("APIGW"):
            assert body["request_id"] == response.headers["X-Request-Id"]


def test_invalid_http(sandbox: Sandbox) -> None:
    assert _exchange(sandbox.url, b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def _raw(sandbox: Sandbox, path: Path_, query: str) -> bytes:
    """Send a query as it is, which httpx would normalise."""
    head = f"GET {path(sandbox.project_id)}{query} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n"
    return _exchange(sandbox.url, f"{head}X-Auth-Token: {sandbox.token}\r\n\r\n".encode())


def _exchange(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.sendall(request)
        response = b""
        while received := connection.recv(65536):
            response += received
        return response
