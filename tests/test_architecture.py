"""Imports run one way: every package imports only what ARCHITECTURE.md draws below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OVERLAYS, GENERATED = ROOT / "overlays" / "metastudio", ROOT / "generated" / "metastudio_client"

# From the bottom up. A part may import itself and the parts of the lines above its own, except where RULES narrows it.
LAYERS = [
    {"redaction"},
    {"model"},
    {"contract"},
    {"errors"},
    {"http"},
    {"auth"},
    {"lists"},
    {"engine"},
    {"metastudio_client"},
    {"config"},
    {"connected_client"},
    {"client"},
    {"sandbox"},
    {"pytest_plugin"},
    {"tester"},
    {"cli"},
]
RULES = {
    "model": {"redaction", "metastudio_client.types"},
    "contract": {"metastudio_client.types"},  # UNSET, which the generated models use
    "errors": {"redaction"},
    "lists": {"contract", "errors", "http", "model"},
    "metastudio_client": {"contract", "lists.options", "model"},
    "sandbox": {"contract", "metastudio_client"},
    "pytest_plugin": {"sandbox"},
}


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports when it runs, wherever in it, in dotted names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("metastudio", "metastudio_client")}


def part(name: str) -> str:
    """The part of the product that a dotted module name belongs to."""
    top, _, rest = name.partition(".")
    if top == "metastudio_client":
        return top
    name = rest.partition(".")[0]
    return name if name in set.union(*LAYERS) else "client"  # the names of the package `metastudio` itself


def files(name: str) -> list[Path]:
    if name == "metastudio_client":
        return sorted(GENERATED.rglob("*.py"))
    folder, module = OVERLAYS / name, OVERLAYS / f"{name}.py"
    return [module] if module.exists() else sorted(folder.rglob("*.py"))


def allowed(name: str) -> set[str]:
    below: set[str] = set()
    for layer in LAYERS:
        if name in layer:
            break
        below |= layer
    return RULES.get(name, below) | {name}


def test_every_part_has_its_layer() -> None:
    parts = {
        path.stem for path in OVERLAYS.iterdir() if path.suffix == ".py" or (path.is_dir() and any(path.iterdir()))
    }
    assert parts - {"__init__", "__main__", "__pycache__"} == set.union(*LAYERS) - {"metastudio_client"}


@pytest.mark.parametrize("name", sorted(set.union(*LAYERS)))
def test_a_part_imports_only_what_is_below_it(name: str) -> None:
    for path in files(name):
        for imported in sorted(imports(path)):
            below = any(f"{imported}.".startswith((f"metastudio.{each}.", f"{each}.")) for each in allowed(name))
            assert below or (part(imported) in allowed(name)), (
                f"{path.relative_to(ROOT)} imports {imported}; {name} may import {sorted(allowed(name))}"
            )


@pytest.mark.parametrize(
    "name",
    [
        "contract",
        "redaction",
        "model",
        "errors",
        "http",
        "auth",
        "lists",
        "engine",
        "config",
        "connected_client",
        "client",
    ],
)
def test_the_core_needs_no_other_library(name: str) -> None:
    reads_yaml = {"document", "validation"}
    ours = {"metastudio", "metastudio_client", "httpx", "httpcore", "attrs"}
    for path in files(name):
        if name == "contract" and path.stem in reads_yaml:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = {
            module.split(".")[0]
            for node in ast.walk(tree)
            for module in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not found - ours - sys.stdlib_module_names, path


@pytest.mark.parametrize(
    "module", ["metastudio", "metastudio.errors", "metastudio.contract.operation", "metastudio.client"]
)
def test_importing_one_part_brings_no_other(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"yaml", "schemathesis", "uvicorn", "starlette", "sqlite3", "metastudio.sandbox"}
    if module == "metastudio":
        assert not loaded & {"httpx", "attrs", "metastudio_client"}
    if module == "metastudio.client":
        used_later = {"metastudio.auth.aksk", "metastudio.contract.operation", "metastudio_client.api.training_jobs"}
        assert not loaded & (used_later | {"attrs", "metastudio.lists.paginator", "metastudio.auth.iam"})
