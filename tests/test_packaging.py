"""What a package page shows, and how the package is installed and started."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import metastudio

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_package_is_also_a_program() -> None:
    command = [sys.executable, "-m", "metastudio", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"metastudio-client {metastudio.__version__}")


def test_no_line_installs_from_an_index_that_does_not_have_the_package() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.*")]
    for path in (*pages, *(ROOT / "overlays").rglob("*.py")):
        for command in re.findall(r"pip3? install[^\n`]*", path.read_text(encoding="utf-8")):
            assert "metastudio-client" not in command, f"{path.name}: {command}"


def test_the_readme_installs_every_extra_that_users_need() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {extra for extras in re.findall(r"pip install '\.\[([\w,]+)\]'", text) for extra in extras.split(",")}
    assert named == set(PROJECT["optional-dependencies"]) - {"spec", "generate", "dev"}


def test_metadata_has_what_a_package_page_shows() -> None:
    assert PROJECT["authors"]
    assert all(url.startswith("https://") for url in PROJECT["urls"].values())
    kinds = {each.split(" :: ")[0] for each in PROJECT["classifiers"]}
    assert {"Development Status", "Operating System", "Programming Language", "Topic", "Typing"} <= kinds
