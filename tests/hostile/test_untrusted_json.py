"""IAM, the metadata service and error bodies may be anything: each failure is a MetaStudioError, in bounded memory."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cli_runs import run
from concurrent_requests import BOTH, Send
from fault_server import FaultServer, drip, respond, stall
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import AkSkAuth, AsyncMetaStudio, Credentials, IamTokenAuth, MetaStudio, connect
from metastudio.auth import InstanceMetadata, metadata
from metastudio.auth.origin_policy import require_https
from metastudio.errors import ApiError, ConfigurationError, CredentialsError, MetaStudioError, ResponseFormatError
from metastudio.http.untrusted_json import LIMIT, MAX_DEPTH, member, parse
from session_calls import KINDS, Kind, call

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterator

REGION = "cn-north-4"
FLOOD = b"x" * 65536

BODIES = [
    b"",
    b"\xff\xfe",
    b"null",
    b"7" * 5000,
    b"[" * 10_000,
    b'{"a":' * 10_000,
    b'{"token":' * 1000 + b"1" + b"}" * 1000,
    b'{"projects":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"token": {"expires_at": NaN}}',
    b'"\\ud800"',
    b" " * (LIMIT + 1) + b"{}",
    "\ufeff{}".encode(),
]
ODD: list[Any] = [True, 7, 1e300, "", "x", "\ud800", "a\nb", "9" * 5000, [], {}, [[]], {"a": 1}]

TOKEN = {"token": {"issued_at": "2024-01-01T00:00:00Z", "expires_at": "2024-01-02T00:00:00Z", "project": {"id": "p"}}}
PROJECTS = {"projects": [{"id": "p", "name": REGION}]}
KEYS = {"credential": {"access": "AK", "secret": "SK", "securitytoken": "ST", "expires_at": "2030-01-01T00:00:00Z"}}
ERROR = {"error": {"code": 401, "message": "m", "request_id": "r"}, "encoded_authorization_message": "e"}


def variations(valid: Any) -> list[bytes]:
    """The valid body with each part in turn replaced by each odd value, or removed."""
    found = [json.dumps(odd).encode() for odd in ODD]
    for path in paths(valid):
        for odd in ODD:
            changed = copy.deepcopy(valid)
            parent_of(changed, path)[path[-1]] = odd
            found.append(json.dumps(changed).encode())
        changed = copy.deepcopy(valid)
        del parent_of(changed, path)[path[-1]]
        found.append(json.dumps(changed).encode())
    return found


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (name,)
        yield from ((name, *below) for below in paths(value[name]))


def parent_of(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path[:-1]:
        value = value[name]
    return value


def find_project(kind: Kind, url: str, auth: httpx.Auth, **options: Any) -> None:
    settings: Any = {"base_url": url, "region": REGION, "auth": auth, "max_retries": 0, **options}

    async def main() -> None:
        async with AsyncMetaStudio(**settings) as studio:
            await studio.training_jobs.list(limit=1)

    if kind == "async":
        asyncio.run(main())
    else:
        with MetaStudio(**settings) as studio:
            studio.training_jobs.list(limit=1)


def login(url: str) -> IamTokenAuth:
    return IamTokenAuth("me", "PWMADEUP", "acme", region=REGION, iam_endpoint=url)


def raised(action: Callable[[], object]) -> MetaStudioError | None:
    try:
        action()
    except MetaStudioError as error:
        str(error).encode()
        return error
    return None


class ScriptedIam:
    """IAM and the service in one: IAM responds with `body`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.body = b""
        self.headers = {"X-Subject-Token": "TKMADEUP"}

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        if request.target.startswith("/v3/"):
            return CannedResponse(self.status, self.body, self.headers)
        return CannedResponse(200, b'{"count": 0, "jobs": []}')


