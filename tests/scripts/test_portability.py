"""scripts/portability/run feeds the contract to other tools and reports what they cannot read.

The tests run one tool. `scripts/portability/run` runs all; it needs Node.js, Java and package registries.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from portability.tools import TOOLS
from repository import ROOT, Repository

SAMPLE = "schemathesis"  # the only tool in the environment of the tests


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_tool_that_reads_the_contract(repository: Repository) -> None:
    done = repository.run("scripts/portability/run", SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[0].split() == [SAMPLE, "yes", "yes", "yes", "yes", "yes"]
    assert done.stdout.endswith("1 passed, 0 failed, 0 skipped\n")


@pytest.mark.slow  # 7 s of schemathesis, as in the test above
def test_a_contract_that_the_tool_cannot_read(repository: Repository) -> None:
    version = "            - $ref: '#/components/schemas/ModelVersion'\n"
    # A closed set: responses with unknown values or nulls are refused.
    repository.edit(version + "            - $ref: '#/components/schemas/UnlistedValue'\n", version)
    # Repeated keys: `state` is not one comma-separated value.
    repository.edit("          explode: false\n", "          explode: true\n")
    done = repository.run("scripts/portability/run", SAMPLE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.split("\n")[0].split() == [SAMPLE, "yes", "yes", "**no**", "**no**", "**no**"], done.stdout
    assert "0 passed, 1 failed, 0 skipped" in done.stdout


def test_a_tool_without_its_runtime_is_skipped_with_the_reason(repository: Repository, tmp_path: Path) -> None:
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


def test_the_documentation_has_a_row_for_every_tool_and_no_failure() -> None:
    page = (ROOT / "docs" / "portability.md").read_text(encoding="utf-8")
    for tool in TOOLS:
        assert f"\n| {tool.name} |" in page, f"{tool.name} is missing: run scripts/portability/run --write"
    assert "**no**" not in page
