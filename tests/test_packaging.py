"""What a package page shows, and how the package is installed and started."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import metastudio
import pytest
import yaml

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
    kinds = {each.split(" :: ")[0] for each in PROJECT["classifiers"]}
    assert {"Development Status", "Operating System", "Programming Language", "Topic", "Typing"} <= kinds


def test_every_supported_python_is_named_where_one_is_chosen() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    tested: list[str] = workflow["jobs"]["everything"]["strategy"]["matrix"]["python"]
    named = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each]
    assert named == tested
    setup = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    assert " ".join(f"python{version}" for version in reversed(tested)) in setup
    assert f"Python {tested[0]} to {tested[-1]}" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_hook_runs_for_every_script_that_generates() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    (watched,) = [each["files"] for each in hooks if each["id"] == "generate"]
    scripts = {"generate"}
    for name in ("generate", "client_generator", "generator_limits"):
        imported = re.findall(r"^from (\w+) import", (ROOT / "scripts" / f"{name}.py").read_text("utf-8"), re.MULTILINE)
        scripts |= {each for each in imported if (ROOT / "scripts" / f"{each}.py").exists()}
    for each in sorted(scripts):
        assert re.search(watched, f"scripts/{each}.py"), each


def package_page(**environment: str) -> dict[str, Any]:
    """The metadata that the build writes, with these variables set."""
    env = {name: value for name, value in os.environ.items() if name != "PROJECT_URL"} | environment
    command = [sys.executable, "-m", "hatchling", "metadata"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    page: dict[str, Any] = json.loads(done.stdout)
    return page


RELATIVE = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def test_a_package_page_links_to_the_public_address_of_the_repository() -> None:
    """A page of a package index has no other files of the repository."""
    address = "https://github.example/owner/name"
    page = package_page(PROJECT_URL=address + "/")
    text = page["readme"]["text"]
    assert not RELATIVE.findall(text)
    linked = re.findall(rf"\]\({address}/(?:blob|raw)/v{re.escape(PROJECT['version'])}/([^)#]+)", text)
    assert linked == RELATIVE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert all((ROOT / path).exists() for path in linked)
    assert page["urls"]["Repository"] == address
    assert page["urls"]["Issues"] == f"{address}/issues"


def test_without_a_public_address_a_package_page_has_no_broken_link() -> None:
    page = package_page()
    text = page["readme"]["text"]
    assert not RELATIVE.findall(text)
    assert "One contract, `openapi.yaml`, gives" in text
    assert all(url.startswith("https://support.huaweicloud.com/") for url in page["urls"].values())


def test_a_wrong_public_address_stops_the_build() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        package_page(PROJECT_URL="github.example/owner/name")
    assert "PROJECT_URL must be an https address, not 'github.example/owner/name'" in raised.value.stderr


def test_the_release_gives_the_build_its_address() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]["build"][
        "steps"
    ]
    (build,) = [each for each in steps if each.get("run") == "pipx run build"]
    assert build["env"]["PROJECT_URL"] == "${{ github.server_url }}/${{ github.repository }}"


def test_the_api_reference_names_what_exists() -> None:
    """`scripts/docs` takes minutes; a name that has moved fails here first."""
    names = re.findall(r"\bmetastudio(?:\.\w+)+", (ROOT / "scripts" / "docs").read_text(encoding="utf-8"))
    assert len(names) > 15
    for name in names:
        pkgutil.resolve_name(name)
