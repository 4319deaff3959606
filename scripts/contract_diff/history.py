"""Compare the contract with an earlier revision in git, for `./generate.sh --diff` and the check of versions."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from metastudio.contract import ContractError, Document, check, load

from contract_diff.diff import compare
from contract_diff.grades import Grade, overall, report

ROOT = Path(__file__).resolve().parents[2]
_CONTRACT, _PROJECT = "openapi.yaml", "pyproject.toml"
_RELEASES = "v[0-9]*"  # pattern of release tags such as v1.2.3


def show(document: Document, revision: str) -> int:
    """Print the changes since a revision.

    Args:
        document: The contract today.
        revision: A commit, branch or tag; "" chooses the last release, else the last revision that differs.

    Returns:
        The exit code of the overall grade.

    Raises:
        ContractError: The revision has no contract, or one that does not pass `check`.
    """
    revision = revision or _chosen(document)
    changes = compare(_earlier(revision), document)
    if changes:
        print(report(changes), end="\n\n")
    grade = overall(changes)
    print(f"openapi.yaml since {revision}: {grade}")
    return grade.exit_code


def check_versions(document: Document) -> int:
    """Check that the versions moved as far as the contract changed since the last release.

    Returns:
        0, or 1 after an error was printed.
    """
    versions = {_CONTRACT: document.data["info"]["version"], _PROJECT: _project_version((ROOT / _PROJECT).read_text())}
    for name, version in versions.items():
        if _parsed(version) is None:
            print(f"{_place(document, name)}: version {version} is not MAJOR.MINOR.PATCH", file=sys.stderr)
            return 1
    release = _last_release()
    if release is None:
        if len(set(versions.values())) == 1:
            return 0
        message = (
            f"before the first release the versions must be equal: {versions[_CONTRACT]} here, "
            f"{versions[_PROJECT]} in {_PROJECT}"
        )
        print(f"{_place(document, _CONTRACT)}: {message}", file=sys.stderr)
        return 1
    try:
        earlier = _earlier(release)
    except ContractError as error:
        print(f"The contract of {release} does not pass today's checks, so the versions were not compared:\n{error}")
        return 0
    grade = overall(compare(earlier, document))
    before = {
        _CONTRACT: earlier.data["info"]["version"],
        _PROJECT: _project_version(_git("show", f"{release}:./{_PROJECT}")),
    }
    failed = 0
    for name, version in versions.items():
        least = required(before[name], grade)
        if (_parsed(version) or ()) < (_parsed(least) or ()):
            message = f"since {release} the contract changed ({grade}): at least {least}, not {version}"
            print(f"{_place(document, name)}: {message}", file=sys.stderr)
            failed = 1
    return failed


def required(version: str, grade: Grade) -> str:
    """Return the lowest version that may follow: breaking moves MAJOR, additive MINOR, cosmetic PATCH."""
    major, minor, patch = _parsed(version) or (0, 0, 0)
    if grade.breaking:
        return f"{major + 1}.0.0"
    if Grade.ADDITIVE in grade:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if grade else version


def _chosen(document: Document) -> str:
    """Return the last release; before the first one HEAD, or the last commit that differs if HEAD does not."""
    release = _last_release()
    if release:
        return release
    committed = _git("show", f"HEAD:./{_CONTRACT}")
    if committed and committed != document.text:
        return "HEAD"
    commits = _git("log", "-n", "2", "--format=%h", "--", _CONTRACT).split()
    if len(commits) < 2:
        raise ContractError(
            f"git has no earlier {_CONTRACT} to compare with; pass a revision: ./generate.sh --diff REV"
        )
    return commits[1]


def _last_release() -> str | None:
    tag = _git("describe", "--tags", "--abbrev=0", "--match", _RELEASES).strip()
    return tag if tag and _git("show", f"{tag}:./{_CONTRACT}") else None


def _earlier(revision: str) -> Document:
    text = _git("show", f"{revision}:./{_CONTRACT}")
    if not text:
        raise ContractError(f"git has no {_CONTRACT} at {revision}; pass a commit, branch or tag that has one")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_CONTRACT}@{revision.replace('/', '-')}"
        path.write_text(text, encoding="utf-8")
        document = load(path)
    check(document)
    return document


def _git(*command: str) -> str:
    """Return the output of git, "" if it fails, is not installed or finds no repository."""
    try:
        done = subprocess.run(
            ["git", *command],  # noqa: S607 - the git on the PATH
            cwd=ROOT,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except OSError:
        return ""
    return "" if done.returncode else done.stdout


def _project_version(text: str) -> str:
    return str(tomllib.loads(text)["project"]["version"]) if text else "0.0.0"


def _parsed(version: str) -> tuple[int, ...] | None:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", str(version))
    return tuple(int(part) for part in found.groups()) if found else None


def _place(document: Document, name: str) -> str:
    if name == _CONTRACT:
        line, column = document.position("/info/version")
    else:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        line, column = next(number for number, each in enumerate(lines, start=1) if each.startswith("version")), 1
    return f"{name}:{line}:{column}"
