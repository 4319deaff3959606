"""A copy of this repository in which tests edit the contract and run the scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = (
    "generate.sh",
    "openapi.yaml",
    "pyproject.toml",
    "constraints.txt",
    "generated",
    "overlays",
    "scripts",
    "templates",
    "tests/support",
)
# Compiled modules are copied, which saves compiling them again; their temporary files may vanish meanwhile.
_LEFT_OUT = shutil.ignore_patterns("*.pyc.*", ".new-*")


class Repository:
    """What the scripts need of the repository, in a temporary folder; commands use the environment of the tests."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        self.root.mkdir()
        for name in _COPIED:
            source, target = ROOT / name, self.root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=_LEFT_OUT)
            else:
                shutil.copy2(source, target)

    @classmethod
    def generated_from(cls, contract: Path, folder: Path) -> Repository:
        """Return a copy whose client is generated from a contract."""
        repository = cls(folder)
        shutil.copy(contract, repository.contract)
        done = repository.generate()
        assert done.returncode == 0, done.stdout + done.stderr
        return repository

    @property
    def contract(self) -> Path:
        return self.root / "openapi.yaml"

    @property
    def generated(self) -> Path:
        return self.root / "generated" / "metastudio_client"

    def edit(self, old: str, new: str) -> None:
        """Replace the first occurrence of a text in the contract."""
        replace_once(self.contract, old, new)

    def generate(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("./generate.sh", *arguments, **environment)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy; Python imports the copy's packages."""
        settings = {
            **os.environ,
            "METASTUDIO_VENV": sys.prefix,
            "PYTHONPATH": f"{self.root / 'overlays'}{os.pathsep}{self.root / 'generated'}",
            **environment,
        }
        return subprocess.run(command, cwd=self.root, env=settings, capture_output=True, text=True, check=False)

    def snapshot(self, *folders: str) -> dict[str, bytes]:
        """Return the content of every file below some folders, by path from the root of the copy."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in folders
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }


def replace_once(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a file.

    Raises:
        AssertionError: The file does not contain the text.
    """
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} has changed; adapt this edit: {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
