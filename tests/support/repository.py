"""A copy of this repository to edit and to generate in, without touching the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".cache",
    "__pycache__",
    "node_modules",
    ".new-*",
    ".*_cache",
    ".hypothesis",
    ".schemathesis",
    "*.egg-info",
)


class Repository:
    """A copy of the repository in a temporary folder; its commands use the environment that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        shutil.copytree(ROOT, self.root, ignore=_LEFT_OUT, symlinks=True)

    @property
    def contract(self) -> Path:
        return self.root / "openapi.yaml"

    @property
    def generated(self) -> Path:
        return self.root / "generated" / "metastudio_client"

    def edit(self, old: str, new: str) -> None:
        """Replace one place of the contract."""
        text = self.contract.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"the contract has changed; mend this edit: {old!r}"
        self.contract.write_text(text.replace(old, new, 1), encoding="utf-8")

    def generate(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("./generate.sh", *arguments, **environment)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy, with the copy's packages before the installed ones."""
        settings = {
            **os.environ,
            "METASTUDIO_VENV": sys.prefix,
            "PYTHONPATH": f"{self.root / 'overlays'}{os.pathsep}{self.root / 'generated'}",
            **environment,
        }
        return subprocess.run(command, cwd=self.root, env=settings, capture_output=True, text=True, check=False)

    def snapshot(self, *below: str) -> dict[str, bytes]:
        """The content of every file below some folders of the copy."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in below
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
