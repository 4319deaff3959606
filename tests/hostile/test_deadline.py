"""A call ends at its deadline, whatever the server drips."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from fault_server import FaultServer, drip, respond
from loopback import CannedResponse, serve
from metastudio import errors
from metastudio.auth.iam import IamTokenAuth
from metastudio.auth.token import TokenAuth
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session
from metastudio_client.contract import LIST_TRAINING_JOBS
from session_calls import KINDS, PATH, CallOutcome, Kind, calls

if TYPE_CHECKING:
    from fault_server import SocketFault

DEADLINE = 0.25
LIMIT = DEADLINE + 1.0  # for a loaded machine
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


DRIPS = {
    "headers": drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "status line": drip(b"HTTP/1.1 200 ", b"O"),
    "1xx without end": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "1xx without a pause": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, pause=0),
    "body": drip(HEAD, b" "),
    "body of an error": drip(HEAD.replace(b"200", b"403"), b" "),
    "chunks": drip(CHUNKED, b"1\r\n \r\n"),
    "chunk extension": drip(CHUNKED + b"1;", b"x"),
    "trailers": drip(CHUNKED + b"0\r\n", b"x"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DRIPS)
def test_a_dripping_response(name: str, kind: Kind) -> None:
    with FaultServer([DRIPS[name]]) as server, ends_in_time():
        error = timed_call(kind, server.url).raised(errors.ApiTimeoutError)
        assert len(server.heads) == 1
        server.wait_until_closed()
    assert error.__notes__ == ["Not retried: the deadline of 0.25 s would pass before another attempt."]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["headers", "body"])
def test_on_a_connection_used_before(name: str, kind: Kind) -> None:
    good = respond(200, b'{"count": 0, "jobs": []}')
    with FaultServer([good, DRIPS[name]]) as server:
        timed: dict[str, Any] = {"base_url": server.url, "retry": RetryPolicy(deadline=DEADLINE), "trust_env": False}

        def run() -> None:
            with Session(**timed) as session:
                session.get("/")
                with ends_in_time(), pytest.raises(errors.ApiTimeoutError):
                    session.get("/")

        async def run_async() -> None:
            async with AsyncSession(**timed) as session:
                await session.get("/")
                with ends_in_time(), pytest.raises(errors.ApiTimeoutError):
                    await session.get("/")

        run() if kind == "sync" else asyncio.run(run_async())
        assert server.connections == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["headers", "body"])
def test_a_dripping_login(name: str, kind: Kind) -> None:
    """The request of an auth flow belongs to the call."""
    with FaultServer([DRIPS[name]]) as iam, ends_in_time():
        auth = IamTokenAuth("user", "password", "account", region="cn-north-4", iam_endpoint=iam.url)
        timed_call(kind, "http://127.0.0.1:9", auth=auth).raised(errors.ApiTimeoutError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_dripping_refusal_that_the_auth_flow_reads(status: int, kind: Kind) -> None:
    refused = drip(HEAD.replace(b"200", b"%d" % status), b" ")
    with serve(lambda _: CannedResponse(201, b'{"token": {}}', {"X-Subject-Token": "t"})) as iam:
        auth = IamTokenAuth("user", "password", "account", region="cn-north-4", iam_endpoint=iam.url)
        with FaultServer([refused]) as server, ends_in_time():
            timed_call(kind, server.url, auth=auth).raised(errors.ApiTimeoutError)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_timeout_of_a_poll(kind: Kind) -> None:
    """`wait` and `find` pass the time they have left as the deadline of a call."""
    with FaultServer([DRIPS["headers"]]) as server, ends_in_time():

        def run() -> None:
            with Session(base_url=server.url) as session:
                session.call(LIST_TRAINING_JOBS, session.build_request("GET", "/"), deadline=DEADLINE)

        async def run_async() -> None:
            async with AsyncSession(base_url=server.url) as session:
                await session.call(LIST_TRAINING_JOBS, session.build_request("GET", "/"), deadline=DEADLINE)

        with pytest.raises(errors.ApiTimeoutError):
            run() if kind == "sync" else asyncio.run(run_async())


@pytest.mark.parametrize("kind", KINDS)
def test_through_tls(kind: Kind) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)

    def over_tls(connection: socket.socket) -> bool:
        with context.wrap_socket(connection.dup(), server_side=True) as secure:
            secure.recv(65536)
            return DRIPS["headers"](secure)

    with RawServer(over_tls) as server, ends_in_time():
        url = f"https://127.0.0.1:{server.port}"
        timed_call(kind, url, verify=trusted).raised(errors.ApiTimeoutError)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dripping_tls_handshake(kind: Kind) -> None:
    with RawServer(drip(b"\x16\x03\x03\x40\x00", b"\x02")) as server, ends_in_time():
        timed_call(kind, f"https://127.0.0.1:{server.port}").raised(errors.ApiTimeoutError)


@pytest.mark.parametrize("kind", KINDS)
def test_through_a_proxy(kind: Kind) -> None:
    with FaultServer([DRIPS["headers"]]) as proxy, ends_in_time():
        timed_call(kind, "http://target.invalid", proxy=proxy.url).raised(errors.ApiTimeoutError)
    with FaultServer([DRIPS["1xx without end"]]) as proxy, ends_in_time():
        timed_call(kind, "https://target.invalid", proxy=proxy.url).raised(errors.ApiTimeoutError)


def test_a_stream_is_read_at_the_pace_of_the_caller() -> None:
    def slow(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            time.sleep(0.05)
            connection.sendall(b"x")
        return True

    with (
        FaultServer([slow]) as server,
        Session(base_url=server.url, retry=RetryPolicy(deadline=0.1)) as session,
        session.stream("GET", "/") as response,
    ):
        assert response.read() == b"xxxx"


def test_a_timeout_of_the_callers_own_auth_goes_through() -> None:
    def token() -> str:
        raise TimeoutError("own")

    async def run() -> None:
        async with AsyncSession(base_url="http://127.0.0.1:9", auth=TokenAuth(token)) as session:
            with pytest.raises(TimeoutError, match="own"):
                await session.get("/")

    asyncio.run(run())


def test_a_trace_of_the_caller_keeps_working() -> None:
    seen: list[str] = []
    with FaultServer([respond(200, b"{}")]) as server, Session(base_url=server.url) as session:
        session.get("/", extensions={"trace": lambda event, info: seen.append(event)})
    assert "connection.connect_tcp.complete" in seen


@pytest.mark.parametrize("kind", KINDS)
def test_an_abandoned_response_leaves_no_connection(kind: Kind) -> None:
    with FaultServer([DRIPS["body"]]) as server:
        timed_call(kind, server.url, before_closing=server.wait_until_closed).raised(errors.ApiTimeoutError)


def timed_call(kind: Kind, url: str, **settings: Any) -> CallOutcome:
    """One call with the real clock, and the deadline and timeouts of these tests."""
    settings = {"clock": time.monotonic, "retry": RetryPolicy(deadline=DEADLINE), **settings}
    return calls(kind, url, [PATH], **settings)[0]


@contextlib.contextmanager
def ends_in_time() -> Generator[None, None, None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < LIMIT


class RawServer:
    """Gives its only connection to a fault before anything is read from it."""

    def __init__(self, fault: SocketFault) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, args=(fault,))
        self.port = self._listener.getsockname()[1]

    def _serve(self, fault: Callable[[Any], bool]) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(10)
                fault(connection)

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive()