@pytest.mark.parametrize("kind", KINDS)
class TestIam:
    @pytest.mark.parametrize("status", [200, 401])
    @pytest.mark.parametrize(("way", "valid"), [("key", PROJECTS), ("login", TOKEN)])
    def test_any_body_is_read_or_refused(
        self, kind: Kind, way: str, valid: Any, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bodies = [*BODIES, *variations(valid if status == 200 else ERROR)]
        iam = ScriptedIam(status)
        with serve(iam) as server:
            monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.url)
            for body in bodies if kind == "sync" else bodies[::7]:
                iam.body = body
                auth = AkSkAuth("AK", "SK") if way == "key" else login(server.url)
                error = raised(lambda auth=auth: find_project(kind, server.url, auth))  # type: ignore[misc]
                assert error is None or isinstance(error, ResponseFormatError | ConfigurationError | ApiError)
                assert error or status == 200

    @pytest.mark.parametrize("project_id", ["", "..", "a/b", "a\r\nX: y", "ä", "p" * 5000, 7, ["p"]])
    @pytest.mark.parametrize("way", ["key", "login"])
    def test_a_malformed_project_id_is_refused(
        self, kind: Kind, way: str, project_id: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        iam = ScriptedIam()
        token = {"token": {"project": {"id": project_id}}}
        listed = {"projects": [{"id": project_id, "name": REGION}]}
        iam.body = json.dumps(listed if way == "key" else token).encode()
        with serve(iam) as server:
            monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", server.url)
            auth = AkSkAuth("AK", "SK") if way == "key" else login(server.url)
            with pytest.raises(ResponseFormatError):
                find_project(kind, server.url, auth)
            assert len(server.received) == 1

    @pytest.mark.parametrize(
        ("issued_at", "expires_at"),
        [
            ("2024-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
            ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
            ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),
            (None, "9999-12-31T23:59:59-14:00"),
            (None, "0001-01-01T00:00:00+14:00"),
        ],
    )
    def test_a_far_away_expiration_does_no_harm(self, kind: Kind, issued_at: str | None, expires_at: str) -> None:
        iam = ScriptedIam()
        iam.body = json.dumps({"token": {"issued_at": issued_at, "expires_at": expires_at}}).encode()
        with serve(iam) as server:
            find_project(kind, server.url, login(server.url), project_id="p")


def flood(head: bytes, sent: list[int]) -> Callable[[socket.socket], bool]:
    """Send `head`, then data until the client closes the connection."""

    def fault(connection: socket.socket) -> bool:
        connection.sendall(head)
        while True:
            connection.sendall(FLOOD)
            sent.append(len(FLOOD))

    return fault


HEAD = b"HTTP/1.1 %d Whatever\r\nX-Subject-Token: TKMADEUP\r\n"


@pytest.mark.parametrize("send", BOTH)
class TestSizeOfALogin:
    @pytest.mark.parametrize(("status", "error"), [(201, ResponseFormatError), (503, ApiError)])
    def test_an_endless_body_is_not_read(self, send: Send, status: int, error: type[Exception]) -> None:
        sent: list[int] = []
        with FaultServer([flood(HEAD % status + b"\r\n", sent)]) as server:
            with pytest.raises(error):
                send(login(server.url), server.url)
            server.wait_until_closed()
        assert sum(sent) < 16_000_000  # what sockets buffer, and no more

    def test_a_compressed_body_is_not_expanded(self, send: Send) -> None:
        bomb = gzip.compress(b" " * 50_000_000 + json.dumps(TOKEN).encode())
        headers = {"X-Subject-Token": "TKMADEUP", "Content-Encoding": "gzip"}
        with FaultServer([respond(201, bomb, headers)]) as server, pytest.raises(ResponseFormatError):
            send(login(server.url), server.url)
        assert b"accept-encoding: identity\r\n" in server.heads[0].lower()

    def test_an_event_hook_may_read_the_response(self, send: Send) -> None:
        iam = ScriptedIam()
        iam.body = json.dumps(TOKEN).encode()
        with serve(iam) as server:
            with httpx.Client(auth=login(server.url), event_hooks={"response": [lambda each: each.read()]}) as client:
                assert client.get(server.url).status_code == 200
            assert send(login(server.url), server.url)[0].status_code == 200


class TestMetadataService:
    @contextmanager
    def serving(self, keys: bytes, *, token: bytes = b"TK", status: int = 200) -> Generator[InstanceMetadata]:
        def handler(request: ReceivedRequest) -> CannedResponse:
            return CannedResponse(200, token) if request.method == "PUT" else CannedResponse(status, keys)

        with serve(handler) as server:
            yield InstanceMetadata(server.url)

    def test_any_body_is_read_or_refused(self) -> None:
        for body in [*BODIES, *variations(KEYS)]:
            with self.serving(body) as provide:
                error = raised(provide)
                assert error is None or isinstance(error, CredentialsError)

    @pytest.mark.parametrize("token", [b"a\r\nX: y", b"a\nb", b"\xe9", b"a b", b"\0"])
    def test_a_malformed_metadata_token_is_not_sent(self, token: bytes) -> None:
        with self.serving(json.dumps(KEYS).encode(), token=token) as provide:
            assert provide().access_key == "AK"

    @pytest.mark.parametrize("expiration", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
    @pytest.mark.parametrize("send", BOTH)
    def test_a_far_away_expiration_does_no_harm(self, send: Send, expiration: str) -> None:
        keys = {"access": "AK", "secret": "SK", "expires_at": expiration}
        with self.serving(json.dumps(keys).encode()) as provide, serve(lambda _: CannedResponse()) as server:
            assert send(AkSkAuth.from_provider(provide), server.url)[0].status_code == 200

    def test_an_endless_body_is_not_read(self) -> None:
        sent: list[int] = []
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        with FaultServer([respond(404, b""), flood(head, sent)]) as server:
            with pytest.raises(CredentialsError, match="64 KB"):
                InstanceMetadata(server.url)()
            server.wait_until_closed()
        assert sum(sent) < 16_000_000

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: ",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        ],
    )
    def test_a_request_ends_in_time_whatever_the_service_drips(
        self, head: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metadata, "TIMEOUT", 0.2)
        started = time.monotonic()
        with FaultServer([drip(head, b" ")]) as server, pytest.raises(CredentialsError, match="no response"):
            InstanceMetadata(server.url)()
        assert time.monotonic() - started < 1.5

    def test_a_silent_service(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metadata, "TIMEOUT", 0.1)
        with FaultServer([stall()]) as server, pytest.raises(CredentialsError, match=r"no response \(ReadTimeout\)"):
            InstanceMetadata(server.url)()


@pytest.mark.parametrize("kind", KINDS)
def test_any_error_body_is_an_api_error(kind: Kind) -> None:
    bodies = [*BODIES, *variations(ERROR), *variations({"error_code": "c", "error_msg": "m"})]
    for body in bodies if kind == "sync" else bodies[::7]:
        with FaultServer([respond(400, body)]) as server:
            error = call(kind, server.url).error
            assert isinstance(error, ApiError)
            str(error).encode()


@pytest.mark.parametrize("send", BOTH)
@pytest.mark.parametrize(
    "expires_at",
    [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))],
    ids=["latest", "earliest"],
)
def test_a_provider_may_return_any_expiration(send: Send, expires_at: datetime) -> None:
    auth = AkSkAuth.from_provider(lambda: Credentials("AK", "SK", "ST", expires_at=expires_at))
    with serve(lambda _: CannedResponse()) as server:
        assert send(auth, server.url)[0].status_code == 200


