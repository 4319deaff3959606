"""Servers that hang, at once or in the middle of a run, and a run that is broken off: all of it ends, and says why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from metastudio.sandbox import Sandbox
from metastudio.tester import Credentials, Verdict, prove
from tester_runs import access

CALLER: dict[str, Any] = {"project_id": "p1", "keys": Credentials("AKAKAKAKAK", "SKSKSKSKSK")}
IN_SCHEMATHESIS = 200
"""By then a run of `shapes` has sent all requests that are made on purpose."""
Misbehaves = Callable[[Callable[[Any], Awaitable[None]]], Awaitable[None]]


@contextmanager
def from_request(number: int, misbehaves: Misbehaves, last: int = 10**9) -> Generator[Sandbox]:
    """A sandbox whose answers from one request to another are something else."""
    sandbox = Sandbox()
    app, count = sandbox.app, iter(range(1, 10**9))

    class Door:
        def close(self) -> None:
            app.close()

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if number <= next(count) <= last:
                await misbehaves(send)
            else:
                await app(scope, receive, send)

    sandbox.app = Door()  # type: ignore[assignment]
    with sandbox:
        yield sandbox


async def is_silent(_send: object) -> None:
    await asyncio.sleep(3600)


async def drips(send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    while True:
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.1)


@contextmanager
def dripping(head: bytes, drop: bytes) -> Generator[str]:
    """A server that sends the head of an answer, then drop by drop something that never ends."""
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer() -> None:
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
                        connection.sendall(drop)
                except OSError:
                    pass

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["head", "body", "chunks"],
)
def test_an_answer_that_drips_ends_the_run(head: bytes, drop: bytes) -> None:
    with dripping(head, drop) as url:
        report = prove(url, timeout=0.2, **CALLER)
    assert report.exit_code == 2
    assert "no whole answer within" in (report.failure or "")
    assert report.seconds < 10


def test_a_server_that_falls_silent_ends_the_run_and_says_what_was_left_out() -> None:
    with from_request(60, is_silent) as sandbox:
        report = prove(sandbox.url, timeout=1, only=("meaning", "auth"), **access(sandbox))
    assert report.exit_code == 2
    assert "does not answer in time any more" in (report.failure or "")
    left = report.having(Verdict.NOT_EXERCISED)
    assert {"repeatable", "none"} <= {each.property.id for each in left}
    assert "the run ended before" in left[-1].note
    assert len({each.property.key for each in report.results}) == len(report.results)


def test_one_answer_that_never_came_is_asked_for_again() -> None:
    with from_request(30, is_silent, last=30) as sandbox:
        report = prove(sandbox.url, timeout=1.5, only=("page.*",), **access(sandbox))
    assert report.exit_code == 0
    assert any("had no answer and were answered well when they were sent once more" in each for each in report.notes)


def test_an_answer_to_schemathesis_that_never_ends_ends_the_run() -> None:
    with from_request(IN_SCHEMATHESIS, drips, last=IN_SCHEMATHESIS) as sandbox:
        report = prove(sandbox.url, timeout=1.5, only=("shapes",), max_examples=5, **access(sandbox))
    assert report.exit_code == 2
    assert "an answer did not end" in (report.failure or "")
    assert report.seconds < 30


def test_a_server_that_drips_from_then_on_breaks_the_contract() -> None:
    with from_request(IN_SCHEMATHESIS, drips) as sandbox:
        report = prove(sandbox.url, timeout=0.5, only=("shapes",), max_examples=5, **access(sandbox))
    [breach] = report.breaches
    assert breach.property.id == "answer"
    assert "no whole answer within" in breach.evidence[0].seen
    assert "curl" in breach.evidence[0].commands[0]


@pytest.mark.parametrize("number", [3, IN_SCHEMATHESIS], ids=["at first", "in schemathesis"])
def test_a_run_that_is_broken_off_is_no_success(number: int) -> None:
    child: list[subprocess.Popen[str]] = []

    async def interrupts(send: Callable[[Any], Awaitable[None]]) -> None:
        child[0].send_signal(signal.SIGINT)
        await is_silent(send)

    with from_request(number, interrupts) as sandbox:
        command = [sys.executable, "-m", "metastudio.tester", sandbox.url, "--only", "shapes"]
        known = {**os.environ, **sandbox.environment}
        started = time.monotonic()
        child.append(subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        out, err = child[0].communicate(timeout=60)
    assert child[0].returncode == 130, out + err
    assert "interrupted" in err
    assert "pass" not in out
    assert time.monotonic() - started < 30
