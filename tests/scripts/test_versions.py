"""The version must move as far as the contract changed, and --diff chooses the revision to compare with.

The rules are tested in this process; two tests at the end run `./generate.sh --check` and `--diff`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from contract_edits import EDITS, Workbench, git
from metastudio.contract import ContractError
from repository import ROOT, Repository, replace_once

_LINES = (ROOT / "openapi.yaml").read_text(encoding="utf-8").splitlines()
VERSION_PLACE = f"openapi.yaml:{_LINES.index('  version: 1.0.0') + 1}:3:"

BY_CODE = {code: next(edit for edit in EDITS if edit.code == code) for code in (0, 10, 20, 30)}


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A git repository whose contract and project have version 1.0.0."""
    return Workbench(tmp_path)


def set_versions(bench: Workbench, contract: str, project: str) -> None:
    replace_once(bench.contract, "  version: 1.0.0\n", f"  version: {contract}\n")
    replace_once(bench.project, 'version = "1.0.0"', f'version = "{project}"')


@pytest.mark.parametrize(
    ("code", "enough", "too_low"),
    [(0, "1.0.1", "1.0.0"), (10, "1.1.0", "1.0.9"), (20, "2.0.0", "1.9.9"), (30, "2.0.0", "1.1.0")],
)
def test_each_grade_has_a_lowest_version(bench: Workbench, code: int, enough: str, too_low: str) -> None:
    bench.git("tag", "v1.0.0")
    bench.apply(BY_CODE[code])
    set_versions(bench, enough, too_low)
    failed, output = bench.check_versions()
    assert failed == 1
    assert output.startswith("pyproject.toml:7:1: since v1.0.0 the contract changed ("), output
    assert f"at least {enough}, not {too_low}" in output
    assert "openapi.yaml:" not in output

    bench.restore()
    bench.apply(BY_CODE[code])
    set_versions(bench, too_low, enough)
    failed, output = bench.check_versions()
    assert failed == 1
    assert output.startswith(f"{VERSION_PLACE} since v1.0.0"), output

    bench.restore()
    bench.apply(BY_CODE[code])
    set_versions(bench, enough, enough)
    assert bench.check_versions() == (0, "")


def test_an_unchanged_contract_allows_higher_versions_only(bench: Workbench) -> None:
    bench.git("tag", "v1.0.0")
    assert bench.check_versions() == (0, "")
    set_versions(bench, "1.0.0", "3.0.0")
    assert bench.check_versions() == (0, "")
    bench.restore()
    set_versions(bench, "0.9.0", "1.0.0")
    failed, output = bench.check_versions()
    assert failed == 1
    assert "at least 1.0.0, not 0.9.0" in output


def test_before_the_first_release_the_versions_must_be_equal(bench: Workbench) -> None:
    bench.apply(BY_CODE[30])
    assert bench.check_versions() == (0, "")
    set_versions(bench, "1.1.0", "1.0.0")
    failed, output = bench.check_versions()
    assert failed == 1
    assert output.startswith(f"{VERSION_PLACE} ")
    assert "1.1.0 here" in output
    assert "1.0.0 in pyproject.toml" in output


def test_only_release_tags_with_a_contract_count(bench: Workbench) -> None:
    bench.apply(BY_CODE[30])
    bench.git("tag", "nightly")
    bench.git("rm", "--quiet", "--cached", "openapi.yaml")
    bench.git("commit", "--quiet", "--message", "before the contract")
    bench.git("tag", "v0.1.0")
    bench.commit()
    assert bench.check_versions() == (0, "")


def test_malformed_version(bench: Workbench) -> None:
    set_versions(bench, "'1.0'", "1.0.0")
    failed, output = bench.check_versions()
    assert failed == 1
    assert output.startswith(f"{VERSION_PLACE} ")
    assert "MAJOR.MINOR.PATCH" in output


def test_without_git_history(bench: Workbench) -> None:
    shutil.rmtree(bench.root / ".git")
    assert bench.check_versions() == (0, "")
    for revision in ("", "HEAD"):
        with pytest.raises(ContractError, match=r"^git has no "):
            bench.compare(revision)


