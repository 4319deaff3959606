"""Servers that hang at the start or during a run, and interrupted runs: each run ends and reports the reason."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis.configuration import storage_directory
from metastudio.sandbox import Sandbox, serve
from metastudio.tester import Credentials, Verdict, prove
from tester_runs import credentials_of

CALLER: dict[str, Any] = {"project_id": "p1", "keys": Credentials("AKAKAKAKAK", "SKSKSKSKSK")}
IN_SCHEMATHESIS = 300
"""Number of a request of suite `shapes` that is sent by schemathesis, after the seed requests."""
Misbehaviour = Callable[[Callable[[Any], Awaitable[None]]], Awaitable[None]]


@contextmanager
def misbehaving(number: int, misbehaviour: Misbehaviour, last: int = 10**9) -> Generator[Sandbox]:
    """A sandbox that misbehaves from request `number` to request `last`."""
    sandbox = Sandbox()
    app, count = sandbox.app, iter(range(1, 10**9))

    class Middleware:
        def close(self) -> None:
            app.close()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and number <= next(count) <= last:
                await misbehaviour(send)
            else:
                await app(scope, receive, send)

    sandbox.app = Middleware()  # type: ignore[assignment]
    with sandbox:
        yield sandbox


async def hangs(_send: object) -> None:
    await asyncio.sleep(3600)


async def trickles(send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    while True:
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.1)


@contextmanager
def trickling_server(head: bytes, chunk: bytes) -> Generator[str]:
    """A server that sends the head of a response, then an endless trickle of bytes."""
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def respond() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(head)
                    while not over.wait(0.05):
                        connection.sendall(chunk)
                except OSError:
                    pass

    thread = threading.Thread(target=respond, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize(
    ("head", "chunk"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["head", "body", "chunks"],
)
def test_trickling_response_ends_the_run(head: bytes, chunk: bytes) -> None:
    with trickling_server(head, chunk) as url:
        report = prove(url, timeout=0.2, **CALLER)
    assert report.exit_code == 2
    assert "no complete response within" in (report.failure or "")
    assert report.seconds < 10


def test_server_that_stops_responding_ends_the_run() -> None:
    with misbehaving(60, hangs) as sandbox:
        report = prove(sandbox.url, timeout=1, only=("meaning", "auth"), **credentials_of(sandbox))
    assert report.exit_code == 2
    assert "stopped responding" in (report.failure or "")
    left = report.having(Verdict.NOT_EXERCISED)
    assert {"repeatable", "none"} <= {each.property.id for each in left}
    assert "the run ended early" in left[-1].note
    assert len({each.property.key for each in report.results}) == len(report.results)


def test_single_missing_response_is_retried() -> None:
    with misbehaving(30, hangs, last=30) as sandbox:
        report = prove(sandbox.url, timeout=1.5, only=("page.*",), **credentials_of(sandbox))
    assert report.exit_code == 0
    assert any("got no response and succeeded when retried" in each for each in report.notes)


def test_single_endless_response_to_schemathesis_is_retried() -> None:
    with misbehaving(IN_SCHEMATHESIS, trickles, last=IN_SCHEMATHESIS) as sandbox:
        report = prove(sandbox.url, timeout=1.5, only=("shapes",), max_examples=5, **credentials_of(sandbox))
    assert report.exit_code == 0
    assert "no complete response within" in report["shapes/answer"].note
    assert report.seconds < 30


def test_server_that_keeps_trickling_breaks_the_contract() -> None:
    with misbehaving(IN_SCHEMATHESIS, trickles) as sandbox:
        report = prove(sandbox.url, timeout=0.5, only=("shapes",), max_examples=5, **credentials_of(sandbox))
    [breach] = report.breaches
    assert breach.property.id == "answer"
    assert "no complete response within" in breach.evidence[0].seen
    assert "curl" in breach.evidence[0].commands[0]


@pytest.mark.parametrize("number", [3, IN_SCHEMATHESIS], ids=["at first", "in schemathesis"])
def test_interrupted_run_is_not_a_success_and_leaves_no_files(tmp_path: Path, number: int) -> None:
    child: list[subprocess.Popen[str]] = []

    async def interrupts(send: Callable[[Any], Awaitable[None]]) -> None:
        child[0].send_signal(signal.SIGINT)
        await hangs(send)

    with misbehaving(number, interrupts) as sandbox:
        command = [sys.executable, "-m", "metastudio.tester", sandbox.url, "--only", "shapes"]
        known = {**os.environ, **sandbox.environment, "TMPDIR": str(tmp_path)}
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        child.append(subprocess.Popen(command, env=known, cwd=tmp_path, **pipes))
        out, err = child[0].communicate(timeout=60)
    assert child[0].returncode == -signal.SIGINT, out + err  # 130 in a shell
    assert "interrupted" in err
    assert "pass" not in out
    assert list(tmp_path.iterdir()) == []


def test_files_of_hypothesis_are_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of the process may use hypothesis, too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = storage_directory("examples").path
    with serve() as sandbox:
        prove(sandbox.url, only=("shapes",), max_examples=1, **credentials_of(sandbox))
    assert storage_directory("examples").path == before
    assert list(tmp_path.iterdir()) == []
