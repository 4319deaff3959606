"""The work of generate.sh: contract -> checked -> generated client, swapped in at once.

Run it as ./generate.sh, which makes sure that the pinned tools are there.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from pprint import pformat
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "overlays"))

from contract_diff import history  # noqa: E402
from metastudio.contract import ContractError, Document, check, compile_contract, load  # noqa: E402
from metastudio.contract.document import join  # noqa: E402
from metastudio.contract.naming import method_suffix, python_name  # noqa: E402

PACKAGE = "metastudio_client"
SETTINGS = {"project_id"}  # path parameters that the client fills from its settings


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
        if arguments.diff is not None:
            return history.show(document, arguments.diff)
        with _workspace(target.parent) as workspace:
            fresh = _generate(document, workspace)
            if arguments.check:
                return _compare(target, fresh) or history.check_versions(document)
            changed = _difference(target, fresh)
            _swap(target, fresh)
    except ContractError as error:
        print(f"{error}\nNothing was written.", file=sys.stderr)
        return 2
    print(f"generated/{PACKAGE}: {'written' if changed else 'unchanged'}")
    return 0


def _generate(document: Document, workspace: Path) -> Path:
    """Generate the whole package below `workspace` and return its folder."""
    contract = compile_contract(document)
    templates = workspace / "templates"
    shutil.copytree(ROOT / "templates", templates)
    shutil.copytree(_stock_templates(), templates / "stock")
    (templates / "contract.jinja").write_text(_for_templates(document, contract), encoding="utf-8")
    fresh = workspace / PACKAGE
    _run(
        document,
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", str(document.path), "--output-path", str(fresh)),
            *("--config", str(templates / "config.yaml"), "--custom-template-path", str(templates)),
        ],
    )
    constants = (
        f'"""What the generated code does not show of the contract, for those who interpret it."""\n\n'
        f"from typing import Any\n\nTITLE = {contract['title']!r}\nVERSION = {contract['version']!r}\n"
        f"SERVER: dict[str, Any] = {contract['server']!r}\n"
        f"OPERATIONS: dict[str, Any] = {pformat(contract['operations'], sort_dicts=False)}\n"
    )
    (fresh / "_contract.py").write_text(constants, encoding="utf-8")
    shutil.copy(templates / "engine.py", fresh / "_engine.py")
    shutil.copy(document.path, fresh / "openapi.yaml")
    (fresh / "py.typed").touch()
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--isolated", "--no-cache", "--line-length", "120", str(fresh)]
    _run(document, [*ruff, "check", "--fix-only", "--select=F401,I", *settings])
    _run(document, [*ruff, "format", *settings])
    return fresh


def _stock_templates() -> Path:
    import openapi_python_client

    return Path(openapi_python_client.__file__).parent / "templates"


def _run(document: Document, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line and not line.startswith(_NOISE)]
        output = "\n".join(said)
        pointer = _blamed(output)
        if pointer:
            raise document.error(pointer, f"the generator cannot make this:\n{output}")
        raise ContractError(f"{' '.join(command[1:4])} failed:\n{output}")


_NOISE = ("Generating ", "Warning(s) encountered", "Error(s) encountered", "If you believe this was a mistake")


def _blamed(output: str) -> str:
    """The place that the generator names: a schema, which is the cause of the rest, or an operation."""
    schema = re.search(r"schema (/components/schemas/[\w.-]+)", output)
    if schema:
        return schema[1]
    operation = re.search(r"parsing ([A-Z]+) (/\S*) within", output)
    return join(["paths", operation[2], operation[1].lower()]) if operation else ""


def _for_templates(document: Document, contract: dict[str, Any]) -> str:
    """What our templates need of the contract, as a Jinja file: the generator gives them no extensions."""
    joined = sorted(
        {
            each["name"]
            for operation in contract["operations"].values()
            for each in operation["parameters"]
            if each["joined"]
        }
    )
    enums = {
        name: schema.get("description", "")
        for name, schema in document.data.get("components", {}).get("schemas", {}).items()
        if "enum" in schema
    }
    operations = {name: _operation_for_templates(name, each) for name, each in contract["operations"].items()}
    return "".join(
        f"{{% set {name} = {json.dumps(value)} %}}\n"
        for name, value in (
            ("joined", joined),
            ("enums", enums),
            ("operations", operations),
            ("shared", _shared(contract)),
        )
    )


def _shared(contract: dict[str, Any]) -> dict[str, list[str]]:
    """By class of a list's items, the properties that are the same in all of them: those of the list's scope."""
    return {
        operation["item_class"]: sorted({pointer[1:] for pointer in operation["x-list"].get("scope", {}).values()})
        for operation in contract["operations"].values()
        if operation["x-list"] and operation["item_class"]
    }


def _operation_for_templates(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    rules = operation["x-list"] or {}
    page = rules.get("page", {})
    filters = rules.get("filters", {})
    suffix = method_suffix(name, operation["tag"])
    own_path = {each["name"] for each in operation["parameters"] if each["location"] == "path"} - SETTINGS
    limits = [
        each["schema"].get("maximum", 100) for each in operation["parameters"] if each["name"] == page.get("limit")
    ]
    identity = [
        python_name(parameter)
        for parameter, each in filters.items()
        if each.get("property") == rules["identity"] and each["op"] == "eq" and not own_path
    ]
    return {
        "method": name.removesuffix("_" + operation["tag"]),
        "iterate": f"iterate{suffix}",
        "find": f"find{suffix}",
        "wait": f"wait{suffix}",
        "list": bool(rules),
        "settings": sorted(SETTINGS),
        "paging": [page[key] for key in ("offset", "limit") if key in page],
        "page_size": min(100, *limits) if limits else 100,
        "identity": identity[0] if identity else "",
        "states": bool(operation["states"]),
        "response": operation["response_class"] or "Any",
        "item": operation["item_class"] or "Any",
        "classes": [each for each in (operation["response_class"], operation["item_class"]) if each],
        "summary": operation["summary"] or name,
        "description": operation["description"],
        "texts": {each["name"]: each["description"] or each["name"] for each in operation["parameters"]},
    }


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
def _workspace(parent: Path) -> Iterator[Path]:
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
            raise SystemExit(f"{name} {found} is installed, the project pins {wanted}; run scripts/setup generate")


if __name__ == "__main__":
    _require_pinned()
    sys.exit(main())
