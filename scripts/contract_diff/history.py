"""Earlier contracts, as git has them: what `./generate.sh --diff` compares with, and the rule for versions."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from metastudio.contract import ContractError, Document, check, load

from contract_diff.diff import compare
from contract_diff.grades import Grade, report, whole

ROOT = Path(__file__).resolve().parents[2]
_CONTRACT, _PROJECT = "openapi.yaml", "pyproject.toml"
_RELEASES = "v[0-9]*"  # tags of releases: v1.2.3


def show(document: Document, revision: str) -> int:
    """Print what has changed since a revision ("" chooses one). Returns the exit code of the grade."""
    revision = revision or _chosen(document)
    changes = compare(_earlier(revision), document)
    if changes:
        print(report(changes), end="\n\n")
    print(f"openapi.yaml since {revision}: {whole(changes)}")
    return whole(changes).exit_code


def check_versions(document: Document) -> int:
    """Check that the versions have moved as far as the contract has since the last release. Returns the exit code."""
    versions = {_CONTRACT: document.data["info"]["version"], _PROJECT: _project_version((ROOT / _PROJECT).read_text())}
    for name, version in versions.items():
        if _parsed(version) is None:
            print(f"{_place(document, name)}: the version is MAJOR.MINOR.PATCH, not {version}", file=sys.stderr)
            return 1
    release = _last_release()
    if release is None:
        if len(set(versions.values())) == 1:
            return 0
        message = (
            f"nothing is released yet: {versions[_CONTRACT]} here and {versions[_PROJECT]} in {_PROJECT} are to be one"
        )
        print(f"{_place(document, _CONTRACT)}: {message}", file=sys.stderr)
        return 1
    try:
        earlier = _earlier(release)
    except ContractError as error:
        print(f"The contract of {release} is none by today's rules, so the versions were not compared:\n{error}")
        return 0
    grade = whole(compare(earlier, document))
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
    """Return the least version that may follow: breaking moves MAJOR, additive MINOR, cosmetic PATCH."""
    major, minor, patch = _parsed(version) or (0, 0, 0)
    if grade.breaking:
        return f"{major + 1}.0.0"
    if Grade.ADDITIVE in grade:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if grade else version


def _chosen(document: Document) -> str:
    """The last release; before the first, HEAD where the file differs from it, else its version before the last."""
    release = _last_release()
    if release:
        return release
    committed = _git("show", f"HEAD:./{_CONTRACT}")
    if committed and committed != document.text:
        return "HEAD"
    commits = _git("log", "-n", "2", "--format=%h", "--", _CONTRACT).split()
    if len(commits) < 2:
        raise ContractError(
            f"git has no earlier {_CONTRACT} to compare with; name a revision: ./generate.sh --diff REV"
        )
    return commits[1]


def _last_release() -> str | None:
    tag = _git("describe", "--tags", "--abbrev=0", "--match", _RELEASES).strip()
    return tag if tag and _git("show", f"{tag}:./{_CONTRACT}") else None


def _earlier(revision: str) -> Document:
    text = _git("show", f"{revision}:./{_CONTRACT}")
    if not text:
        raise ContractError(f"git has no {_CONTRACT} at {revision}; name a commit, branch or tag that has one")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_CONTRACT}@{revision.replace('/', '-')}"
        path.write_text(text, encoding="utf-8")
        document = load(path)
    check(document)
    return document


def _git(*command: str) -> str:
    """What git prints; nothing where it fails, where there is no repository, and where there is no git."""
    try:
        done = subprocess.run(
            ["git", *command],  # noqa: S607 - the git of whoever runs this
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
