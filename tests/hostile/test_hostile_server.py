"""One hostile server, composed by Hypothesis, against everything that talks to a server.

Whatever it sends, three things hold: the call ends in bounded time and memory, it raises only a MetaStudioError, and it
shows neither a secret nor a control character. A failing example prints the script of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import logging
import os
import re
import resource
import signal
import time
import traceback
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from fault_server import FaultServer, reset, stall
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metastudio import AsyncMetaStudio, Credentials, IamTokenAuth, MetaStudio
from metastudio.auth import InstanceMetadata, metadata
from metastudio.cli.root import root, run
from metastudio.errors import MetaStudioError
from metastudio.http import retry, throttle
from metastudio.tester import prove
from metastudio.tester.reports import as_json, html, junit, terminal
from rich.console import Console

if TYPE_CHECKING:
    import socket

KEY, SECRET, TOKEN, PASSWORD = "AKMADEUPMADEUP", "SKMADEUPMADEUP", "STMADEUPMADEUP", "PWMADEUPMADEUP"
TIMEOUT = 0.3
TIME_LIMIT = 6.0
"""Seconds for one example of one client, far above its timeouts, for slow machines."""
MEMORY_LIMIT = 300 * 2**20
"""Growth of the peak memory of the process. A bomb that is unpacked takes more."""

ATTACK = "a\x1b]0;owned\x07b\x1b[5;35mc\x9b5md\u202e\u2066e\x85f\u2028g\r\nForged: line"
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
OWN_SEQUENCES = re.compile(r"\x1b\[(?!5;35m)[0-9;?]*[A-Za-z]|[\t\r]")
SECRETS = re.compile(f"{KEY}|{SECRET}|{TOKEN}|{PASSWORD}|Signature=[0-9a-f]")


def _bomb() -> bytes:
    """Return about 512 KB of gzip that unpack to 512 MB."""
    packer = zlib.compressobj(9, wbits=-15)
    megabyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + megabyte * 512


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_JOB = {"job_id": "1", "name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2024-01-01T00:00:00Z"}
JOB: dict[str, Any] = {**_JOB, "tags": []}
HOSTILE_JOB: dict[str, Any] = {**dict.fromkeys(JOB, ATTACK), "tags": [ATTACK]}
BODIES: dict[str, bytes] = {
    "empty": b"",
    "page": _json({"count": 1, "jobs": [JOB]}),
    "endless list": _json({"count": 10**30, "jobs": [{**JOB, "job_id": str(each)} for each in range(10)]}),
    "hostile page": _json({"count": 2, "jobs": [HOSTILE_JOB, {**HOSTILE_JOB, "job_id": "\ud800"}]}),
    "raw controls": json.dumps({"count": 1, "jobs": [HOSTILE_JOB]}, ensure_ascii=False).encode(),
    "odd types": b'{"count": -1e400, "jobs": [{"job_id": NaN, "state": [], "create_time": {}, "name": 1e999}]}',
    "odd times": _json({"count": 1, "jobs": [{**JOB, "create_time": "9999-12-31T23:59:60-23:59"}]}),
    "error": _json({"error_code": ATTACK, "error_msg": ATTACK, "request_id": ATTACK}),
    "odd error": _json({"error_code": {"a": [1]}, "error_msg": 7, "error": {"code": [], "message": ATTACK}}),
    "secrets": b"ECHO",
    "login": _json({"token": {"expires_at": "2999-01-01T00:00:00Z", "issued_at": "x", "project": {"id": "p"}}}),
    "odd login": _json({"token": {"expires_at": "9999-12-31T23:59:59Z", "project": {"id": ATTACK}}}),
    "projects": _json({"projects": [{"id": "../" + ATTACK, "name": "cn-north-4"}]}),
    "keys": _json({"credential": {"access": ATTACK, "secret": SECRET, "securitytoken": "a\nb", "expires_at": "x"}}),
    "good keys": _json({"credential": {"access": KEY, "secret": SECRET, "expires_at": "2999-01-01T00:00:00Z"}}),
    "deep": b'{"count": 1, "jobs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"a":' * 50_000,
    "megabyte string": _json({"count": 1, "jobs": [{**JOB, "job_id": "x" * 2**20}], "error_msg": ATTACK * 50_000}),
    "megabyte number": b'{"count": ' + b"9" * 2**20 + b', "jobs": []}',
    "surrogates": b'{"error_code": "\\ud800", "error_msg": "\\udfff\\ud800", "count": 0, "jobs": []}',
    "html": b"<html><script>" + ATTACK.encode() + b"</script>",
    "binary": bytes(range(256)),
    "utf-16": "\ufeff{}".encode("utf-16"),
}  # fmt: skip
BOMB = _bomb()
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip of a bomb": lambda _: BOMB,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "gzip, broken": lambda body: gzip.compress(body)[:-9] + b"garbage",
    "br\x1b[5;35m": lambda body: body,
}
STATUS_LINES = [
    *(f"HTTP/1.1 {status} OK" for status in (200, 200, 200, 201, 204, 304, 307, 400, 401, 403, 404, 429, 500, 503)),
    "HTTP/1.0 200 OK", "HTTP/9.9 200 OK", "HTTP/1.1 99 x", "HTTP/1.1 1000 x", "HTTP/1.1 101 Switching Protocols", "ICY",
    f"HTTP/1.1 403 {ATTACK}", "HTTP/1.1 500 ECHO", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", "HTTP/1.1 200", "",
]  # fmt: skip
HEADER_VALUES = {
    "Content-Type": ["application/json", "text/plain; charset=rot13", "x; charset=\x1b[5;35m", ""],
    "Date": ["Fri, 31 Dec 9999 23:59:59 -2359", f"Fri, 31 Dec 2024 23:59:59 +{'9' * 19}", ATTACK],
    "Retry-After": ["0", "-1", "nan", "1e400", "\u0663", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"],
    "Location": ["http://[", "//\x1b[5;35m", "http://a..b", "/" * 5000, "ECHO", "http://\x1b]0;owned\x07/"],
    "X-Request-Id": [ATTACK.replace("\r\n", " "), "ECHO", "r" * 60_000],
    "X-Subject-Token": [TOKEN, "ECHO", "a\x0bb", "\xff" * 20],
    "Set-Cookie": ["a=ECHO; domain=\x1b[5;35m"],
    "Connection": ["close"],
    "Content-Length": ["-1"],
    "WWW-Authenticate": ["ECHO"],
    "X": ["y" * 200_000],
}
HEADERS = [
    *(f"{name}: {value}" for name, values in HEADER_VALUES.items() for value in values),
    *("No colon", ": no name", " folded", "\0: \0", "\r\n".join(f"X-{each}: y" for each in range(2000))),
]
FRAMINGS = [
    *("length", "longer", "shorter", "negative", "huge", "both", "none"),
    *("chunked", "chunked lies", "chunk extension"),
]


@dataclass(frozen=True)
class HostileResponse:
    """A response to compose: by names in the tables above."""

    status: str = "HTTP/1.1 200 OK"
    headers: tuple[str, ...] = ()
    body: str = "page"
    encoding: str = "identity"
    framing: str = "length"
    ending: str = "keep"
    cut: float = 1.0

    def send(self, connection: socket.socket, request: bytes) -> bool:
        """Send it, with the secrets of the request where it says ECHO. Returns whether to go on."""
        echoed = b" ".join(re.findall(rb"(?im)^(?:authorization|x-[a-z-]*token): *([^\r\n]+)", request)) or b"none"
        body = BODIES[self.body]
        body = _json({"error_code": echoed.decode(), "error_msg": echoed.decode()}) if body == b"ECHO" else body
        body = ENCODINGS[self.encoding](body)
        lines = [self.status, *self.headers]
        if self.encoding != "identity":
            lines.append(f"Content-Encoding: {self.encoding.removesuffix(' of a bomb').removesuffix(', broken')}")
        framing, body = _framed(self.framing, body)
        head = "\r\n".join([*lines, *framing]).encode("utf-8", "replace").replace(b"ECHO", echoed)
        data = head + b"\r\n\r\n" + body
        if self.cut < 1 or self.ending in ("drip", "drip the end"):
            data = data[: int(len(data) * self.cut)]
        match self.ending:
            case "reset":
                return reset(data)(connection)
            case "stall":
                return stall(data)(connection)
            case "drip":
                for start in range(len(data)):
                    connection.sendall(data[start : start + 1])
                    time.sleep(0.02)
            case "drip the end":
                connection.sendall(data[:-1])
                while True:
                    time.sleep(0.02)
                    connection.sendall(b"\r\n" if self.framing == "chunked" else b"x")
            case _:
                connection.sendall(data)
        return self.ending == "keep"


def _framed(framing: str, body: bytes) -> tuple[list[str], bytes]:
    """Return the headers that say where the body ends, and the body as sent."""
    chunked = "Transfer-Encoding: chunked"
    match framing:
        case "length":
            return [f"Content-Length: {len(body)}"], body
        case "longer" | "shorter":
            return [f"Content-Length: {len(body) + (9 if framing == 'longer' else -9)}"], body
        case "negative":
            return ["Content-Length: -5"], body
        case "huge":
            return [f"Content-Length: {'9' * 30}"], body
        case "chunked":
            return [chunked], b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        case "chunked lies":
            return [chunked], b"5\r\nhello\r\n-1\r\n%b\r\nffffffffffffffffffff\r\n" % body
        case "chunk extension":
            return [chunked], b"%x;%b\r\n%b\r\n0\r\n\r\n" % (len(body), b"x" * 2**20, body)
        case "both":
            return [chunked, f"Content-Length: {len(body)}"], body
        case _:
            return [], body


Script = tuple[HostileResponse, ...]
RESPONSES = st.builds(
    HostileResponse,
    status=st.sampled_from(STATUS_LINES),
    headers=st.lists(st.sampled_from(HEADERS), max_size=3).map(tuple),
    body=st.sampled_from(sorted(BODIES)),
    encoding=st.sampled_from(["identity"] * 6 + sorted(ENCODINGS)),
    framing=st.sampled_from(["length"] * 6 + FRAMINGS),
    ending=st.sampled_from(["keep"] * 6 + ["close", "reset", "stall", "drip", "drip the end"]),
    cut=st.one_of(st.just(1.0), st.just(1.0), st.floats(0, 1)),
)
SCRIPTS = st.lists(RESPONSES, min_size=1, max_size=3).map(tuple)


class TerminalText(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def check_error(error: MetaStudioError) -> None:
    for text in (str(error), repr(error)):
        assert text.isascii() or text.encode()
        assert "\n" not in text
        check_text(text)
    check_text("".join(traceback.format_exception(error)))


def check_text(text: str) -> None:
    assert not (found := CONTROLS.search(text)), f"a control character: {text[max(0, found.start() - 99) :][:200]!a}"
    assert not (found := SECRETS.search(text)), f"a secret: {text[max(0, found.start() - 99) :][:200]!a}"


def client(url: str) -> None:
    options: Any = {"timeout": TIMEOUT, "max_retries": 0, "max_response_size": 4 * 2**20}
    credentials = Credentials(KEY, SECRET, TOKEN)
    with MetaStudio(base_url=url, credentials=credentials, project_id="p", **options) as studio:
        with expected():
            studio.training_jobs.list(state=["TRAINING"])
        with expected(), contextlib.closing(studio.training_jobs.iterate(page_size=10, concurrency=2)) as jobs:
            for job in islice(jobs, 15):
                check_text(repr(job.state))


def async_client(url: str) -> None:
    async def main() -> None:
        options: Any = {"timeout": TIMEOUT, "max_retries": 0, "max_response_size": 4 * 2**20}
        credentials = Credentials(KEY, SECRET, TOKEN)
        async with AsyncMetaStudio(base_url=url, credentials=credentials, project_id="p", **options) as studio:
            with expected():
                await studio.training_jobs.list(state=["TRAINING"])
            with expected():
                left = 15
                async with contextlib.aclosing(studio.training_jobs.iterate(page_size=10, concurrency=2)) as jobs:
                    async for _ in jobs:
                        left -= 1
                        if left == 0:
                            break

    asyncio.run(main())


def through_a_proxy(url: str) -> None:
    options: Any = {"timeout": TIMEOUT, "max_retries": 0, "max_response_size": 4 * 2**20, "allow_http": True}
    credentials = Credentials(KEY, SECRET, TOKEN)
    with (
        MetaStudio(
            base_url="http://service.test", proxy=url, credentials=credentials, project_id="p", **options
        ) as studio,
        expected(),
    ):
        studio.training_jobs.list(state=["TRAINING"])


def login(url: str) -> None:
    auth = IamTokenAuth("user", PASSWORD, "account", region="cn-north-4", iam_endpoint=url)
    with MetaStudio(base_url=url, auth=auth, timeout=TIMEOUT, max_retries=0) as studio, expected():
        studio.training_jobs.list(limit=1)
    check_text(repr(auth))


def instance_metadata(url: str) -> None:
    with expected():
        check_text(repr(InstanceMetadata(url)()).replace(KEY, ""))


def curl(url: str) -> None:
    run_command(url, "curl", "-i", "/x", "--timeout", str(TIMEOUT))


def command(url: str) -> None:
    limits = ("--timeout", str(TIMEOUT), "--max-retries", "0")
    run_command(url, "jobs", "--limit", "15", "--project-id", "p", *limits)
    run_command(url, "whoami", *limits)


def run_command(url: str, *arguments: str) -> None:
    environment = {
        "HUAWEICLOUD_SDK_AK": KEY, "HUAWEICLOUD_SDK_SK": SECRET, "METASTUDIO_BASE_URL": url, "HOME": "/nonexistent",
        "HUAWEICLOUD_SDK_IAM_ENDPOINT": url, "PATH": "",
    }  # fmt: skip
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out, err = TerminalText(), TerminalText()
    try:
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(root, arguments)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    shown, errors = (OWN_SEQUENCES.sub("", stream.getvalue()) for stream in (out, err))
    assert code in range(10), (code, errors)
    assert "Traceback" not in errors + shown
    check_text(errors)
    if arguments[0] == "whoami":
        check_text(shown)
    assert not CONTROLS.search(shown)  # the items that a server sends may have anything else


def contract_tester(url: str) -> None:
    keys = Credentials(KEY, SECRET, TOKEN)
    options: Any = {"max_time": 0.5, "timeout": TIMEOUT, "max_examples": 1, "forge": False}
    report = prove(url, project_id="p", keys=keys, only=("meaning", "auth"), **options)
    assert report.exit_code in (0, 1, 2, 3), report.exit_code
    assert "unexpected" not in (report.failure or "")
    screen = io.StringIO()
    terminal(report, verbose=True, console=Console(file=screen, force_terminal=True, color_system=None))
    for text in (screen.getvalue(), as_json(report), html(report), junit(report)):
        text.encode()
        check_text(text)


TARGETS = (client, async_client, through_a_proxy, login, instance_metadata, command, curl, contract_tester)


@contextlib.contextmanager
def expected() -> Generator[None, None, None]:
    """Accept a MetaStudioError, and check what it shows."""
    try:
        yield
    except MetaStudioError as error:
        check_error(error)


@contextlib.contextmanager
def quick() -> Generator[None, None, None]:
    """Shorten what lasts a minute or two by default."""
    with (
        mock.patch.object(retry, "DEADLINE", TIMEOUT),
        mock.patch.multiple(throttle, LONGEST_PAUSE=0.1, FIRST_PAUSE=0.05),
        mock.patch.object(metadata, "TIMEOUT", TIMEOUT),
    ):
        yield


class CheckedLog(logging.Handler):
    """Checks every record."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[AssertionError] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            check_text(self.format(record))
        except AssertionError as error:
            self.wrong.append(error)


