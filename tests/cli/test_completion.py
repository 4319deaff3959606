"""Completion through the shells' protocol, and in the installed shells."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cli_runs import COMMAND, environment, run

if TYPE_CHECKING:
    from collections.abc import Sequence


def complete(*words: str) -> list[str]:
    """Return the completions of the last word."""
    settings = {"COMP_WORDS": " ".join(["metastudio", *words]), "COMP_CWORD": str(len(words))}
    done = run(env={**settings, "_METASTUDIO_COMPLETE": "bash_complete"})
    assert (done.code, done.err) == (0, "")
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["j"], ["jobs"]),
        (["con"], ["contract-test"]),
        (["jobs", "s"], ["summary"]),
        (["jobs", "--sta"], ["--state"]),
        (["jobs", "--state", "TRAIN_"], ["TRAIN_FAILED", "TRAIN_SUCCESS"]),
        (["jobs", "--state", "job_f"], ["JOB_FINISH"]),
        (["jobs", "--state", "TRAINING,TRAIN_F"], ["TRAINING,TRAIN_FAILED"]),
        (["jobs", "--state", "JOB_FINISH,JOB_P"], ["JOB_FINISH,JOB_PENDING"]),
        (["jobs", "--state", "JOB_FINISH,JOB_F"], []),
        (["jobs", "--state", "TRAINNG", "--state", "TRAIN_F"], ["TRAIN_FAILED"]),
        (["jobs", "--sort-dir", ""], ["asc", "desc"]),
        (["jobs", "--model-resolution", ""], ["1080P", "4K"]),
        (["jobs", "--columns", "name,creat"], ["name,create_time"]),
        (["jobs", "--output", "js"], ["json", "jsonl"]),
        (["watch", "x", "--until", "JOB_S"], ["JOB_SUCCESS"]),
        (["sandbox", "--fault", "50"], ["500", "502", "503", "504"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)  # fmt: skip
def test_completions_of_the_last_word(words: Sequence[str], found: list[str]) -> None:
    assert complete(*words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_valid_shell_code(shell: str) -> None:
    script = run("completion", shell, env={}).out
    assert f"_METASTUDIO_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        checked = run("-n", env={}, command=(shell,), stdin=script)
        assert (checked.code, checked.err) == (0, "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes() -> None:
    program = """
        eval "$(metastudio completion bash)"
        COMP_WORDS=(metastudio jobs --state TRAIN_) COMP_CWORD=3
        _metastudio_completion metastudio
        echo "${COMPREPLY[@]}"
    """
    path = environment({})["PATH"]
    folder = COMMAND.rpartition("/")[0]
    done = subprocess.run(
        ["bash", "-c", program],
        env=environment({"PATH": f"{folder}:{path}"}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "TRAIN_FAILED TRAIN_SUCCESS\n"
