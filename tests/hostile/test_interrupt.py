"""Ctrl-C ends the process at once, although requests are in flight to a server that no longer responds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from cli_runs import COMMAND, environment
from fault_server import FaultServer, respond, stall

JOBS = [
    {"job_id": str(each), "name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2024-01-01T00:00:00Z"}
    for each in range(10)
]
PAGE = json.dumps({"count": 1000, "jobs": [{**job, "tags": []} for job in JOBS]}).encode()
KEYS = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
CLOSED = """
from metastudio import MetaStudio
with MetaStudio() as studio:
    list(studio.training_jobs.iterate(page_size=10, concurrency=4))
"""
NOT_CLOSED = """
from metastudio import MetaStudio
list(MetaStudio().training_jobs.iterate(page_size=10, concurrency=4))
"""


@pytest.mark.parametrize(
    "command",
    [(COMMAND, "jobs"), (sys.executable, "-c", CLOSED), (sys.executable, "-c", NOT_CLOSED)],
    ids=["cli", "closed", "not closed"],
)
def test_ctrl_c_ends_requests_in_flight(command: tuple[str, ...]) -> None:
    with FaultServer([respond(200, PAGE), stall()]) as server:
        process = subprocess.Popen(
            command,
            env=environment({**KEYS, "METASTUDIO_BASE_URL": server.url}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        give_up = time.monotonic() + 20
        while len(server.heads) < 3:
            assert time.monotonic() < give_up
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=5)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT  # a shell shows 130
    if command[0] == COMMAND:
        assert b"Traceback" not in errors