def test_json_is_read_up_to_64_kilobytes() -> None:
    text = json.dumps("x" * (64 * 1024 - 2))
    assert len(parse(text)) == 64 * 1024 - 2
    with pytest.raises(ValueError, match="longer than 64 KB"):
        parse(text + " ")


def test_reading_json() -> None:
    assert parse(b'{"a": {"b": "c"}}') == {"a": {"b": "c"}}
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for text in ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "[" * 100_000, " " * LIMIT + "1", "{", "7" * 5000):
        with pytest.raises(ValueError):
            parse(text)
    value = parse('{"a": "b", "n": null}')
    assert (member(value, "a", str), member(value, "n", str), member(value, "x", str)) == ("b", None, None)
    wrongs: list[Any] = [value, [], None, "text"]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            member(wrong, "a", dict)


# Arguments

TIMEOUTS: list[Any] = [
    float("inf"), float("nan"), 1e10, 0, -1, True, "5", None, httpx.Timeout(float("inf")), httpx.Timeout(5, read=1e10),
    httpx.Timeout(-1),
]  # fmt: skip


@pytest.mark.parametrize("timeout", TIMEOUTS, ids=repr)
def test_a_timeout_that_sockets_refuse(timeout: Any) -> None:
    given: Any = {"base_url": "http://127.0.0.1:9", "credentials": Credentials("AK", "SK"), "project_id": "p"}
    for cls in (MetaStudio, AsyncMetaStudio, connect):
        with pytest.raises(ConfigurationError, match="timeout must be"):
            cls(**given, timeout=timeout)
    if isinstance(timeout, httpx.Timeout):
        with pytest.raises(ConfigurationError, match="timeout must be"):
            connect(**given).with_timeout(timeout).get_httpx_client()


