"""The versions move with the contract, and --diff finds what to compare with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from contract_edits import EDITS, Edit, Workbench

BY_CODE = {code: next(edit for edit in EDITS if edit.code == code) for code in (0, 10, 20, 30)}
VERSION = "  version: 1.0.0\n"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A copy under git whose contract and project have version 1.0.0."""
    return Workbench(tmp_path)


def make(bench: Workbench, edit: Edit) -> None:
    for old, new in edit.replace:
        bench.repository.edit(old, new)


def versions(bench: Workbench, contract: str, project: str) -> None:
    bench.repository.edit(VERSION, f"  version: {contract}\n")
    path = bench.repository.root / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count('version = "1.0.0"') == 1
    path.write_text(text.replace('version = "1.0.0"', f'version = "{project}"'), encoding="utf-8")


CHECK = """
import sys
sys.path[:0] = ["scripts"]
from contract_diff import history
from metastudio.contract import load
sys.exit(history.check_versions(load("openapi.yaml")))
"""


def check(bench: Workbench) -> tuple[int, str]:
    """The part of `--check` about versions: the exit code, and what it says."""
    done = bench.repository.run(sys.executable, "-c", CHECK)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_check_of_generate_includes_the_versions(bench: Workbench) -> None:
    bench.git("tag", "v1.0.0")
    make(bench, BY_CODE[0])
    assert bench.repository.generate().returncode == 0
    done = bench.repository.generate("--check")
    assert done.returncode == 1
    assert "generated/metastudio_client is what openapi.yaml gives" in done.stdout
    assert "openapi.yaml:12:3: since v1.0.0 the contract changed (cosmetic): at least 1.0.1, not 1.0.0" in done.stderr


@pytest.mark.parametrize(
    ("code", "enough", "too_little"),
    [(0, "1.0.1", "1.0.0"), (10, "1.1.0", "1.0.9"), (20, "2.0.0", "1.9.9"), (30, "2.0.0", "1.1.0")],
)
def test_versions_move_as_far_as_the_contract_did(bench: Workbench, code: int, enough: str, too_little: str) -> None:
    bench.git("tag", "v1.0.0")
    make(bench, BY_CODE[code])
    versions(bench, enough, too_little)
    failed, said = check(bench)
    assert failed == 1
    assert said.startswith("pyproject.toml:7:1: since v1.0.0 the contract changed ("), said
    assert f"at least {enough}, not {too_little}" in said
    assert "openapi.yaml:" not in said

    bench.git("checkout", "--quiet", "--", "pyproject.toml", "openapi.yaml")
    make(bench, BY_CODE[code])
    versions(bench, too_little, enough)
    failed, said = check(bench)
    assert failed == 1
    assert said.startswith("openapi.yaml:12:3: since v1.0.0"), said

    bench.git("checkout", "--quiet", "--", "pyproject.toml", "openapi.yaml")
    make(bench, BY_CODE[code])
    versions(bench, enough, enough)
    assert check(bench) == (0, "")


def test_a_release_of_the_same_contract_may_move_further_but_not_back(bench: Workbench) -> None:
    bench.git("tag", "v1.0.0")
    assert check(bench) == (0, "")
    versions(bench, "1.0.0", "3.0.0")
    assert check(bench) == (0, "")
    bench.git("checkout", "--quiet", "--", "pyproject.toml", "openapi.yaml")
    versions(bench, "0.9.0", "1.0.0")
    failed, said = check(bench)
    assert failed == 1
    assert "at least 1.0.0, not 0.9.0" in said


def test_before_the_first_release_the_versions_are_equal(bench: Workbench) -> None:
    make(bench, BY_CODE[30])
    assert check(bench) == (0, "")
    versions(bench, "1.1.0", "1.0.0")
    failed, said = check(bench)
    assert failed == 1
    assert "1.1.0 here and 1.0.0 in pyproject.toml are to be one" in said


def test_a_tag_that_is_no_release_and_one_without_a_contract_do_not_count(bench: Workbench) -> None:
    make(bench, BY_CODE[30])
    bench.git("tag", "nightly")
    bench.git("rm", "--quiet", "--cached", "openapi.yaml")
    bench.git("commit", "--quiet", "--message", "before the contract")
    bench.git("tag", "v0.1.0")
    bench.commit()
    assert check(bench) == (0, "")


def test_a_version_that_is_none(bench: Workbench) -> None:
    versions(bench, "'1.0'", "1.0.0")
    failed, said = check(bench)
    assert failed == 1
    assert said == "openapi.yaml:12:3: the version is MAJOR.MINOR.PATCH, not 1.0\n"


def test_without_history(bench: Workbench) -> None:
    shutil.rmtree(bench.repository.root / ".git")
    assert check(bench) == (0, "")
    for arguments in (["--diff"], ["--diff", "HEAD"]):
        done = bench.repository.generate(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("git has no "), done.stderr
        assert "Traceback" not in done.stderr


def test_a_released_contract_that_todays_rules_refuse(bench: Workbench) -> None:
    text = bench.repository.contract.read_text(encoding="utf-8")
    bench.repository.edit("      x-list:\n", "      x-lists:\n")
    bench.commit()
    bench.git("tag", "v0.9.0")
    bench.repository.contract.write_text(text, encoding="utf-8")
    code, said = check(bench)
    assert code == 0, said
    assert "The contract of v0.9.0 is none by today's rules" in said
    done = bench.repository.generate("--diff")
    assert done.returncode == 2
    assert "openapi.yaml@v0.9.0:" in done.stderr
    assert "did you mean 'x-list'?" in done.stderr


def test_what_is_compared_with(bench: Workbench) -> None:
    def diff(*arguments: str) -> str:
        return bench.repository.generate("--diff", *arguments).stdout.splitlines()[-1]

    done = bench.repository.generate("--diff")
    assert done.returncode == 2, "one commit, and the file is that commit's"
    assert "git has no earlier openapi.yaml" in done.stderr

    first = bench.git("rev-parse", "--short", "HEAD")
    make(bench, BY_CODE[10])
    assert diff() == "openapi.yaml since HEAD: additive"
    bench.commit()
    assert diff() == f"openapi.yaml since {first}: additive", "the commit before the last that changed the file"
    bench.git("commit", "--quiet", "--allow-empty", "--message", "something else")
    assert diff() == f"openapi.yaml since {first}: additive"
    assert diff("HEAD") == "openapi.yaml since HEAD: no change"

    bench.git("tag", "v1.0.0")
    assert diff() == "openapi.yaml since v1.0.0: no change"
    make(bench, BY_CODE[30])
    bench.commit()
    assert diff() == "openapi.yaml since v1.0.0: breaking for clients"
    assert diff(first) == f"openapi.yaml since {first}: breaking for clients"
    bench.git("branch", "team/more", first)
    assert diff("team/more") == "openapi.yaml since team/more: breaking for clients"


def test_diff_writes_nothing_and_refuses_a_wrong_contract(bench: Workbench) -> None:
    before = bench.repository.snapshot("generated", "overlays")
    make(bench, BY_CODE[20])
    assert bench.repository.generate("--diff").returncode == 20
    assert bench.repository.snapshot("generated", "overlays") == before
    bench.repository.edit("total: /count", "total: /cnt")
    done = bench.repository.generate("--diff")
    assert done.returncode == 2
    assert "openapi.yaml:" in done.stderr
    done = bench.repository.generate("--diff", "HEAD", "--check")
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr
