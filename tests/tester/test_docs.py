"""Tests of docs/contract-testing.md: the example runs unchanged, and the page is complete."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from metastudio.cli.errors import TEST_MEANINGS
from metastudio.cli.testing import contract_test_command
from metastudio.tester.operation_under_test import operations_under_test
from metastudio.tester.relations import relations
from metastudio.tester.shapes import properties

DOCS = Path(__file__).parents[2] / "docs"
PAGE, EXAMPLES = (DOCS / "contract-testing.md").read_text(encoding="utf-8"), sorted((DOCS / "your-api").glob("*.yaml"))
SERVER = """
from dataclasses import replace
from metastudio.sandbox import MAIN, CONFORMING, KeyPair, SandboxSettings, SandboxApp

account = replace(MAIN, project_id="p1", keys=KeyPair("AK", "SK"))
overrides = replace(CONFORMING, total=lambda count, found, window: count + FAULT)
app = SandboxApp(SandboxSettings(accounts=(account,)), overrides=overrides)
"""


def test_every_option_is_documented() -> None:
    hidden = {"expired_token", "verbose", "debug"}
    params = contract_test_command().params
    options = [each.opts[0] for each in params if each.opts[0].startswith("-") and each.name not in hidden]
    assert len(options) > 15
    assert not [each for each in options if f"`{each}" not in PAGE and f", `{each}" not in PAGE]


@pytest.mark.parametrize("spec", [None, *EXAMPLES], ids=str)
def test_every_property_is_documented(spec: Path | None) -> None:
    [tested] = operations_under_test(spec)
    names = [each.property.id for each in relations(tested)] + [each.id for each in properties(tested)]
    for name in names:
        general = re.sub(r"^(filter|input|invalid)\.[^.]+", r"\1.NAME", name)
        general = re.sub(r"^order\.\w+\.", "order.KEY.", re.sub(r"^scope\.\w+", "scope.NAME", general))
        last = general.rpartition(".")[2]
        assert f"`{general}`" in PAGE or f"`.{last}`" in PAGE, name


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda each: each.stem)
def test_vocabulary_of_each_example_is_on_the_page(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    rules = textwrap.dedent(text[text.index("      x-list:\n") : text.index("components:\n")])
    assert f"```yaml\n{rules}```" in PAGE


def test_every_exit_code_is_documented() -> None:
    for code in TEST_MEANINGS:
        assert f"\n| {code:d} | " in PAGE


@pytest.mark.parametrize("faulty", [False, True], ids=["conforming", "faulty"])
def test_pytest_example_runs(tmp_path: Path, faulty: bool) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    assert len(code[1].strip().splitlines()) <= 12
    example = code[1].replace("max_examples=50", 'only=("total", "auth")')
    (tmp_path / "test_contract.py").write_text(example, encoding="utf-8")
    (tmp_path / "my_server.py").write_text(SERVER.replace("FAULT", str(faulty)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_contract.py"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": ""}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == faulty, done.stdout + done.stderr
    if faulty:
        assert "breach: list_training_jobs/meaning/total" in done.stdout
        assert "curl" in done.stdout
