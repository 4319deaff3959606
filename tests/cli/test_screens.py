"""Screens in a terminal, compared with stored and reviewed ones."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from cli_runs import ScreenMatcher, run_in_terminal
from loopback import CannedResponse
from loopback import serve as serve_fixed
from metastudio.sandbox import serve
from rich.cells import cell_len

COMMANDS = {
    "help": (90, "--help"),
    "help-40": (40, "--help"),
    "jobs-help": (90, "jobs --help"),
    "jobs-100": (100, "jobs --limit 30"),
    "jobs-80": (80, "jobs --limit 5"),
    "jobs-160": (160, "jobs --limit 5"),
    "jobs-40": (40, "jobs --limit 2"),
    "jobs-columns": (100, "jobs --limit 12 --columns name,state,tags,batch_name,last_update_time"),
    "jobs-columns-40": (40, "jobs --limit 2 --columns state,name,tags,cover_download_url"),
    "jobs-none": (100, "jobs --job-id unknown-id"),
    "jobs-json": (100, "jobs --limit 1 --output json"),
    "summary-100": (100, "jobs summary"),
    "summary-40": (40, "jobs summary"),
    "whoami": (100, "whoami"),
    "watch-help": (90, "watch --help"),
    "unknown-option": (80, "jobs --sate TRAINING"),
    "unknown-command": (80, "jbos"),
    "unknown-column": (80, "jobs --columns nmae"),
    "near-value": (80, "jobs --state TRAINNG"),
    "refused": (140, "--project-id fedcba9876543210fedcba9876543210 jobs"),
    "curl-token": (80, "curl https://example.com/"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_screen(name: str, env: dict[str, str], screen_matches: ScreenMatcher) -> None:
    columns, arguments = COMMANDS[name]
    code, screen = run_in_terminal(*arguments.split(), env=env, columns=columns)
    screen_matches(name, f"$ metastudio {arguments}\n{screen.marked()}exit code {code}\n")


def test_unlisted_values_are_shown(screen_matches: ScreenMatcher) -> None:
    """Unlisted states have their own colour and group; unknown properties and nulls are accepted."""
    with serve(jobs=40, newer=True) as newer:
        for name, arguments in {"newer-jobs": "jobs", "newer-summary": "jobs summary"}.items():
            code, screen = run_in_terminal(*arguments.split(), env=newer.environment)
            screen_matches(name, f"$ metastudio {arguments}\n{screen.marked()}exit code {code}\n")


def test_folded_wide_characters_are_aligned(env: dict[str, str], screen_matches: ScreenMatcher) -> None:
    names = ["数字人" * 20, "a" + "数" * 30, "短", "plain", "e\u0301 🚀 " * 12, "x" * 60]
    jobs = [
        {
            "job_id": f"id-{n}",
            "name": name,
            "state": "TRAINING",
            "project_id": "p",
            "create_time": "2023-12-08T08:30:56Z",
        }
        for n, name in enumerate(names)
    ]
    body = json.dumps({"count": len(jobs), "jobs": jobs}).encode()
    with serve_fixed(lambda _: CannedResponse(body=body, headers={"Content-Type": "application/json"})) as server:
        settings = {**env, "METASTUDIO_BASE_URL": server.url}
        code, screen = run_in_terminal("jobs", env=settings, columns=70)
    assert code == 0
    screen_matches("wide", screen.text())
    lines = screen.text().splitlines()[1:-1]
    first = [line for line in lines if "TRAINING" in line]
    assert {cell_len(line.partition("TRAINING")[0]) for line in first} == {cell_len(first[0].partition("TRAINING")[0])}
    folded = "".join(line[8:].partition("TRAINING")[0].strip() for line in lines)
    assert folded.replace(" ", "") == unicodedata.normalize("NFC", "".join(names)).replace(" ", "")


@pytest.mark.parametrize(
    ("setting", "sequence"),
    [({"NO_COLOR": "1"}, rb"\x1b\[[\d;]*m"), ({"TERM": "dumb"}, rb"\x1b")],
    ids=["NO_COLOR", "dumb"],
)
def test_colours_can_be_disabled(setting: dict[str, str], sequence: bytes, env: dict[str, str]) -> None:
    for arguments in (["jobs", "--limit", "3"], ["jobs", "--nope"], ["jobs", "summary"]):
        assert not re.search(sequence, run_in_terminal(*arguments, env={**env, **setting})[1].raw)
