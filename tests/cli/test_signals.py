"""Signals, closed pipes and progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_runs import COMMAND, PseudoTerminal, environment, run, run_in_terminal
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.sandbox import Sandbox
from metastudio.sandbox import serve as serve_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


class BlockingHandler:
    """A request handler that blocks until `close`. `wait` returns when a request has arrived."""

    def __init__(self) -> None:
        self._arrived, self._announce = os.pipe()
        self._wait, self._release = os.pipe()

    def __call__(self, _: ReceivedRequest) -> CannedResponse:
        os.write(self._announce, b".")
        os.read(self._wait, 1)
        return CannedResponse(500)

    def wait(self) -> None:
        os.read(self._arrived, 1)

    def close(self) -> None:
        os.write(self._release, b"." * 100)


@pytest.mark.parametrize("arguments", [["jobs"], ["jobs", "summary"], ["watch", "x"], ["whoami"], ["curl", "/x"]])
def test_ctrl_c_ends_the_command_silently(arguments: list[str], env: dict[str, str]) -> None:
    """The process ends by the signal itself, which a shell shows as 130."""
    handler = BlockingHandler()
    with serve(handler) as server:
        settings = environment({**env, "METASTUDIO_BASE_URL": server.url})
        process = subprocess.Popen([COMMAND, *arguments], env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        handler.wait()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        handler.close()
    assert process.returncode == -signal.SIGINT
    assert err == b""
    assert b"accepted" not in out


def test_ctrl_c_in_a_terminal(env: dict[str, str]) -> None:
    handler = BlockingHandler()
    with (
        serve(handler) as server,
        PseudoTerminal("watch", "x", env={**env, "METASTUDIO_BASE_URL": server.url}) as terminal,
    ):
        handler.wait()
        terminal.type("\x03")
        assert terminal.end() == 130
        handler.close()
        assert "Traceback" not in terminal.text()
        assert terminal.raw.endswith(b"\x1b[?25h") or b"\x1b[?25l" not in terminal.raw.rpartition(b"\x1b[?25h")[2]


def test_sigterm_leaves_no_unfinished_file(tmp_path: Path, env: dict[str, str]) -> None:
    handler = BlockingHandler()
    with serve(handler) as server:
        settings = environment({**env, "METASTUDIO_BASE_URL": server.url})
        process = subprocess.Popen([COMMAND, "jobs", "--out", "jobs.csv"], env=settings, cwd=tmp_path)
        handler.wait()
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        handler.close()
    assert process.returncode == -signal.SIGTERM
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """More items than a pipe holds in any format."""
    with serve_sandbox(jobs=1200) as sandbox:
        yield sandbox


@pytest.mark.parametrize("form", ["jsonl", "csv", "table", "json"])
def test_a_closed_pipe_ends_the_command(form: str, large: Sandbox) -> None:
    """The process ends by SIGPIPE, which a shell shows as 141."""
    line = f'"$0" jobs --output {form} | head -n 1 > /dev/null; echo "${{PIPESTATUS[0]}}"'
    done = run("-c", line, COMMAND, env=large.environment, command=("bash",))
    assert (done.out, done.err) == ("141\n", "")


def test_a_full_disk_is_reported(env: dict[str, str]) -> None:
    done = run("-c", '"$0" jobs > /dev/full', COMMAND, env=env, command=("bash",))
    assert done.code == 1
    assert "No space left" in done.err
    assert "Traceback" not in done.err


def test_pages_are_written_as_they_arrive(env: dict[str, str]) -> None:
    """The first page is in the pipe before the second one is received."""
    pages = [
        b'{"count": 101, "jobs": [%s]}' % b",".join(_job(n) for n in range(start, min(start + 100, 101)))
        for start in (0, 100)
    ]
    handler = BlockingHandler()

    def respond(request: ReceivedRequest) -> CannedResponse:
        if "offset=0" not in request.target:
            handler(request)
        return CannedResponse(
            body=pages["offset=0" not in request.target], headers={"Content-Type": "application/json"}
        )

    with serve(respond) as server:
        settings = environment({**env, "METASTUDIO_BASE_URL": server.url})
        with subprocess.Popen([COMMAND, "jobs"], env=settings, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(100)]
            handler.close()
            lines += process.stdout.readlines()
    assert len(lines) == 101


def _job(number: int) -> bytes:
    return (
        b'{"job_id": "%d", "name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2023-12-08T08:30:56Z"}'
        % number
    )


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    """While a table or file is written, on standard error; it is erased at the end."""
    with serve_sandbox(jobs=250) as sandbox:
        for arguments, there in (
            (["jobs"], True),
            (["jobs", "--out", str(tmp_path / "a.csv")], True),
            (["jobs", "-o", "csv"], False),
        ):
            code, screen = run_in_terminal(*arguments, env=sandbox.environment)
            assert code == 0
            assert (b"100 of 250" in screen.raw) == there, arguments
            assert "100 of 250" not in screen.text()
            assert ("250 jobs written to" in screen.text()) == ("--out" in arguments)
        assert run("jobs", "-o", "table", env=sandbox.environment).err == ""
        assert run("jobs", "--out", tmp_path / "b.csv", env=sandbox.environment).err == ""


def test_the_command_runs_with_the_python_of_the_tests() -> None:
    assert Path(COMMAND).parent == Path(sys.executable).parent