def test_a_timeout_may_be_unlimited() -> None:
    given: Any = {"base_url": "http://127.0.0.1:9", "credentials": Credentials("AK", "SK"), "project_id": "p"}
    for timeout in (httpx.Timeout(None), 24 * 3600, httpx.Timeout(5, pool=0)):
        MetaStudio(**given, timeout=timeout).close()


@pytest.mark.parametrize("timeout", ["inf", "1e10"])
@pytest.mark.parametrize("command", [["jobs"], ["curl", "/"]], ids=["jobs", "curl"])
def test_a_timeout_of_the_command(command: list[str], timeout: str) -> None:
    environment = {"METASTUDIO_TOKEN": "T", "METASTUDIO_BASE_URL": "http://127.0.0.1:9"}
    done = run(*command, "--project-id", "p", "--timeout", timeout, env=environment)
    assert done.code == 2
    assert "timeout" in done.err
    assert "unexpected" not in done.err


HOSTS = ["a..b.com", ".b.com", "a" * 64 + ".com", ".".join(["abcdefgh"] * 32), "xn--a-\u00e4.com", "xn--0.com", "b.."]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_name_that_dns_refuses(host: str) -> None:
    for url in (f"https://{host}", f"https://{host}:8443/x"):
        with pytest.raises(ConfigurationError):
            require_https(url)
    given: Any = {"credentials": Credentials("AK", "SK")}
    with pytest.raises(ConfigurationError):
        MetaStudio(base_url=f"https://{host}", **given)
    with pytest.raises(ConfigurationError):
        login(f"https://{host}")


@pytest.mark.parametrize("host", ["a.b.com.", "a" * 63 + ".com", ".".join(["a" * 63] * 3 + ["b" * 61])])
def test_the_longest_host_names_of_dns(host: str) -> None:
    assert require_https(f"https://{host}").host == host


@pytest.mark.parametrize("url", ["https://h.test:65536", "https://h.test:99999/x", "https://h.test:0"])
def test_a_port_that_does_not_exist(url: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 65535"):
        require_https(url)


@pytest.mark.parametrize("end", ["?a=b", "/x?", "#fragment"])
def test_a_base_url_has_no_query(end: str) -> None:
    given: Any = {"credentials": Credentials("AK", "SK")}
    with pytest.raises(ConfigurationError, match="query"):
        MetaStudio(base_url=f"https://h.test{end}", **given)
    with pytest.raises(ConfigurationError, match="query"):
        login(f"https://h.test{end}")


def test_a_naive_expiration_is_refused() -> None:
    with pytest.raises(CredentialsError, match="expires_at must be a datetime with a time zone"):
        Credentials("AK", "SK", expires_at=datetime(2030, 1, 1))
    with pytest.raises(CredentialsError, match="expires_at"):
        Credentials("AK", "SK", expires_at="2030-01-01T00:00:00Z")  # type: ignore[arg-type]