def test_a_released_contract_that_the_checks_of_today_refuse(bench: Workbench) -> None:
    text = bench.contract.read_text(encoding="utf-8")
    replace_once(bench.contract, "      x-list:\n", "      x-lists:\n")
    bench.commit()
    bench.git("tag", "v0.9.0")
    bench.contract.write_text(text, encoding="utf-8")
    code, output = bench.check_versions()
    assert code == 0, output
    assert "The contract of v0.9.0" in output
    assert "the versions were not compared" in output
    with pytest.raises(ContractError, match=r"openapi\.yaml@v0\.9\.0:.*did you mean 'x-list'\?"):
        bench.compare()


def test_the_revision_to_compare_with(bench: Workbench) -> None:
    def last_line(revision: str = "") -> str:
        return bench.compare(revision)[1].splitlines()[-1]

    with pytest.raises(ContractError, match=r"git has no earlier openapi\.yaml"):
        bench.compare()  # there is one commit, and the file is as committed

    first = bench.git("rev-parse", "--short", "HEAD")
    bench.apply(BY_CODE[10])
    assert last_line() == "openapi.yaml since HEAD: additive"
    bench.commit()
    assert last_line() == f"openapi.yaml since {first}: additive"
    bench.git("commit", "--quiet", "--allow-empty", "--message", "another file")
    assert last_line() == f"openapi.yaml since {first}: additive"
    assert last_line("HEAD") == "openapi.yaml since HEAD: no change"

    bench.git("tag", "v1.0.0")
    assert last_line() == "openapi.yaml since v1.0.0: no change"
    bench.apply(BY_CODE[30])
    bench.commit()
    assert last_line() == "openapi.yaml since v1.0.0: breaking for clients"
    assert last_line(first) == f"openapi.yaml since {first}: breaking for clients"
    bench.git("branch", "team/more", first)
    assert last_line("team/more") == "openapi.yaml since team/more: breaking for clients"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A copy of the repository under git, without commits."""
    copy = Repository(tmp_path)
    git(copy.root, "init", "--quiet")
    return copy


def commit(repository: Repository) -> None:
    git(repository.root, "add", "openapi.yaml", "pyproject.toml")
    git(repository.root, "commit", "--quiet", "--message", "contract")


def test_check_includes_the_versions(repository: Repository) -> None:
    text = repository.contract.read_text(encoding="utf-8")
    for old, new in BY_CODE[0].replace:
        repository.edit(old, new)
    commit(repository)
    git(repository.root, "tag", "v1.0.0")
    repository.contract.write_text(text, encoding="utf-8")
    done = repository.generate("--check")
    assert done.returncode == 1
    assert "generated/metastudio_client is what openapi.yaml gives" in done.stdout
    assert f"{VERSION_PLACE} since v1.0.0 the contract changed (cosmetic)" in done.stderr
    assert "at least 1.0.1, not 1.0.0" in done.stderr


def test_diff_writes_nothing_generating_shows_it_and_an_invalid_contract_is_refused(repository: Repository) -> None:
    commit(repository)
    before = repository.snapshot("generated")
    for old, new in BY_CODE[20].replace:
        repository.edit(old, new)
    done = repository.generate("--diff")
    assert done.returncode == 20, done.stderr
    assert done.stdout.endswith("openapi.yaml since HEAD: breaking for servers\n")
    assert repository.snapshot("generated") == before
    done = repository.generate()
    assert done.returncode == 0
    written, *summary, grade, remedy = done.stdout.splitlines()
    assert written == "generated/metastudio_client: written"
    assert summary
    assert grade == "openapi.yaml since HEAD: breaking for servers"
    assert remedy.startswith("Next: ./test.sh")
    repository.edit("total: /count", "total: /cnt")
    done = repository.generate("--diff")
    assert done.returncode == 2
    assert done.stderr.startswith("openapi.yaml:")
    assert "Traceback" not in done.stderr
    done = repository.generate("--diff", "HEAD", "--check")
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr
