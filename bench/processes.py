"""The processes of a run: the server, one worker for each client, and processes measured from start to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.prepare import ROOT, Prepared

# Isolated, so that neither the environment nor site-packages decides what is imported.
PYTHON = [sys.executable, "-I", "-S"]
FOLDER = ROOT / "bench"


class JsonProcess:
    """A child process that exchanges lines of JSON and ends when its standard input is closed."""

    def __init__(self, *arguments: object) -> None:
        command = [*PYTHON, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended; see its error above")
        return json.loads(line)

    def ask(self, name: str, **arguments: object) -> dict[str, float]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        result: dict[str, float] = self.read()
        return result

    def close(self) -> None:
        self._process.communicate(timeout=30)


@contextmanager
def server(prepared: Prepared, latencies: list[float]) -> Generator[dict[str, str]]:
    """Run the server. Yields the URL of each of its ports by name."""
    process = JsonProcess(FOLDER / "server.py", prepared.jobs, prepared.certificate, *latencies)
    try:
        ports = process.read().items()
        yield {name: f"{'https' if name == 'tls' else 'http'}://127.0.0.1:{port}" for name, port in ports}
    finally:
        process.close()


@contextmanager
def workers(prepared: Prepared, url: str, *peers: str) -> Generator[dict[str, JsonProcess]]:
    """Run one worker for each client, connected to the server at `url`."""
    with ExitStack() as stack:
        found: dict[str, JsonProcess] = {}
        for peer in peers:
            found[peer] = JsonProcess(FOLDER / "worker.py", prepared.sites[peer], peer, url)
            stack.callback(found[peer].close)
        for worker in found.values():
            worker.read()
        yield found


def run(site: object, code: str, *arguments: object) -> dict[str, float]:
    """Run `code` in a new interpreter whose only site directory is `site`.

    Returns:
        Seconds of CPU and wall time from the start of the process to its end.
    """
    paths = f"import sys; sys.path[:0] = [{str(site)!r}, {str(FOLDER)!r}]\n"
    started = time.perf_counter()
    process = subprocess.Popen([*PYTHON, "-c", paths + code, *map(str, arguments)])
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"failed: {code}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall}
