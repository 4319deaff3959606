"""Connections that the server closes, and applications in this process that raise an exception."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from metastudio.sandbox import MAIN, SandboxSettings, create_app
from metastudio.tester import Credentials, Verdict, prove
from metastudio.tester.verdicts import describe

CALLER: dict[str, Any] = {"project_id": "p1", "keys": Credentials("AKAKAKAKAK", "SKSKSKSKSK")}
ITEM = {"job_id": "1", "name": "n", "state": "TRAINING", "project_id": "p1", "create_time": "2024-01-01T00:00:00Z"}
BODY = json.dumps({"count": 1, "jobs": [ITEM]}).encode()


@contextmanager
def closing(after: int, at: str = "?") -> Generator[str]:
    """A server that closes a connection without a response: to a request after so many, and to any that contains `at`.

    The first is what a server does that closes an idle connection in the moment in which a request arrives.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        number = 0

        def do_GET(self) -> None:
            self.number += 1
            self.close_connection = self.number > after or at in self.path
            if not self.close_connection:
                self.send_response(200)
                for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(BODY)

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
        report = prove(url, only=("answer", "repeatable"), max_examples=5, **CALLER)
    assert report.exit_code == 0, "\n".join([*map(describe, report.breaches), report.failure or ""])
    assert report["shapes/answer"].verdict is Verdict.PASS, report["shapes/answer"]
    assert not report.notes


def test_closing_a_new_connection_is_a_breach() -> None:
    with closing(after=5, at="tag=") as url:
        report = prove(url, only=("answer",), max_examples=5, **CALLER)
    assert report.exit_code == 1
    assert all("tag=" in each for each in report.commands)


class Failing:
    """An application that raises an exception for some requests, before or after it starts its response."""

    startups = 0

    def __init__(self, at: bytes, *, started: bool = False) -> None:
        self.app = create_app(SandboxSettings())
        self._at = at
        self._started = started

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.startups += scope["type"] == "lifespan"
        if scope["type"] == "http" and self._at in scope["query_string"]:
            if self._started:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ZeroDivisionError
        await self.app(scope, receive, send)


@pytest.mark.parametrize(
    ("at", "started", "broken"),
    [(b"", False, "shapes/start"), (b"tag=", False, "shapes/failure"), (b"offset=1", True, "shapes/failure")],
    ids=["always", "a filter", "during a response"],
)
def test_exception_of_an_application_is_a_server_error(at: bytes, started: bool, broken: str) -> None:
    app = Failing(at, started=started)
    keys = Credentials(MAIN.keys.access_key, MAIN.keys.secret_key)
    report = prove(app, project_id=MAIN.project_id, keys=keys, max_examples=5, only=("shapes", "filter.tag"))
    prove(app, project_id=MAIN.project_id, keys=keys, only=("start",))
    app.app.close()
    assert app.startups == 1
    assert report.failure is None
    assert report.exit_code == 1
    assert report[broken].verdict is Verdict.BREACH
    assert "status 500" in report[broken].evidence[0].seen
