"""Responses that are large, or small and large when decoded: bounded memory, and an error that says so."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gzip
import itertools
import json
import pickle
import tracemalloc
import zlib
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import run
from fault_server import FaultServer, respond
from metastudio import Credentials, MetaStudio, errors
from metastudio.auth.iam import IamTokenAuth
from metastudio.cli.output import FORMATS
from metastudio.http.response import ERROR_LIMIT, MAX_RESPONSE_SIZE
from metastudio.http.session import AsyncSession, Session
from metastudio.http.untrusted_json import MAX_DEPTH
from session_calls import KINDS, Kind, call

if TYPE_CHECKING:
    import socket

    from fault_server import SocketFault

MEGABYTE = 2**20
GOOD = json.dumps({"count": 1, "jobs": [{"job_id": "a"}]}).encode()
BOMB = gzip.compress(bytes(100 * MEGABYTE), 9)  # about 100 KB
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb(kind: Kind) -> None:
    with FaultServer([respond(200, BOMB, GZIP)]) as server, peak_below(8 * MEGABYTE):
        error = call(kind, server.url, max_response_size=MEGABYTE).raised(errors.ResponseFormatError)
        server.wait_until_closed()
    assert "answered 200, but its body is longer than max_response_size, 1048576 bytes" in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_a_bomb_may_fill_64_megabytes(kind: Kind) -> None:
    assert MAX_RESPONSE_SIZE == 64 * MEGABYTE
    with FaultServer([respond(200, BOMB, GZIP)]) as server:
        error = call(kind, server.url).raised(errors.ResponseFormatError)
    assert "67108864 bytes" in str(error)


def nested(levels: int) -> bytes:
    """A page that is nested that deep, because its only job has an unknown member."""
    job = b'{"job_id": "a", "name": "n", "state": "NEW", "project_id": "p", "create_time": "x", "tags": [], "x": '
    inner = levels - 3  # the page, its array and the job are three
    return b'{"count": 1, "jobs": [' + job + b"[" * inner + b"]" * inner + b"}]}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 400, 100_000])
def test_deep_nesting_is_an_error(levels: int, kind: Kind) -> None:
    with FaultServer([respond(200, nested(levels))]) as server:
        error = call(kind, server.url).raised(errors.ResponseFormatError)
    assert "answered 200, but its JSON is nested more than 64 levels deep" in str(error)


def test_whatever_is_read_can_be_shown_and_written() -> None:
    with FaultServer([respond(200, nested(MAX_DEPTH))]) as server:
        with MetaStudio(base_url=server.url, project_id="p", credentials=Credentials("AK", "SK")) as studio:
            (job,) = studio.training_jobs.list()
            shown = [repr(job), job.to_record(), pickle.dumps(job), copy.deepcopy(job)]
            assert all(shown)
            assert job.to_dict() == json.loads(nested(MAX_DEPTH))["jobs"][0]
        given = {"METASTUDIO_BASE_URL": server.url, "METASTUDIO_TOKEN": "T", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
        for output in FORMATS:
            done = run("jobs", "-o", output, env=given)
            assert (done.code, done.err) == (0, ""), output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 403])
def test_a_body_without_end(status: int, kind: Kind) -> None:
    with FaultServer([endless(status)]) as server, peak_below(8 * MEGABYTE):
        error = call(kind, server.url, max_response_size=MEGABYTE).error
        server.wait_until_closed()
    assert type(error) is (errors.ResponseFormatError if status == 200 else errors.PermissionDeniedError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,br", "br", "zstd", "\x1b[31m"])
def test_any_other_content_encoding(encoding: str, kind: Kind) -> None:
    twice = {"Content-Encoding": encoding}
    with FaultServer([respond(200, gzip.compress(gzip.compress(bytes(1000))), twice)]) as server:
        error = call(kind, server.url).raised(errors.ResponseFormatError)
    assert "content encoding" in str(error)
    assert "\x1b" not in str(error)
    with FaultServer([respond(403, b'{"error_code": "A.1", "error_msg": "no"}', twice)]) as server:
        assert call(kind, server.url).raised(errors.PermissionDeniedError).error_code == "A.1"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress])
def test_one_content_encoding_is_decoded(encode: Callable[[bytes], bytes], kind: Kind) -> None:
    named = GZIP if encode is gzip.compress else {"Content-Encoding": "Deflate"}
    for body in (GOOD, json.dumps({"count": 1, "jobs": [], "more": "x" * MEGABYTE}).encode()):
        with FaultServer([respond(200, encode(body), named)]) as server:
            response = call(kind, server.url, max_response_size=len(body)).response
            assert response is not None
            assert response.content == body
            assert b"\r\nAccept-Encoding: gzip\r\n" in server.heads[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_of_the_decoded_body(kind: Kind) -> None:
    for limit, fits in ((len(GOOD), True), (len(GOOD) - 1, False), (None, True)):
        for fault in (respond(200, GOOD), respond(200, gzip.compress(GOOD), GZIP)):
            with FaultServer([fault]) as server:
                result = call(kind, server.url, max_response_size=limit)
            assert (result.error is None) == fits


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_in_an_error(kind: Kind) -> None:
    with FaultServer([respond(403, BOMB, GZIP)]) as server, peak_below(8 * MEGABYTE):
        error = call(kind, server.url).raised(errors.PermissionDeniedError)
    assert len(error.body) < ERROR_LIMIT


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_in_a_login(kind: Kind) -> None:
    for body in (respond(201, BOMB, GZIP | {"X-Subject-Token": "t"}), endless(201), endless(403)):
        with FaultServer([body]) as iam, peak_below(8 * MEGABYTE):
            auth = IamTokenAuth("user", "password", "account", region="cn-north-4", iam_endpoint=iam.url)
            outcome = call(kind, "http://127.0.0.1:9", auth=auth, max_response_size=MEGABYTE)
        assert isinstance(outcome.error, errors.MetaStudioError)


def test_a_stream_has_no_limit() -> None:
    with FaultServer([respond(200, BOMB, GZIP)]) as server, peak_below(8 * MEGABYTE):

        def run() -> int:
            with Session(base_url=server.url, max_response_size=10) as session, session.stream("GET", "/") as response:
                return sum(map(len, response.iter_bytes()))

        async def run_async() -> int:
            async with (
                AsyncSession(base_url=server.url, max_response_size=10) as session,
                session.stream("GET", "/") as response,
            ):
                return sum([len(each) async for each in response.aiter_bytes()])

        assert run() == asyncio.run(run_async()) == 100 * MEGABYTE


def test_the_option_of_the_client() -> None:
    with FaultServer([respond(200, GOOD)]) as server:
        options: dict[str, Any] = {"base_url": server.url, "credentials": Credentials("AK", "SK"), "project_id": "p"}
        with MetaStudio(**options, max_response_size=10) as studio, pytest.raises(errors.ResponseFormatError):
            studio.training_jobs.list()
    for invalid in (0, -1, 1.5, "64", True):
        options["max_response_size"] = invalid
        with pytest.raises(errors.ConfigurationError, match="max_response_size must be"):
            MetaStudio(**options)


def endless(status: int) -> SocketFault:
    """Send a body without end and without a pause."""

    def fault(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 %d Whatever\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        for _ in itertools.count():
            connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        return False

    return fault


@contextlib.contextmanager
def peak_below(limit: int) -> Generator[None, None, None]:
    """Check the memory that Python allocates inside the block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
