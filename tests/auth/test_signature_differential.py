"""Our signatures against the vendor's signer, for generated requests and for the bytes that a server receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.auth import AkSkAuth, signature
from metastudio.http.url import canonical_query, query_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

DATE = "20240704T080910Z"
HOST = "metastudio.cn-north-4.myhuaweicloud.com"
SECRET = "SKEXAMPLE"


class VendorCredentials:
    ak = "AKEXAMPLE"
    sk = SECRET


def vendor(
    method: str, host: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> tuple[str, str]:
    """Return the Authorization header and the request target that the vendor's signer produces."""
    request: Any = SdkRequest(
        method=method,
        schema="https",
        host=host,
        resource_path=path,
        query_params=[*query],
        header_params=dict(headers),
        body=body,
    )
    Signer(VendorCredentials).sign(request)
    return request.header_params["Authorization"], request.uri


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
unreserved = "abcXYZ019-_.~"
segments = st.one_of(
    st.text(unreserved, max_size=8),
    st.text(unreserved + "!$&'()*+,;=:@ é数😀\"<>^`{|}", max_size=8),
    st.sampled_from(["%20", "%2F", "%e4%bd%a0", "100%25", "a%7Eb", "", ".", ".."]),
)
paths = st.lists(segments, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))
header_names = st.from_regex(r"X-[A-Za-z0-9][A-Za-z0-9_-]{0,10}", fullmatch=True)
headers_to_sign = st.dictionaries(header_names, printable, max_size=5).filter(
    lambda headers: len({name.lower() for name in headers}) == len(headers)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get"]),
    paths,
    st.lists(st.tuples(text, text), max_size=8),
    headers_to_sign,
    st.binary(max_size=64),
)
def test_signs_like_the_vendor(
    method: str, path: str, query: list[tuple[str, str]], extra: dict[str, str], body: bytes
) -> None:
    headers = {"X-Sdk-Date": DATE, **extra}
    expected, uri = vendor(method, HOST, path, query, headers, body)

    ours = {"host": HOST, **{name.lower(): value for name, value in headers.items()}}
    canonical = canonical_query(query)
    payload = signature.payload_hash(body, ours.get("x-sdk-content-sha256"))
    request = signature.canonical_request(method, path, canonical, ours, payload)
    signed = signature.signature(SECRET, signature.string_to_sign(DATE, request))
    assert signature.authorization("AKEXAMPLE", signature.signed_headers(ours), signed) == expected
    assert uri == (f"{path}?{canonical}" if canonical else path)


def recomputed(received: ReceivedRequest) -> str:
    """Return the Authorization header that the vendor's signer computes from the received bytes.

    A ``+`` in the query is decoded as a plus, so that a space must have been sent as ``%20``.
    """
    from urllib.parse import unquote

    path, _, query = received.target.partition("?")
    pairs = [part.partition("=")[::2] for part in query.split("&")] if query else []
    authorization = received.header("authorization") or ""
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    covered = {name: received.header(name) or "" for name in names}
    decoded = [(unquote(key, errors="strict"), unquote(value, errors="strict")) for key, value in pairs]
    result, uri = vendor(received.method, covered["host"], path, decoded, covered, received.body)
    assert uri == received.target, "the request line is not in the canonical spelling"
    return result


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with serve(lambda _: CannedResponse()) as running:
        yield running


AUTH = AkSkAuth("AKEXAMPLE", SECRET, project_id="0123456789abcdef", security_token="TOKEN+/==")
HEADERS = {"X-App-UserId": "user 1", "X-Unsigned_Header": "v"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "", {}),
    ("GET", "/", {}),
    ("GET", "/v1/p/jobs?", {}),
    ("GET", "/v1/p/jobs", {"params": {"offset": 0, "limit": 10}}),
    ("GET", "/v1/p/jobs", {"params": {"name": "a b+c~d*e-f_g.h/i", "tag": "数字人é😀", "empty": ""}}),
    ("GET", "/v1/p/jobs", {"params": {"name": "!'()*;:@&=+$,/?#[]%\"<>\\^`{|}"}}),
    ("GET", "/v1/p/jobs", {"params": [("tag", "b"), ("tag", "a"), ("Tag", ""), ("tag", "a")]}),
    ("GET", "/v1/p/jobs?b=2&a=%7e%2a*&key-only&c=x+y&d=%2f&a=1#fragment", {}),
    ("GET", "/v1/a%2Fb/jobs", {}),
    ("GET", "/v1/a b/数/~*+@:/jobs/", {}),
    ("POST", "/v1/p/jobs", {"json": {"name": "数"}}),
    ("POST", "/v1/p/jobs", {"data": {"a": "b c"}}),
    ("POST", "/v1/p/jobs", {"content": b""}),
    ("PUT", "/v1/p/jobs", {"files": {"file": b"\x00\xff"}}),
    ("POST", "/v1/p", {"content": b"x", "headers": {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}}),
    ("GET", "/v1/p", {"headers": {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}}),
    ("DELETE", "/v1/p/jobs/1", {}),
]


def _check(server: LoopbackServer) -> None:
    received = server.received.pop()
    assert not server.received
    assert recomputed(received) == received.header("authorization")
    assert "SignedHeaders=host;x-app-userid;x-project-id;" in (received.header("authorization") or "")


def _with_headers(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "headers": {**HEADERS, **options.get("headers", {})}}


@pytest.mark.parametrize(("method", "path", "options"), REQUESTS)
def test_server_receives_what_was_signed(
    server: LoopbackServer, method: str, path: str, options: dict[str, Any]
) -> None:
    with httpx.Client(auth=AUTH) as client:
        assert client.request(method, server.url + path, **_with_headers(options)).status_code == 200
    _check(server)


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "options"), REQUESTS)
async def test_server_receives_what_was_signed_async(
    server: LoopbackServer, method: str, path: str, options: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(auth=AUTH) as client:
        assert (await client.request(method, server.url + path, **_with_headers(options))).status_code == 200
    _check(server)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=st.lists(st.tuples(text, text), max_size=5))
def test_server_receives_any_query_as_signed(server: LoopbackServer, query: list[tuple[str, str]]) -> None:
    with httpx.Client(auth=AUTH, verify=False) as client:
        client.get(server.url + "/v1/p", params=tuple(query), headers=HEADERS)
    received = server.received[-1]
    _check(server)
    assert query_pairs(received.target.partition("?")[2]) == sorted(query)


def test_signs_an_ipv6_host_with_brackets() -> None:
    with serve(lambda _: CannedResponse(), host="::1") as server, httpx.Client(auth=AUTH) as client:
        client.get(server.url + "/v1/p", headers=HEADERS)
        assert (server.received[0].header("host") or "").startswith("[::1]:")
        _check(server)
