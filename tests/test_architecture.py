"""Imports run one way: overlays -> generated, and inside overlays from what people use down to the signature."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OVERLAYS, GENERATED = ROOT / "overlays" / "metastudio", ROOT / "generated" / "metastudio_client"
CORE = sorted(OVERLAYS.glob("*.py"))

# what a part may import of ours, besides itself
MAY_IMPORT = {
    "sandbox": {"operations", "spec", "names"},
    "contract": {"*", "spec"},  # "*": any module of the core
    "cli": {"*", "spec", "sandbox", "contract"},
    "spec": {"operations", "names"},
}


def imports(path: Path) -> set[str]:
    """The absolute names that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parts(names: set[str]) -> set[str]:
    """The parts of the overlays (a module of the core, or a package) among imported names."""
    return {
        name.split(".")[1]
        for name in names
        if name.startswith("metastudio.")
        and ((OVERLAYS / f"{name.split('.')[1]}.py").exists() or (OVERLAYS / name.split(".")[1]).is_dir())
    }


def test_generated_imports_nothing_of_ours() -> None:
    for path in GENERATED.rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] == "metastudio"}, path


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_parts_import_only_what_they_may(part: str) -> None:
    core = {path.stem for path in CORE}
    allowed = {part} | MAY_IMPORT[part] | (core if "*" in MAY_IMPORT[part] else set())
    for path in (OVERLAYS / part).rglob("*.py"):
        assert parts(imports(path)) <= allowed, f"{path.relative_to(ROOT)}: {parts(imports(path)) - allowed}"


def test_the_core_imports_none_of_the_parts_and_no_other_library() -> None:
    for path in CORE:
        assert not parts(imports(path)) & MAY_IMPORT.keys(), path
        ours = {"metastudio", "metastudio_client", "httpx", "attrs", "__future__"}
        foreign = {name.split(".")[0] for name in imports(path)} - ours - sys.stdlib_module_names
        assert not foreign, f"{path.name} imports {foreign}"


ORDER = ["client", "engine", "paging", "session", "auth", "signing"]


def test_the_core_is_layered() -> None:
    """Nobody imports what stands above it: cli -> client -> session -> auth -> signing."""
    reachable: dict[str, set[str]] = {path.stem: parts(imports(path)) for path in CORE}

    def below(module: str, seen: set[str]) -> set[str]:
        for each in reachable.get(module, set()) - seen:
            seen |= {each} | below(each, seen | {each})
        return seen

    for index, module in enumerate(ORDER):
        assert not below(module, set()) & set(ORDER[:index]), module


@pytest.mark.parametrize("module", ["metastudio", "metastudio.errors", "metastudio.operations", "metastudio.client"])
def test_importing_one_part_brings_no_other(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"yaml", "schemathesis", "uvicorn", "starlette", "sqlite3", "metastudio.sandbox"}
    if module == "metastudio":
        assert not loaded & {"httpx", "attrs", "metastudio_client"}
