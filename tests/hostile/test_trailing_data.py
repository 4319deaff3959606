"""Bytes that a server sends after a complete response are not taken for the response to the next request."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from fault_server import FaultServer, raw
from metastudio import errors
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session
from session_calls import KINDS, Kind

if TYPE_CHECKING:
    from fault_server import SocketFault


def response(number: int, *, chunked: bool = False) -> bytes:
    body = json.dumps({"number": number}).encode()
    if chunked:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


FORGED = response(666)
GOOD = raw(response(2), keep=True)
EXTRAS: dict[str, SocketFault] = {
    "another response": raw(response(1) + FORGED, keep=True),
    "another response after chunks": raw(response(1, chunked=True) + FORGED, keep=True),
    "a response without body": raw(response(1) + b"HTTP/1.1 204 No Content\r\n\r\n", keep=True),
    "the head of a response": raw(response(1) + FORGED[:-1], keep=True),
    "an interim response": raw(response(1) + b"HTTP/1.1 100 Continue\r\n\r\n" + FORGED, keep=True),
    "part of a status line": raw(response(1) + b"HTTP/1.1 ", keep=True),
    "something else": raw(response(1) + b"\r\n{}", keep=True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", EXTRAS)
def test_the_connection_is_dropped(extra: str, kind: Kind) -> None:
    with FaultServer([EXTRAS[extra], GOOD]) as server:
        assert numbers(kind, server.url, ["GET", "GET"]) == [1, 2]
        assert server.connections == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_is_not_repeated_fails(kind: Kind) -> None:
    with FaultServer([EXTRAS["another response"], GOOD]) as server:
        with pytest.raises(errors.ApiConnectionError):
            numbers(kind, server.url, ["GET", "POST"])
        server.wait_until_closed()


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_connection_is_kept(kind: Kind) -> None:
    with FaultServer([raw(response(1, chunked=True), keep=True), GOOD]) as server:
        assert numbers(kind, server.url, ["GET", "POST", "GET"]) == [1, 2, 2]
        assert server.connections == 1


def numbers(kind: Kind, url: str, methods: list[str]) -> list[int]:
    given: dict[str, Any] = {"base_url": url, "retry": RetryPolicy(base=0.001), "trust_env": False}

    async def run() -> list[int]:
        async with AsyncSession(**given) as session:
            return [(await session.request(method, "/")).json()["number"] for method in methods]

    if kind == "async":
        return asyncio.run(run())
    with Session(**given) as session:
        return [session.request(method, "/").json()["number"] for method in methods]
