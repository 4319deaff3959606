"""The command behind ./generate.sh: check the contract, generate the client, swap it in at once.

Run ./generate.sh, which makes sure that the pinned tools are installed.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "overlays"))

from client_generator import generate  # noqa: E402
from contract_diff import history  # noqa: E402
from generator_limits import check_generator  # noqa: E402
from metastudio.contract import ContractError, Document, check, load  # noqa: E402

PACKAGE = "metastudio_client"


def main() -> int:
    """Generate, or compare with what is there. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="./generate.sh", description="Generate the client from openapi.yaml.")
    does = parser.add_mutually_exclusive_group()
    does.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail when generated/ is not what it gives, or a version has not moved with the contract",
    )
    does.add_argument(
        "--diff",
        nargs="?",
        const="",
        metavar="REV",
        help="write nothing; say what changed since REV (else the last release, else the last commit that differs) and "
        "what that breaks; exit code 0 nothing or cosmetic, 10 additive, 20 breaks servers, 30 breaks clients",
    )
    arguments = parser.parse_args()
    target = ROOT / "generated" / PACKAGE
    try:
        document = load(ROOT / "openapi.yaml")
        check(document)
        check_generator(document)
        if arguments.diff is not None:
            return history.show(document, arguments.diff)
        with _workspace(target.parent) as workspace:
            fresh = workspace / PACKAGE
            generate(document, fresh)
            if arguments.check:
                return _compare(target, fresh) or history.check_versions(document)
            changed = _difference(target, fresh)
            _swap(target, fresh)
    except ContractError as error:
        print(f"{error}\nNothing was written.", file=sys.stderr)
        return 2
    print(f"generated/{PACKAGE}: {'written' if changed else 'unchanged'}")
    if changed:
        _summarize(document)
    return 0


def _summarize(document: Document) -> None:
    """Print what changed in the contract, and what to do now."""
    try:
        history.show(document, "")
    except ContractError as error:  # the first contract, or no git
        print(str(error).splitlines()[0])
    print("Next: ./test.sh, then commit openapi.yaml and generated/ together, with a line in CHANGELOG.md")


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _difference(target: Path, fresh: Path) -> list[str]:
    old, new = _files(target), _files(fresh)
    return [name for name in sorted(old | new) if old.get(name) != new.get(name)]


def _compare(target: Path, fresh: Path) -> int:
    names = _difference(target, fresh)
    old, new = _files(target), _files(fresh)
    for name in names:
        before, after = (files.get(name, b"").decode().splitlines(keepends=True) for files in (old, new))
        sys.stdout.writelines(difflib.unified_diff(before, after, f"generated/{name}", f"from openapi.yaml/{name}"))
    if names:
        print(
            f"generated/ is not what openapi.yaml gives ({len(names)} files differ); run ./generate.sh", file=sys.stderr
        )
        return 1
    print(f"generated/{PACKAGE} is what openapi.yaml gives")
    return 0


def _swap(target: Path, fresh: Path) -> None:
    """Put the new package in the place of the old one; on failure the old one is back."""
    backup = fresh.with_name("replaced")
    if target.exists():
        os.rename(target, backup)
    try:
        os.rename(fresh, target)
    except OSError:
        if backup.exists():
            os.rename(backup, target)
        raise


@contextmanager
def _workspace(parent: Path) -> Generator[Path]:
    """A temporary folder on the same file system as the target, so that a rename is enough."""
    parent.mkdir(exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".new-", dir=parent)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_pinned() -> None:
    """Other versions give other bytes: stop rather than write them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["optional-dependencies"]["generate"]:
        name, pinned, wanted = requirement.partition("==")
        if pinned and metadata.version(name) != wanted:
            found = metadata.version(name)
            raise SystemExit(f"{name} {found} is installed, the project pins {wanted}; run scripts/setup")


if __name__ == "__main__":
    _require_pinned()
    sys.exit(main())
