"""scripts/lint-contract: spectral and redocly find nothing in the contract, and do find what is wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from repository import ROOT

CONTRACT = ROOT / "openapi.yaml"


def lint(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "lint-contract", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def linted(contract: Path) -> subprocess.CompletedProcess[str]:
    done = lint(str(contract))
    if done.returncode == 77:
        pytest.skip(done.stdout)
    return done


def test_spectral_and_redocly_have_no_findings() -> None:
    done = linted(CONTRACT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No results with a severity of 'hint' or higher found!" in done.stdout
    assert "redocly: 0 errors, 0 warnings, 0 ignored" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        # spectral: only a warning, which must fail all the same
        ("      operationId: list_training_jobs\n", "", "operation-operationId"),
        # redocly: `nullable` without a type beside it
        (
            "        batch_name:\n          description: Name of the batch that the task belongs to.\n"
            "          type: string\n",
            "        batch_name:\n          description: Name of the batch that the task belongs to.\n",
            "nullable-type-sibling",
        ),
    ],
)
def test_findings_fail(tmp_path: Path, old: str, new: str, finding: str) -> None:
    text = CONTRACT.read_text(encoding="utf-8")
    assert text.count(old) == 1, "the contract has changed; mend this edit"
    wrong = tmp_path / "openapi.yaml"
    wrong.write_text(text.replace(old, new), encoding="utf-8")
    done = linted(wrong)
    assert done.returncode == 1, done.stdout + done.stderr
    assert finding in done.stdout


def test_without_node_it_says_so(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(Path("/bin") / name)
    done = lint(PATH=str(tools))
    assert done.returncode == 77, done.stderr
    assert done.stdout.startswith("skipped: spectral and redocly need Node")
