"""Completion through the shells' protocol, and in the installed shells."""

from __future__ import annotations

import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from cli_runs import COMMAND, environment, run, run_in_terminal
from metastudio.cli.options import remember_ids, shown_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def complete(*words: str, env: Mapping[str, str] | None = None) -> list[str]:
    """Return the completions of the last word."""
    settings = {**(env or {}), "COMP_WORDS": " ".join(["metastudio", *words]), "COMP_CWORD": str(len(words))}
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


def test_regions_and_profiles(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[basic]\nak = A\nsk = S\n[test]\nak = A\nsk = S\n")
    file.chmod(0o600)
    named = {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}
    assert complete("--region", "cn-") == ["cn-north-4", "cn-east-3"]
    assert complete("jobs", "--region", "ap") == ["ap-southeast-3"]
    assert complete("--profile", "", env=named) == ["basic", "test"]
    assert complete("--profile", "", env={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path)}) == []


def test_ids_of_the_last_list_that_a_terminal_showed(env: dict[str, str], tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    run("jobs", "--limit", "3", env=env | cache)
    run_in_terminal("jobs", "--limit", "3", env=env | cache | {"METASTUDIO_NO_ID_CACHE": "1"})
    assert not [*tmp_path.iterdir()]
    assert complete("watch", "", env=cache) == []
    run_in_terminal("jobs", "--limit", "3", env=env | cache)
    [file] = (tmp_path / "metastudio").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, *others = complete("watch", "", env=cache)  # without a server
    assert len(others) == 2
    assert file.read_text() == "".join(f"{each}\n" for each in (first, *others))
    assert complete("watch", first[:8], env=cache) == complete("jobs", "watch", first[:8], env=cache) == [first]
    assert complete("watch", first, "", env=cache) == others
    run_in_terminal("jobs", "--limit", "1", env=env | cache)
    assert complete("watch", "", env=cache) == [first]


def test_ids_that_a_shell_would_interpret_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember_ids("x", ["a-1", "$(reboot)", "-rf", "a b", "a\x1b[2J", "`x`", "a;b", ""])
    assert [*shown_ids("x")] == ["a-1"]


@pytest.mark.parametrize(
    "given",
    [
        {"_METASTUDIO_COMPLETE": "bash_complete"},
        {"_METASTUDIO_COMPLETE": "zsh_complete", "COMP_WORDS": "metastudio j"},
        {"_METASTUDIO_COMPLETE": "bash_complete", "COMP_WORDS": "metastudio j", "COMP_CWORD": "x"},
        {"_METASTUDIO_COMPLETE": "bash_nonsense"},
        {"_METASTUDIO_COMPLETE": "1"},
    ],
    ids=str,
)
def test_without_a_completion_script_one_line_says_what_is_set(given: Mapping[str, str]) -> None:
    done = run("jobs", env=given)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: _METASTUDIO_COMPLETE is for completion scripts; unset it, and see metastudio completion --help\n"
    )
