"""The garbage collector may end what was left early, at any point and in any thread: nothing waits for ever."""

from __future__ import annotations

import json

import reference_page
from fault_server import FaultServer, respond
from subprocesses import run_script

STREAMS = """
import gc, sys, threading
from collections import deque
import httpx
from metastudio.http.session import Session

class CollectingDeque(deque):
    "Collects garbage where the pool holds its lock."

    def append(self, item):
        gc.collect()
        super().append(item)

    def pop(self):
        gc.collect()
        return super().pop()

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=0.001)

class Cycle:
    def __init__(self, session, whole):
        self.reader = self.read(session, whole)
        next(self.reader)
        self.itself = self

    def read(self, session, whole):
        with session.stream("GET", "/") as response:
            if whole:
                response.read()
            yield response

gc.set_threshold(3, 3, 3)
gc.freeze()
with Session(base_url=sys.argv[1], limits=LIMITS, trust_env=False) as session:
    session._transport._connections._idle = CollectingDeque()

    def leave_streams():
        for number in range(80):
            Cycle(session, whole=number % 4)
    threads = [threading.Thread(target=leave_streams, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread hangs"
    gc.collect()
    assert not session._transport._connections._used
    assert session.get("/").json() == {"count": 0}
"""

ITERATIONS = """
import gc, sys, threading
from metastudio import Credentials, MetaStudio

class Cycle:
    def __init__(self, studio):
        self.jobs = studio.training_jobs.iterate(page_size=1, concurrency=3)
        next(self.jobs)
        self.itself = self

gc.set_threshold(3, 3, 3)
with MetaStudio(base_url=sys.argv[1], credentials=Credentials("AK", "SK"), project_id="p", trust_env=False) as studio:
    def leave_iterations():
        for _ in range(15):
            Cycle(studio)
    threads = [threading.Thread(target=leave_iterations, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread hangs"
    gc.collect()
    assert studio.training_jobs.list().count == 9
"""


def test_streams_left_in_reference_cycles() -> None:
    with FaultServer([respond(200, b'{"count": 0}')]) as server:
        run_script(STREAMS, server.url)


def test_iterations_left_in_reference_cycles() -> None:
    page = {"count": 9, "jobs": reference_page.examples()[0]["jobs"][:1]}
    with FaultServer([respond(200, json.dumps(page).encode())]) as server:
        run_script(ITERATIONS, server.url)
