"""What a session does around a call: attempts, auth flows, hooks, checks, closing, sharing, cancelling, forking."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import reference_page
from fault_server import FaultServer, respond, stall
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import errors
from metastudio.auth.token import TokenAuth
from metastudio.contract.structure import JsonObject
from metastudio.errors import ConfigurationError, ResponseFormatError
from metastudio.http.error_mapping import api_error
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session
from metastudio_client import Client
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio_client.contract import OPERATIONS
from metastudio_client.types import read_json
from session_calls import KINDS, LISTING, PATH, FakeTime, Kind, call, calls
from subprocesses import run_script

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

GOOD = json.dumps({"count": 1, "jobs": [{"job_id": "a"}]}).encode()
OK = respond(200, GOOD)
BUSY = respond(503, b"")
LOCAL = "http://127.0.0.1"


def replies(*answers: CannedResponse) -> Callable[[ReceivedRequest], CannedResponse]:
    """A handler that gives one answer after the other."""
    waiting = list(answers)
    return lambda request: waiting.pop(0)


def always(given: CannedResponse) -> Callable[[ReceivedRequest], CannedResponse]:
    return lambda request: given


@pytest.mark.parametrize("kind", KINDS)
class TestAttempts:
    def test_each_is_signed_afresh(self, kind: Kind) -> None:
        late = {"Retry-After": "9"}
        with serve(
            replies(CannedResponse(503, b"", late), CannedResponse(429, b"", late), CannedResponse(200, GOOD))
        ) as server:
            assert call(kind, server.url).response
        dates = [request.header("x-sdk-date") for request in server.received]
        assert dates == ["20240704T080000Z", "20240704T080009Z", "20240704T080018Z"]
        assert len({request.header("authorization") for request in server.received}) == 3

    def test_each_starts_from_the_unsigned_request(self, kind: Kind) -> None:
        """An auth that leaves alone what it finds there must not find what it did itself."""

        class Careful(httpx.Auth):
            def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
                request.headers.setdefault("Authorization", f"signed {time.now}")
                request.url = request.url.copy_add_param("at", str(time.now))
                yield request

        time = FakeTime()
        with serve(replies(CannedResponse(503), CannedResponse(503), CannedResponse(200, GOOD))) as server:
            assert call(kind, server.url, time=time, auth=Careful()).response
        assert [request.header("authorization") for request in server.received] == [
            "signed 0.0",
            "signed 0.25",
            "signed 0.75",
        ]
        assert server.received[2].target == f"{PATH}?at=0.75"

    def test_headers_of_the_caller_stay(self, kind: Kind) -> None:
        with serve(replies(CannedResponse(503), CannedResponse(200, GOOD))) as server:
            assert call(kind, server.url, auth=None, headers={"Authorization": "own", "X-Own": "1"}).response
        for request in server.received:
            assert (request.header("authorization"), request.header("x-own")) == ("own", "1")

    def test_a_refreshed_token_is_no_attempt(self, kind: Kind) -> None:
        tokens = iter(["old", "new"])
        with serve(replies(CannedResponse(401), CannedResponse(200, GOOD))) as server:
            result = call(kind, server.url, auth=TokenAuth(lambda: next(tokens)), retry=RetryPolicy(max_retries=0))
        assert result.response is not None
        assert [request.header("x-auth-token") for request in server.received] == ["old", "new"]
        assert result.time.slept == []

    def test_a_refused_token_is_repeated_once_only(self, kind: Kind) -> None:
        tokens = iter("abcdef")
        with serve(lambda _: CannedResponse(401)) as server:
            error = call(kind, server.url, auth=TokenAuth(lambda: next(tokens))).raised(errors.AuthenticationError)
        assert len(server.received) == 2
        assert error.retries == 0

    def test_an_error_of_the_auth_flow_counts(self, kind: Kind) -> None:
        """A login that fails with 503 is tried again as part of the call; one that is refused is not."""

        class Login(httpx.Auth):
            requires_response_body = True

            def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
                response = yield httpx.Request("POST", request.url.join("/login"))
                if not response.is_success:
                    raise api_error(response)
                yield request

        with serve(
            replies(
                CannedResponse(503),
                CannedResponse(200),
                CannedResponse(200, GOOD),
                CannedResponse(503),
                CannedResponse(403),
            )
        ) as server:
            first, second = calls(kind, server.url, [PATH, PATH], auth=Login())
        assert first.response is not None
        assert second.raised(errors.PermissionDeniedError).retries == 1
        assert [request.target for request in server.received] == ["/login", "/login", PATH, "/login", "/login"]

    def test_hooks_run_at_each_attempt(self, kind: Kind) -> None:
        seen: list[object] = []

        def note(message: httpx.Request | httpx.Response) -> None:
            seen.append(message.status_code if isinstance(message, httpx.Response) else message.method)

        async def note_async(message: httpx.Request | httpx.Response) -> None:
            note(message)

        hook = note if kind == "sync" else note_async
        with serve(replies(CannedResponse(503), CannedResponse(200, GOOD))) as server:
            assert call(kind, server.url, event_hooks={"request": [hook], "response": [hook]}).response
        assert seen == ["GET", 503, "GET", 200]

    def test_what_a_hook_raises_goes_through(self, kind: Kind) -> None:
        class Own(Exception):
            pass

        def refuse(_: object) -> None:
            raise Own

        async def refuse_async(_: object) -> None:
            raise Own

        hook = refuse if kind == "sync" else refuse_async
        with FaultServer([OK]) as server:
            call(kind, server.url, event_hooks={"response": [hook]}).raised(Own)
            assert len(server.heads) == 1
            server.wait_until_closed()

    def test_redirects_are_not_followed(self, kind: Kind) -> None:
        with serve(lambda _: CannedResponse(200, GOOD)) as elsewhere:
            location = {"Location": f"{elsewhere.url}/in?ticket=abc"}
            with serve(lambda _: CannedResponse(307, b"", location)) as server:
                error = call(kind, server.url, follow_redirects=True).raised(errors.ApiError)
        assert elsewhere.received == []
        assert f"redirects to {elsewhere.url}." in str(error)

    def test_cookies_of_a_server_are_not_kept(self, kind: Kind) -> None:
        with serve(lambda _: CannedResponse(200, GOOD, {"Set-Cookie": "track=1"})) as server:
            calls(kind, server.url, [PATH, PATH])
        assert [request.header("cookie") for request in server.received] == [None, None]

    def test_an_impossible_request_is_not_sent(self, kind: Kind) -> None:
        for path in ("ftp://127.0.0.1/", "/?" + "x" * 70_000, "http://host:port/", "/\x00"):
            error = call(kind, LOCAL, path=path).raised(ConfigurationError)
            assert len(str(error)) < 200

    def test_a_header_outside_ascii(self, kind: Kind) -> None:
        with pytest.raises(ConfigurationError, match="not ASCII"):
            call(kind, LOCAL, headers={"X-App-UserId": "\u4e2d"})
        with Session() as session, pytest.raises(ConfigurationError, match="not ASCII"):
            session.get(LOCAL, headers={"X-App-UserId": "\u4e2d"})


@pytest.mark.parametrize("kind", KINDS)
class TestChecks:
    @pytest.mark.parametrize(
        ("body", "place", "says"),
        [
            (b"[]", "", "expected an object, got an array"),
            (b"null", "", "got null"),
            (b"{}", "", "'count' is missing"),
            (b'{"count": 0, "jobs": {}}', "/jobs", "at /jobs, expected an array, got an object"),
            (b'{"count": 0, "jobs": [null]}', "/jobs/0", "at /jobs/0"),
            (b'{"count": 0, "jobs": [', "", "cut short"),
            (b"<!DOCTYPE html><title>Log in</title>", "", "an HTML or XML page"),
            (b"", "", "empty"),
            (b"\xff\xfe\x00", "", "not UTF-8"),
            (b"[" * 100_000, "", "nested more than 64 levels"),
        ],
    )
    def test_a_success_that_does_not_match_the_contract(self, kind: Kind, body: bytes, place: str, says: str) -> None:
        headers = {"X-Request-Id": "req-1", "Content-Type": "text/x"}
        with serve(lambda _: CannedResponse(200, body, headers)) as server:
            error = call(kind, server.url).raised(ResponseFormatError)
        assert (error.status_code, error.place, error.request_id, error.content_type) == (200, place, "req-1", "text/x")
        assert says in str(error)
        assert "req-1" in str(error)
        assert error.request == ("GET", server.url + PATH)
        assert len(server.received) == 1

    def test_a_base_url_with_a_path(self, kind: Kind) -> None:
        with serve(lambda _: CannedResponse(200, b"[]")) as server:
            call(kind, f"{server.url}/gateway/", path=PATH).raised(ResponseFormatError)
            assert server.received[0].target == f"/gateway{PATH}"

    def test_other_requests_get_typed_errors_only(self, kind: Kind) -> None:
        with serve(lambda request: CannedResponse(404 if "gone" in request.target else 201, b"<html>")) as server:
            fine, gone = calls(kind, server.url, ["/v3/projects", "/v3/gone"])
        assert fine.response is not None
        assert fine.response.text == "<html>"
        gone.raised(errors.NotFoundError)

    def test_a_success_without_json(self, kind: Kind) -> None:
        operation = replace(LISTING, success={204: None, 200: JsonObject()})
        with serve(replies(CannedResponse(204, b""), CannedResponse(201))) as server:
            fine, other = calls(kind, server.url, [PATH, PATH], operations=[operation])
        assert fine.response is not None
        assert "status 204, 200" in str(other.raised(ResponseFormatError))

    def test_the_checked_json_is_left_to_the_generated_parser(self, kind: Kind) -> None:
        """It is taken once, because a later caller must not see what the parser made of it."""
        with serve(lambda _: CannedResponse(200, GOOD)) as server:
            response = call(kind, server.url).response
        assert response is not None
        first = read_json(response)
        assert first == read_json(response) == response.json() == {"count": 1, "jobs": [{"job_id": "a"}]}
        assert first is not read_json(response)

    def test_generated_functions_get_the_error(self, kind: Kind) -> None:
        """Plain generated code takes `[]` and `{"jobs": {}}` for an empty list, and crashes on others."""

        def plain(client: Client) -> None:
            list_training_jobs.sync("p", client=client)

        async def run_async(client: Client, url: str) -> None:
            async with AsyncSession(base_url=url, operations=OPERATIONS.values()) as session:
                await list_training_jobs.asyncio("p", client=client.set_async_httpx_client(session))

        for body in (b"[]", b'{"count":0,"jobs":{}}', b'{"count":1,"jobs":[null]}', b"<html>", b""):
            with serve(always(CannedResponse(200, body))) as server:
                client = Client(base_url=server.url)
                with Session(base_url=server.url, operations=OPERATIONS.values()) as session:
                    client.set_httpx_client(session)
                    with pytest.raises(ResponseFormatError):
                        plain(client) if kind == "sync" else asyncio.run(run_async(client, server.url))


class TestStreaming:
    def test_success_is_left_to_the_caller(self) -> None:
        with (
            serve(always(CannedResponse(200, b"not json"))) as server,
            Session(base_url=server.url, operations=[LISTING]) as session,
            session.stream("GET", PATH) as response,
        ):
            assert not response.is_stream_consumed
            assert response.read() == b"not json"

    def test_errors_are_read_and_raised(self) -> None:
        time = FakeTime()
        with (
            serve(
                replies(CannedResponse(503), CannedResponse(400, b'{"error_code": "C", "error_msg": "m"}'))
            ) as server,
            Session(base_url=server.url, clock=time.clock, sleep=time.sleep) as session,
            pytest.raises(errors.BadRequestError, match="C: m"),
            session.stream("GET", PATH),
        ):
            pytest.fail("an error is not handed out")


class TestClosing:
    def test_after_close(self) -> None:
        session = Session(base_url=LOCAL)
        session.close()
        session.close()
        with pytest.raises(ConfigurationError, match="closed"):
            session.get(PATH)

    @pytest.mark.anyio
    async def test_after_aclose(self) -> None:
        session = AsyncSession(base_url=LOCAL)
        await session.aclose()
        await session.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await session.get(PATH)

    def test_between_two_attempts(self) -> None:
        time = FakeTime()
        with FaultServer([BUSY]) as server:
            session = Session(base_url=server.url, clock=time.clock, sleep=time.sleep)
            time.when_asleep = session.close
            with pytest.raises(ConfigurationError, match="closed"):
                session.get(PATH)
            assert len(server.heads) == 1

    def test_while_another_thread_waits(self) -> None:
        with FaultServer([stall()]) as server, ThreadPoolExecutor(1) as pool:
            session = Session(base_url=server.url, timeout=0.2, retry=RetryPolicy(max_retries=0))
            waiting = pool.submit(session.get, PATH)
            server.wait_for_request()
            session.close()
            with pytest.raises(errors.MetaStudioError):
                waiting.result()


class TestCancelling:
    @pytest.mark.anyio
    async def test_a_cancelled_call_leaves_no_connection(self) -> None:
        with FaultServer([stall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")]) as server:
            async with AsyncSession(base_url=server.url) as session:
                task = asyncio.create_task(session.get(PATH))
                await asyncio.to_thread(server.wait_for_request)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await asyncio.to_thread(server.wait_until_closed)
            assert len(server.heads) == 1

    @pytest.mark.anyio
    async def test_while_waiting_for_the_next_attempt(self) -> None:
        asleep = asyncio.Event()

        async def sleep(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        with FaultServer([BUSY]) as server:
            async with AsyncSession(base_url=server.url, sleep=sleep) as session:
                task = asyncio.create_task(session.get(PATH))
                await asleep.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert len(server.heads) == 1

    def test_an_interrupt_leaves_no_connection(self) -> None:
        def interrupt(_: httpx.Response) -> None:
            raise KeyboardInterrupt

        with (
            FaultServer([OK]) as server,
            Session(base_url=server.url, event_hooks={"response": [interrupt]}) as session,
        ):
            with pytest.raises(KeyboardInterrupt):
                session.get(PATH)
            server.wait_until_closed()


class TestSharing:
    def test_32_threads(self) -> None:
        paths = [f"/{index}" for index in range(640)]
        with (
            serve(lambda request: CannedResponse(200, request.target.encode())) as server,
            Session(base_url=server.url) as session,
            ThreadPoolExecutor(32) as pool,
        ):
            assert [response.text for response in pool.map(session.get, paths)] == paths
        assert len(server.received) == 640

    @pytest.mark.anyio
    async def test_1000_tasks(self) -> None:
        connections = 0

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            with suppress(asyncio.IncompleteReadError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    target = head.split()[1]
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))
            writer.close()
            await writer.wait_closed()

        paths = [f"/{index}" for index in range(1000)]
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, AsyncSession(base_url=f"http://127.0.0.1:{port}") as session:
            responses = await asyncio.gather(*(session.get(path) for path in paths))
        assert [response.text for response in responses] == paths
        assert connections <= 32

    def test_no_free_connection(self) -> None:
        with (
            FaultServer([stall()]) as server,
            Session(base_url=server.url, limits=ONE, timeout=IMPATIENT) as session,
            ThreadPoolExecutor(1) as pool,
        ):
            first = pool.submit(session.get, PATH, timeout=0.3)
            server.wait_for_request()
            with pytest.raises(errors.ApiTimeoutError, match="`limits`") as caught:
                session.get(PATH)
            assert caught.value.retries == 0
            with pytest.raises(errors.ApiTimeoutError):
                first.result()

    @pytest.mark.anyio
    async def test_no_free_connection_for_a_task(self) -> None:
        with FaultServer([stall()]) as server:
            async with AsyncSession(base_url=server.url, limits=ONE, timeout=IMPATIENT) as session:
                first = asyncio.create_task(session.get(PATH, timeout=0.3))
                await asyncio.to_thread(server.wait_for_request)
                with pytest.raises(errors.ApiTimeoutError, match="`limits`") as caught:
                    await session.get(PATH)
                assert caught.value.retries == 0
                with pytest.raises(errors.ApiTimeoutError):
                    await first

    def test_one_event_loop_after_the_other(self) -> None:
        """The places that tasks wait for belong to an event loop, the session does not."""
        session = AsyncSession(base_url=LOCAL, transport=None, limits=ONE, event_hooks={"request": [_refuse]})

        async def crowd() -> None:
            results = await asyncio.gather(*(session.get(PATH) for _ in range(5)), return_exceptions=True)
            assert [type(result) for result in results] == [_Refused] * 5

        asyncio.run(crowd())
        asyncio.run(crowd())


class _Refused(Exception):
    pass


async def _refuse(_: object) -> None:
    await asyncio.sleep(0)
    raise _Refused


ONE = httpx.Limits(max_connections=1)
IMPATIENT = httpx.Timeout(5.0, pool=0.05)


FORKING = """
import os, sys
from metastudio.errors import ConfigurationError
from metastudio.http.session import Session
session = Session(base_url=sys.argv[1])
assert session.get("/").json()["count"] == 1
child = os.fork()
if child == 0:
    try:
        session.get("/")
    except ConfigurationError as error:
        assert "make one after the fork" in str(error)
        assert Session(base_url=sys.argv[1]).get("/").json()["count"] == 1
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert session.get("/").json()["count"] == 1
session.close()
"""


FORKING_IN_AN_ITERATION = """
import json, os, sys
from metastudio import Credentials, MetaStudio, errors
options = {"base_url": sys.argv[1], "credentials": Credentials("AK", "SK"), "project_id": "p"}
with MetaStudio(**options) as studio:
    pages = studio.training_jobs.iterate_pages(page_size=1, concurrency=4)
    next(pages)
    if (child := os.fork()) == 0:
        try:
            list(pages)
        except errors.ConfigurationError as error:
            os._exit(0 if "fork" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(pages)) == 19
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_an_iteration_cannot_continue_in_a_forked_child() -> None:
    job = reference_page.examples()[0]["jobs"][0]

    def answer(request: ReceivedRequest) -> CannedResponse:
        offset = int(parse_qs(urlsplit(request.target).query)["offset"][0])
        page = {"count": 20, "jobs": [{**job, "job_id": str(offset)}]}
        return CannedResponse(200, json.dumps(page).encode())

    with serve(answer) as server:
        run_script(FORKING_IN_AN_ITERATION, server.url)


LOOKUP_AND_FORK = """
import os, sys, threading
from metastudio import Credentials, MetaStudio, errors
options = {"base_url": sys.argv[1], "credentials": Credentials("AK", "SK"), "max_retries": 0}
os.environ["HUAWEICLOUD_SDK_IAM_ENDPOINT"] = sys.argv[1]
studio = MetaStudio(**options)
threading.Thread(target=studio.training_jobs.list, daemon=True).start()
sys.stdin.readline()  # the lookup is under way
if (child := os.fork()) == 0:
    try:
        studio.training_jobs.list()
    except errors.ConfigurationError as error:
        os._exit(0 if "fork" in str(error) else 2)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_during_the_project_lookup_does_not_hang() -> None:
    with FaultServer([stall()]) as server:
        process = subprocess.Popen([sys.executable, "-c", LOOKUP_AND_FORK, server.url], stdin=subprocess.PIPE)
        server.wait_for_request()
        process.communicate(b"\n", timeout=30)
        assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_must_make_its_own_client() -> None:
    with FaultServer([OK]) as server:
        run_script(FORKING, server.url)
        assert server.connections == 2
