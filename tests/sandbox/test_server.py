"""The sandbox as a process and as a context manager: environment, ports, shutdown."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import pytest
from cli_runs import PseudoTerminal
from metastudio.sandbox import OTHER, PortTakenError, Sandbox, serve

Path_ = Callable[[str], str]
COMMAND = [str(Path(sys.executable).with_name("metastudio")), "sandbox"]
NAMES = [
    "METASTUDIO_BASE_URL",
    "HUAWEICLOUD_SDK_AK",
    "HUAWEICLOUD_SDK_SK",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "HUAWEICLOUD_SDK_PROJECT_ID",
    "METASTUDIO_TOKEN",
    "HUAWEICLOUD_SDK_IAM_ENDPOINT",
]


@contextmanager
def started(*arguments: str) -> Generator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the command. Yields the process and its `export` lines."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, [process.stdout.readline().rstrip("\n") for _ in NAMES]
        finally:
            process.kill()


def text(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_environment_and_stops_on_a_signal(path: Path_, number: signal.Signals) -> None:
    with started("--jobs", "3") as (process, lines):
        shell = ";".join([*lines, *(f'printf "%s\\n" "${name}"' for name in NAMES)])
        values = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout.split("\n")
        given = dict(zip(NAMES, values, strict=False))
        assert [line.split("=")[0] for line in lines] == [f"export {name}" for name in NAMES]
        url = given["METASTUDIO_BASE_URL"] + path(given["HUAWEICLOUD_SDK_PROJECT_ID"])
        assert httpx.get(url, headers={"X-Auth-Token": given["METASTUDIO_TOKEN"]}).json()["count"] == 3

        process.send_signal(number)

        assert process.wait(10) == 0
        assert text(process.stdout) == ""
        assert text(process.stderr).splitlines() == [f"Serving {given['METASTUDIO_BASE_URL']}; press Ctrl-C to stop."]


def test_a_command_runs_with_the_environment_and_its_exit_code(tmp_path: Path) -> None:
    listed = f"{COMMAND[0]} jobs --limit 1 --create-since '2d ago' -o json"
    shown = 'echo "$METASTUDIO_BASE_URL"; exit 7'
    for line, code, words in ((shown, 7, "http://127.0.0.1:"), (listed, 0, '"job_id"'), ("kill -9 $$", 137, "")):
        command = [*COMMAND, "--", "sh", "-c", line]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=30)
        assert (ended.returncode, ended.stderr) == (code, ""), line
        assert words in ended.stdout
    missing = subprocess.run([*COMMAND, "--", "no-such-program"], capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stderr) == (2, "Error: cannot run no-such-program: No such file or directory\n")


COUNTING = """
import signal, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append("INT"))
print("ready", flush=True)
while not got:
    time.sleep(0.02)
time.sleep(0.5)
print(f"counted {len(got)}", flush=True)
raise SystemExit(5)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
OF_SHORT_PATIENCE = """
import sys
from metastudio.sandbox import server
server.GRACE = 0.2
sys.exit(server.run(command=sys.argv[1:]))
"""


def interrupted(command: Sequence[str]) -> tuple[str, int]:
    """Interrupt a command without a terminal once it is ready, and not what it started. Return its output and code."""
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=10)[0], process.returncode
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_an_interrupt_of_one_process_reaches_the_command_once() -> None:
    assert interrupted([*COMMAND, "--", sys.executable, "-c", COUNTING]) == ("counted 1\n", 5)


def test_ctrl_c_in_a_terminal_reaches_the_command_once() -> None:
    """The terminal sends it to both processes."""
    with PseudoTerminal(env={}, command=(*COMMAND, "--", sys.executable, "-c", COUNTING)) as terminal:
        terminal.until(lambda text: "ready" in text)
        terminal.type("\x03")
        assert terminal.end() == 5
    assert "counted 1" in terminal.text()


def test_a_command_that_ignores_an_interrupt_is_terminated() -> None:
    command = [sys.executable, "-c", OF_SHORT_PATIENCE, sys.executable, "-c", STUBBORN]
    assert interrupted(command) == ("", 128 + signal.SIGTERM)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "port"),
        (["--fault", "often"], "unknown fault 'often'; use one of 500, 502"),
        (["--jobs", "-1"], "--jobs"),
        (["--spec", "nowhere.yaml"], "nowhere.yaml"),
        (["--progress", "0"], "must be longer than 0"),
        (["--data", "/dev/null/items.db"], "/dev/null/items.db"),
    ],
)
def test_the_command_reports_bad_arguments_in_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)

    assert ended.returncode == 2
    assert words in ended.stderr.splitlines()[0]
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_port_in_use_is_reported() -> None:
    with serve(jobs=0) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(PortTakenError, match=f"port {port} .* choose another") as caught, serve(port=port):
            pass
        assert "\n" not in str(caught.value)
        ended = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, check=False)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    with serve(jobs=0, port=port) as again:
        assert again.url == first.url


def test_only_the_loopback_address_is_served(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=1):
        pass


def test_it_stops_at_once_with_open_connections(path: Path_) -> None:
    with httpx.Client() as client:
        with serve(jobs=1) as sandbox:
            url, headers = sandbox.url + path(sandbox.project_id), {"X-Auth-Token": sandbox.token}
            assert client.get(url, headers=headers).status_code == 200
            threads = threading.active_count()
        assert threading.active_count() == threads - 1
        with pytest.raises(httpx.ConnectError):
            client.get(url, headers=headers)


def test_concurrent_clients(sandbox: Sandbox, path: Path_) -> None:
    url, headers = sandbox.url + path(sandbox.project_id), {"X-Auth-Token": sandbox.token}
    seen: list[tuple[int, int]] = []

    def walk(client: httpx.Client) -> None:
        for offset in range(0, 100, 10):
            response = client.get(url, headers=headers, params={"offset": offset})
            seen.append((response.status_code, len(response.json()["jobs"])))

    with httpx.Client() as client:
        threads = [threading.Thread(target=walk, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [(200, 10)] * 80


def test_attributes_for_tests(sandbox: Sandbox) -> None:
    assert set(sandbox.environment) == set(NAMES)
    assert sandbox.environment["HUAWEICLOUD_SDK_SK"] == sandbox.secret_key == sandbox.main.keys.secret_key
    assert sandbox.other == OTHER
    assert sandbox.other.project_id != sandbox.project_id
    assert sandbox.main.temporary.security_token
    assert os.environ.get("METASTUDIO_BASE_URL") != sandbox.url
