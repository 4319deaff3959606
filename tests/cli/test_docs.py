"""docs/cli.md shows every command, with its current output."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from metastudio.cli.root import commands
from metastudio_client.contract import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def sessions() -> list[tuple[str, str]]:
    """Return each command line with its output."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [
        (line, shown) for block in blocks for line, _, shown in (each.partition("\n") for each in block.split("$ ")[1:])
    ]


def test_every_command_is_in_a_session() -> None:
    run = " ".join(line for line, _ in sessions())
    for name in {*commands(OPERATIONS), "jobs summary"} - {"contract-test"}:  # documented in docs/contract-testing.md
        assert f"metastudio {name}" in run, name
    assert "metastudio contract-test" in PAGE


def test_every_session_has_output_and_no_secret() -> None:
    for line, shown in sessions():
        assert shown.strip(), line
        assert "Traceback" not in shown, line
        if line != "metastudio sandbox":  # prints the sandbox's made-up secrets
            assert "sandbox-secret" not in shown, line
            assert "sandbox-token" not in shown, line


@pytest.mark.slow
def test_the_sessions_are_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "transcript.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
