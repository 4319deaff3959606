"""`metastudio watch` while the states of a sandbox's jobs change."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import COMMAND, PseudoTerminal, ScreenMatcher, environment, run
from metastudio.sandbox import Sandbox
from metastudio.sandbox import serve as serve_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, SECOND = "646682facddb4912976f19a4d61c6a91", "efc5300ecdba4ea48d1ff13a9d907bc0"
FAST = ["--interval", "0.02"]


@pytest.fixture
def moving() -> Iterator[Sandbox]:
    with serve_sandbox(jobs=10) as sandbox:
        yield sandbox


def move(sandbox: Sandbox, job_id: str, state: str) -> None:
    (store,) = sandbox.stores.values()
    (item,) = [item for item in store.items() if item["job_id"] == job_id]
    store.replace(job_id, {**item, "state": state})


@pytest.mark.parametrize(
    ("state", "options", "code"),
    [
        ("JOB_FINISH", [], 0),
        ("JOB_SUCCESS", [], 0),
        ("JOB_REJECT", [], 5),
        ("WAIT_USER_CONFIRM", [], 6),
        ("WAIT_USER_CONFIRM", ["--until", "wait_user_confirm"], 0),
        ("TRAIN_FAILED", ["--until", "JOB_FINISH,TRAIN_FAILED"], 0),
        ("TRAIN_FAILED", ["--timeout", "0.1"], 124),
        ("SOMETHING_NEW", ["--timeout", "0.1"], 124),
    ],
)
def test_the_exit_code_is_the_outcome(moving: Sandbox, state: str, options: list[str], code: int) -> None:
    move(moving, FIRST, state)
    done = run("watch", FIRST, *options, *FAST, env=moving.environment)
    assert done.code == code
    assert [json.loads(line)["state"] for line in done.out.splitlines()] == [state]


def test_a_line_for_each_change(moving: Sandbox) -> None:
    watch = [COMMAND, "watch", FIRST, *FAST]
    with subprocess.Popen(watch, env=environment(moving.environment), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen: list[dict[str, Any]] = []
        for state in ("TRAINING", "TRAIN_SUCCESS", "A_NEW_STATE", "JOB_FINISH"):
            move(moving, FIRST, state)
            seen.append(json.loads(process.stdout.readline()))
            assert seen[-1]["state"] == state
        assert process.stdout.read() == ""
    assert process.returncode == 0
    assert "contact" in seen[0]


def test_the_worst_outcome_of_several_counts(moving: Sandbox) -> None:
    move(moving, FIRST, "JOB_REJECT")
    move(moving, SECOND, "WAIT_USER_CONFIRM")
    env = moving.environment
    assert run("watch", FIRST, SECOND, FIRST, env=env).code == 5
    gone = run("watch", FIRST, SECOND, "unknown-id", env=env)
    assert gone.code == 3
    assert "unknown-id not found" in gone.err


def test_refused_credentials_end_watching(moving: Sandbox) -> None:
    done = run("watch", FIRST, SECOND, env={**moving.environment, "HUAWEICLOUD_SDK_SK": "wrong"})
    assert done.code == 4
    assert done.err.count("Error:") == 1
    assert done.out == ""


def test_invalid_input(env: dict[str, str]) -> None:
    for arguments in (["watch"], ["watch", ""], ["watch", "x", "--timeout", "soon"], ["watch", "x", "--timeout", "0"]):
        done = run(*arguments, env=env)
        assert done.code == 2, arguments
        assert done.err.startswith("Error: ")


def test_the_live_view(moving: Sandbox, screen_matches: ScreenMatcher) -> None:
    move(moving, SECOND, "TRAIN_FAILED")
    with PseudoTerminal(
        "watch", FIRST, SECOND, "unknown-id", *FAST, env=moving.environment, columns=90, rows=12
    ) as terminal:
        first = ("TRAINING for", "TRAIN_FAILED for", "unknown-id not found")
        terminal.until(lambda text: all(part in text for part in first))
        move(moving, FIRST, "TRAIN_SUCCESS")
        terminal.until(lambda text: "TRAIN_SUCCESS for" in text)
        move(moving, SECOND, "JOB_REJECT")
        terminal.until(lambda text: "JOB_REJECT\n" in text)
        move(moving, FIRST, "JOB_FINISH")
        assert terminal.end() == 3
        screen_matches("watch-end", re.sub(r"\d\d:\d\d:\d\d", "hh:mm:ss", terminal.marked()))


def test_the_live_view_in_a_narrow_terminal(moving: Sandbox, screen_matches: ScreenMatcher) -> None:
    move(moving, FIRST, "WAIT_USER_CONFIRM")
    with PseudoTerminal("watch", FIRST, env=moving.environment, columns=40, rows=12) as terminal:
        assert terminal.end() == 6
        screen_matches("watch-end-40", terminal.marked())


def test_every_list_with_states_has_watch(moving: Sandbox) -> None:
    move(moving, FIRST, "JOB_FINISH")
    assert run("jobs", "watch", FIRST, env=moving.environment).code == 0
