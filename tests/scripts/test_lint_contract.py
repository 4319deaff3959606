"""scripts/lint-contract: spectral and redocly find nothing in the contracts, and their findings fail the run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from repository import ROOT, replace_once

CONTRACT = ROOT / "openapi.yaml"
SECOND = ROOT / "tests" / "contract" / "second.yaml"


def run_linters(*arguments: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "lint-contract", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def lint(contract: Path) -> subprocess.CompletedProcess[str]:
    done = run_linters(contract)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    return done


# Installing the two Node programs takes half a minute of CPU time, more than any other test. Run
# them after a change to the contract.
@pytest.mark.slow
@pytest.mark.parametrize("contract", [CONTRACT, SECOND], ids=["openapi.yaml", "second.yaml"])
def test_no_findings(contract: Path) -> None:
    done = lint(contract)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No results with a severity of 'hint' or higher found!" in done.stdout
    assert "redocly: 0 errors, 0 warnings, 0 ignored" in done.stdout


@pytest.mark.slow
def test_warnings_of_either_linter_fail(tmp_path: Path) -> None:
    contract = tmp_path / "openapi.yaml"
    contract.write_text(CONTRACT.read_text(encoding="utf-8"), encoding="utf-8")
    replace_once(contract, "      operationId: list_training_jobs\n", "")
    name = "          description: Name of the batch that the task belongs to.\n"
    replace_once(contract, name + "          type: string\n", name)
    done = lint(contract)
    assert done.returncode == 1, done.stdout + done.stderr
    spectral, _, redocly = done.stdout.partition("✖")
    assert "operation-operationId" in spectral
    assert "nullable-type-sibling" in redocly


def test_without_node_the_linters_are_skipped_with_the_reason(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(Path("/bin") / name)
    done = run_linters(PATH=str(tools))
    assert done.returncode == 77, done.stderr
    assert done.stdout.startswith("skipped: spectral and redocly need Node")
