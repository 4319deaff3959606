"""URLs made in one step: the same requests as httpx would make, in the order of the signature."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from loopback import CannedResponse, serve
from metastudio.auth.aksk import AkSkAuth
from metastudio.http.session import AsyncSession, Session
from metastudio.http.tls import ssl_context

BASES = ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]/gate/way", "https://example.com/a%20b/"]
PATHS = ["/v1/p/jobs", "/", "/a%2Fb/c~d", "/a//b", "/v1/../jobs", "/v1/./jobs", "jobs"]
ODD_PATHS = ["//evil.example/x", "/ü", "/a b", "/a?b=c", "/a#b", "", "http://127.0.0.2/elsewhere"]
PARAMS: list[Any] = [None, {}, {"limit": 10}, {"b": "2", "a": "1"}, {"name": "a b+c&d=e/f%ü"}, {"flag": True}]
odd_params: list[Any] = [{"none": None}, {"many": ["a", "b"]}, [("a", "1"), ("a", "2")], "raw=1"]
odd_params += [{"number": 1.5}, {"~": "", "x": ""}]


@pytest.mark.parametrize("kind", [Session, AsyncSession])
@pytest.mark.parametrize("base", BASES)
def test_is_what_httpx_makes(kind: Any, base: str) -> None:
    ours, plain = kind(base_url=base), httpx.Client(base_url=base, verify=ssl_context())
    for path in PATHS + ODD_PATHS:
        for params in PARAMS + odd_params:
            made, expected = (
                each.build_request(method="GET", url=path, params=params, headers={"A": "b"}) for each in (ours, plain)
            )
            assert made.url.copy_with(query=None) == expected.url.copy_with(query=None)
            assert sorted(made.url.params.multi_items()) == sorted(expected.url.params.multi_items())
            assert made.headers["host"] == expected.headers["host"]


def test_parameters_of_the_session_are_kept() -> None:
    with Session(base_url=BASES[0]) as session:
        session.params = httpx.QueryParams({"common": "1"})
        request = session.build_request(method="GET", url="/", params={"a": "2"})
        assert sorted(request.url.params.multi_items()) == [("a", "2"), ("common", "1")]


def test_the_url_is_sent_as_it_was_built() -> None:
    with serve(lambda request: CannedResponse(200)) as server:
        auth = AkSkAuth("AK", "SK")
        with Session(base_url=server.url, auth=auth) as session:
            request = session.build_request(method="GET", url="/jobs", params={"tag": "a b", "limit": 10, "b-c": "ü"})
            built = request.url
            session.send(request)
            assert request.url is built
        assert server.received[0].target == "/jobs?b-c=%C3%BC&limit=10&tag=a%20b"
