"""Log lines, and that no line, error, repr, traceback or pickle of a call shows a secret or personal data."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.auth import AkSkAuth, Clock
from metastudio.auth.token import TokenAuth
from metastudio.errors import ConfigurationError
from metastudio.http.retry import RetryPolicy
from session_calls import KINDS, PATH, Kind, call

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = json.dumps({"count": 0, "jobs": []}).encode()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="metastudio")
    return caplog


def lines(log: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "metastudio" and record.levelno == level]


@pytest.mark.parametrize("kind", KINDS)
def test_one_line_per_call(kind: Kind, log: pytest.LogCaptureFixture) -> None:
    with serve(lambda _: CannedResponse(200, GOOD, {"X-Request-Id": "req-1"})) as server:
        call(kind, server.url, path=f"{PATH}?limit=10&name=Somebody")
    assert lines(log, logging.INFO) == [f"GET {PATH} 200 in 0.0 ms, request id req-1, attempt 1 of 3"]


def test_one_line_per_failed_call(log: pytest.LogCaptureFixture) -> None:
    answers = [CannedResponse(503), CannedResponse(400, b'{"request_id": "abc"}')]
    with serve(lambda _: answers.pop(0)) as server:
        call("sync", server.url)
    assert lines(log, logging.INFO) == [f"GET {PATH} 400 in 250.0 ms, request id abc, attempt 2 of 3"]
    assert "attempt 1: 503; trying again in 0.25 s" in lines(log, logging.DEBUG)


def test_the_line_of_an_invalid_success(log: pytest.LogCaptureFixture) -> None:
    with serve(lambda _: CannedResponse(200, b"[]")) as server:
        call("sync", server.url)
    assert lines(log, logging.INFO) == [
        f"GET {PATH} 200 (does not match the contract) in 0.0 ms, request id -, attempt 1 of 3"
    ]


def test_the_line_of_a_call_without_a_response(log: pytest.LogCaptureFixture) -> None:
    call("sync", "http://127.0.0.1:9", retry=RetryPolicy(max_retries=0))
    assert lines(log, logging.INFO) == [f"GET {PATH} ApiConnectionError in 0.0 ms, request id -, attempt 1 of 1"]


@pytest.mark.parametrize("forged", ["a\nGET /forged 200", "a\u2028b", "x" * 10_000, "\x1b[31m"])
def test_a_server_cannot_forge_a_line(forged: str, log: pytest.LogCaptureFixture) -> None:
    with serve(
        lambda _: CannedResponse(400, json.dumps({"request_id": forged, "error_msg": forged}).encode())
    ) as server:
        call("sync", server.url)
    (line,) = lines(log, logging.INFO)
    assert line.isprintable()
    assert len(line) < 500


def test_debug_shows_the_signed_texts(log: pytest.LogCaptureFixture) -> None:
    with serve(lambda _: CannedResponse(200, GOOD)) as server:
        call("sync", server.url)
    shown = "\n".join(lines(log, logging.DEBUG))
    assert f"GET\n{PATH}/\n" in shown
    assert "SDK-HMAC-SHA256\n20240704T080000Z\n" in shown


class TestMetastudioLog:
    """METASTUDIO_LOG in a new process without logging configuration."""

    @staticmethod
    def errors_of(program: str, value: str) -> str:
        """Return the stderr of a program that makes two calls, sync and async."""
        with serve(lambda _: CannedResponse(200, GOOD)) as server:
            done = subprocess.run(
                [sys.executable, "-c", f"{program}\nfrom session_calls import call\nfor kind in ('sync', 'async'): "
                f"assert call(kind, {server.url!r}).response"],
                env={**os.environ, "METASTUDIO_LOG": value, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert (done.returncode == 0) or "ConfigurationError" in done.stderr, done.stderr
        return done.stderr

    @pytest.mark.parametrize(("value", "debug"), [("debug", 2), (" INFO ", 0)])
    def test_on(self, value: str, debug: int) -> None:
        shown = self.errors_of("", value)
        assert shown.count(f"INFO metastudio: GET {PATH} 200 in ") == 2
        assert shown.count("DEBUG metastudio: string to sign") == debug
        assert "HTTP Request" not in shown, "the loggers of httpx are left alone"

    def test_off(self) -> None:
        assert self.errors_of("", "") == ""

    def test_terminal_sequences_are_removed(self) -> None:
        program = "import logging; from metastudio.http import logs; logs.follow_environment(); "
        shown = self.errors_of(program + "logs.logger.info('red \\x1b[31mtext\\u202e\\nsecond line')", "info")
        assert "INFO metastudio: red text\nsecond line\n" in shown

    def test_unknown(self) -> None:
        assert "METASTUDIO_LOG is 'all': set it to debug or info, or unset it" in self.errors_of("", "all")

    def test_no_handler_beside_the_application_s(self) -> None:
        program = "import logging, sys; logging.basicConfig(stream=sys.stderr, format='own %(message)s')"
        shown = self.errors_of(program, "info")
        assert shown.count("own GET") == shown.count("GET") == 2

    def test_an_unwritable_line_fails_no_call(self) -> None:
        assert self.errors_of("import sys; sys.stderr = None", "debug") == ""


ACCESS, SECRET, TEMPORARY = "AKPLANTEDKEY", "SKplantedsecret", "gQplantedsecuritytoken"
TOKEN, USER = "MIIplantedtoken", "planted-user"
CONTACT, MAIL, COVER = "13800138000", "planted@example.com", "plantedparam=1"
PLANTED = (ACCESS, SECRET, TEMPORARY, TOKEN, USER, CONTACT, MAIL, COVER)

JOB = {"job_id": "a", "contact": CONTACT, "cover_download_url": f"https://x.com/c?{COVER}", "app_user_id": USER}
PAGE = {"count": 1, "jobs": [JOB, {"contact": MAIL}]}
PERSONAL = json.dumps(PAGE).encode()


def echo(status: int) -> Callable[[ReceivedRequest], CannedResponse]:
    """Echo the request, with a personal job."""

    def handler(request: ReceivedRequest) -> CannedResponse:
        received = {"target": request.target, "headers": dict(request.headers), "lines": str(request.headers)}
        text = f"{request.headers} " + "|".join(f"{name}:{value}" for name, value in request.headers)
        body = json.dumps({"error_code": "C", "error_msg": text, "received": received, "page": PAGE})
        return CannedResponse(status, body.encode(), {"Retry-After": "0"})

    return handler


ANSWERS: dict[str, Callable[[ReceivedRequest], CannedResponse]] = {
    **{str(status): echo(status) for status in (302, 400, 401, 403, 404, 429, 503)},
    "cut short": lambda _: CannedResponse(200, PERSONAL[:-10]),
    "another shape": lambda _: CannedResponse(200, PERSONAL),  # the second job has no job_id
    "html": lambda _: CannedResponse(200, b"<html>" + PERSONAL),
    "undeclared": lambda _: CannedResponse(206, PERSONAL),
    "longer than promised": lambda _: CannedResponse(200, PERSONAL, {"Content-Length": "9999"}),
    "not chunked": lambda _: CannedResponse(200, PERSONAL, {"Content-Length": "", "Transfer-Encoding": "chunked"}),
    "not gzip": lambda _: CannedResponse(200, PERSONAL, {"Content-Encoding": "gzip"}),
    "not http": lambda _: CannedResponse(200, PERSONAL, {"Bad header \x01": CONTACT}),
}


def auth_of(name: str) -> httpx.Auth:
    if name == "token":
        return TokenAuth(TOKEN)
    return AkSkAuth(ACCESS, SECRET, project_id="p", security_token=TEMPORARY, clock=Clock())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("auth", ["key", "token"])
@pytest.mark.parametrize("case", ANSWERS)
def test_no_secret_is_shown(case: str, auth: str, kind: Kind, log: pytest.LogCaptureFixture) -> None:
    used = auth_of(auth)
    with serve(_closing(ANSWERS[case])) as server:
        result = call(kind, server.url, path=f"{PATH}?token={TOKEN}&limit=1", auth=used, headers={"X-App-UserId": USER})
        signatures = [
            value.rpartition("Signature=")[2]
            for request in server.received
            for name, value in request.headers
            if name == "authorization"
        ]
    error = result.error
    assert error is not None
    assert (auth == "key") == bool(signatures)
    shown = [
        *(record.getMessage() for record in log.records if record.name == "metastudio"),
        str(error),
        repr(error),
        str(vars(error)),
        "".join(traceback.format_exception(error)),
        pickle.dumps(error, 0).decode("latin-1"),
        repr(used),
    ]
    for text in shown:
        for planted in (*PLANTED, *signatures):
            assert planted not in text, f"{planted} is in {text}"


def _closing(handler: Callable[[ReceivedRequest], CannedResponse]) -> Callable[[ReceivedRequest], CannedResponse]:
    def closing(request: ReceivedRequest) -> CannedResponse:
        given = handler(request)
        return CannedResponse(given.status, given.body, {"Connection": "close", **given.headers})

    return closing


def test_a_header_that_cannot_be_sent_is_not_quoted() -> None:
    class InvalidHeaderAuth(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            request.headers["X-Auth-Token"] = f"{TOKEN}\n"
            yield request

    with serve(lambda _: CannedResponse(200, GOOD)) as server:
        error = call("sync", server.url, auth=InvalidHeaderAuth()).raised(ConfigurationError)
    assert TOKEN not in "".join(traceback.format_exception(error))