def attack(target: Callable[[str], None], script: Script) -> None:
    """Run a target against a server with this script, and check the three invariants."""
    remaining = list(script)

    def fault(connection: socket.socket) -> bool:
        response = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return response.send(connection, server.heads[-1])

    log = CheckedLog()
    loggers = {"metastudio": logging.DEBUG, "httpx": logging.INFO}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with FaultServer([fault]) as server, quick():
        started = time.monotonic()
        for name, level in loggers.items():
            logging.getLogger(name).addHandler(log)
            logging.getLogger(name).setLevel(level)
        try:
            target(server.url)
        finally:
            for name in loggers:
                logging.getLogger(name).removeHandler(log)
                logging.getLogger(name).setLevel(logging.NOTSET)
        taken = time.monotonic() - started
    assert not log.wrong, log.wrong[0]
    assert taken < TIME_LIMIT
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY_LIMIT


@pytest.mark.parametrize("examples", [4, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("target", TARGETS)
def test_whatever_a_server_sends(target: Callable[[str], None], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 100,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(SCRIPTS)
    def check(script: Script) -> None:
        attack(target, script)

    check()


@pytest.mark.parametrize("target", [client, async_client, through_a_proxy, login, curl])
@pytest.mark.parametrize("phrase", [ATTACK, "ECHO"])
def test_httpx_logs_no_reason_phrase_of_a_server(target: Callable[[str], None], phrase: str) -> None:
    attack(target, (HostileResponse(status=f"HTTP/1.1 403 {phrase}", body="error"),))


@pytest.mark.parametrize("found", [HostileResponse(encoding="gzip of a bomb"), HostileResponse(ending="drip the end")])
def test_the_curl_command_has_limits(found: HostileResponse) -> None:
    attack(curl, (found,))
