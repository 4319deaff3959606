"""What a package page shows, and how the package is installed and started."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import metastudio

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]


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


def test_every_direct_dependency_has_a_row_in_contributing() -> None:
    listed = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {re.split(r"[\[=<>]", each)[0].lower() for group in listed for each in group} - {"metastudio-client"}
    rows = re.findall(
        r"^\| ([\w-]+) \| .* \| \d{4}-\d\d \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(rows) == sorted(names)


def test_every_imported_package_is_a_direct_dependency() -> None:
    listed = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    declared = {re.split(r"[\[=<>]", each)[0].lower() for group in listed for each in group}
    distributions = packages_distributions()
    for path in (ROOT / "overlays").rglob("*.py"):
        found = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in set(found) & distributions.keys():
            assert declared & {each.lower().replace("_", "-") for each in distributions[name]}, f"{path}: {name}"


def test_metadata_has_what_a_package_page_shows() -> None:
    assert PROJECT["authors"]
    assert all(url.startswith("https://") for url in PROJECT["urls"].values())
    kinds = {each.split(" :: ")[0] for each in PROJECT["classifiers"]}
    assert {"Development Status", "Operating System", "Programming Language", "Topic", "Typing"} <= kinds


def test_a_package_page_has_no_link_into_the_repository() -> None:
    """A page of a package index has no other files of the repository, and there is no public address of it yet."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = re.compile(r"\]\((?!https?://|#)([^)#]+)")
    assert all((ROOT / link).exists() for link in relative.findall(text))
    for each in SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    assert not relative.findall(text)
    assert "One contract, `openapi.yaml`, gives" in text
    assert "](" not in text.partition("## Install")[0]


def test_the_api_reference_names_what_exists() -> None:
    """`scripts/docs` takes minutes; a name that has moved fails here first."""
    names = re.findall(r"\bmetastudio(?:\.\w+)+", (ROOT / "scripts" / "docs").read_text(encoding="utf-8"))
    assert len(names) > 15
    for name in names:
        pkgutil.resolve_name(name)
