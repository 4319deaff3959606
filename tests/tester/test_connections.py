"""Connections that the server closes, and applications in this process that raise an exception."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from list_app import SPEC, ListApp, assert_not_blamed, broken, outcome, things
from metastudio.tester import Verdict, inprocess, prove
from schemathesis.python import asgi
from starlette.middleware.gzip import GZipMiddleware


@contextmanager
def closing(after: int, at: str = "?") -> Generator[str]:
    """Serve a list and close a connection without a response: to a request after so many, or that contains `at`.

    The first is what happens if a server closes an idle connection in the moment in which a request arrives.
    """
    app = ListApp(things(12))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        number = 0

        def do_GET(self) -> None:
            self.number += 1
            self.close_connection = self.number > after or at in self.path
            if not self.close_connection:
                status, body = app.response(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))
                self.send_response(status)
                for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_closing_a_reused_connection_is_lawful() -> None:
    with closing(after=5, at="never") as url:
        report = outcome(url, "answer", "repeatable")
    assert_not_blamed(report)
    assert report["shapes/answer"].verdict is Verdict.PASS
    assert not report.notes


def test_closing_a_new_connection_is_a_breach() -> None:
    with closing(after=5, at="label=") as url:
        report = outcome(url, "answer")
    assert report.exit_code == 1
    assert all("label=" in each for each in report.commands)


class Failing(ListApp):
    """Raises an exception for some requests, before or after it starts its response."""

    startups = 0

    def __init__(self, at: bytes, *, started: bool = False) -> None:
        super().__init__(things(12))
        self._at = at
        self._started = started

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.startups += scope["type"] == "lifespan"
        if scope["type"] == "http" and self._at in scope["query_string"]:
            if self._started:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ZeroDivisionError("in the application")
        await super().__call__(scope, receive, send)


@pytest.mark.parametrize(
    ("at", "started", "which"),
    [(b"", False, "shapes/start"), (b"label=", False, "shapes/failure"), (b"dir=", True, "shapes/failure")],
    ids=["always", "a filter", "during a response"],
)
def test_exception_of_an_application_is_a_server_error(at: bytes, started: bool, which: str) -> None:
    app = Failing(at, started=started)
    report = outcome(app, "shapes", "filter.label")
    outcome(app, "start")
    assert app.startups == 1
    assert report.exit_code == 1
    assert "status 500" in report[which].evidence[0].seen
    assert "answer" not in broken(report)
    assert any("the application raised ZeroDivisionError: in the application" in note for note in report.notes)


def test_application_that_hangs_is_a_server_error() -> None:
    class Hanging(ListApp):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and b"label=" in scope["query_string"]:
                await asyncio.sleep(3600)
            await super().__call__(scope, receive, send)

    report = outcome(Hanging(things(12)), "filter.label", timeout=0.05)
    assert "status 500" in report["meaning/filter.label"].evidence[0].seen
    assert any("the application raised TimeoutError: no response within 0.2 s" in note for note in report.notes)


def test_application_that_compresses_is_not_blamed() -> None:
    app = GZipMiddleware(ListApp(things(12)), minimum_size=1)
    assert_not_blamed(outcome(app, "page.limit", "failure", "answer"))


def test_headers_of_an_application_may_have_any_characters() -> None:
    class Greeting(ListApp):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def with_header(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"].append((b"X-Greeting", "Grüße".encode()))
                await send(message)

            await super().__call__(scope, receive, with_header)

    assert_not_blamed(outcome(Greeting(things(12)), "page.limit"))


def test_application_may_wait_for_the_end_of_the_connection() -> None:
    class Waiting(ListApp):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, send)
            while (await receive())["type"] != "http.disconnect":
                pass

    report = outcome(Waiting(things(12)), "page.limit", timeout=1)
    assert_not_blamed(report)
    assert not report.notes


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError()], ids=["exit", "cancelled"])
def test_application_that_exits_has_a_server_error(error: BaseException) -> None:
    class Exiting(ListApp):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and b"label=" in scope["query_string"]:
                raise error
            await super().__call__(scope, receive, send)

    report = outcome(Exiting(things(12)), "filter.label")
    assert report.exit_code == 1
    assert "status 500" in report["meaning/filter.label"].evidence[0].seen


def test_application_that_does_not_start_is_no_error_of_the_tester() -> None:
    class Unstartable(ListApp):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    app = Unstartable(things(12))
    report = prove(app, spec=SPEC, project_id="p1", only=("start",))
    served = inprocess._SERVED[id(app)]  # pyright: ignore[reportPrivateUsage]
    asgi._LIFESPANS[id(served)].stop()  # pyright: ignore[reportPrivateUsage] - closes its streams
    assert report.exit_code == 2
    assert report.failure == "the application does not start: no database"
