"""The script that feeds the contract to other tools: a fast sample of it, and that it sees what is wrong.

All tools: scripts/portability/run (needs Node.js, Java and package registries).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from portability.tools import TOOLS
from repository import ROOT, Repository

SAMPLE = "schemathesis"  # the one tool that is in the tests' environment


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_tool_that_can_read_the_contract(repository: Repository) -> None:
    done = repository.run("scripts/portability/run", SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[0].split() == [SAMPLE, "yes", "yes", "yes", "yes", "yes"]
    assert done.stdout.endswith("1 passed, 0 failed, 0 skipped\n")


@pytest.mark.parametrize(
    ("old", "new", "verdicts"),
    [
        # a closed set: the answer with unknown values, and the one with nulls, are refused
        (
            "            - $ref: '#/components/schemas/ModelVersion'\n"
            "            - $ref: '#/components/schemas/UnlistedValue'\n",
            "            - $ref: '#/components/schemas/ModelVersion'\n",
            ["yes", "yes", "**no**", "**no**", "yes"],
        ),
        ("          explode: false\n", "          explode: true\n", ["yes", "yes", "yes", "yes", "**no**"]),
    ],
)
def test_a_tool_that_cannot(repository: Repository, old: str, new: str, verdicts: list[str]) -> None:
    repository.edit(old, new)
    done = repository.run("scripts/portability/run", SAMPLE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.split("\n")[0].split() == [SAMPLE, *verdicts], done.stdout
    assert "0 passed, 1 failed, 0 skipped" in done.stdout


def test_a_tool_whose_runtime_is_missing_is_skipped_with_the_reason(repository: Repository, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    done = repository.run("scripts/portability/run", "hey-api", "openapi-generator typescript-fetch", PATH=str(tools))
    assert done.returncode == 0, done.stderr
    assert "there is no node on the PATH" in done.stdout
    assert "there is no java and no node on the PATH" in done.stdout
    assert "0 passed, 0 failed, 2 skipped" in done.stdout


def test_the_page_has_a_line_for_every_tool_and_no_failure() -> None:
    page = (ROOT / "docs" / "portability.md").read_text(encoding="utf-8")
    for tool in TOOLS:
        assert f"\n| {tool.name} |" in page, f"{tool.name} is missing: run scripts/portability/run --write"
    assert "**no**" not in page
