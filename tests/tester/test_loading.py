"""Imports: --help and suite `meaning` do not import schemathesis."""

from __future__ import annotations

import os
import subprocess
import sys

import metastudio.tester as package
import pytest
from tester_runs import serving
from variants import Variant

HEAVY = {"schemathesis", "hypothesis", "requests", "openapi_spec_validator", "openapi_schema_validator"}
PROGRAM = """
import sys
from metastudio.cli import main
sys.argv.insert(1, "contract-test")
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def loaded(*arguments: str, **environment: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout
    return set(done.stderr.split())


def test_help_imports_nothing_slow() -> None:
    assert not loaded("--help") & {*HEAVY, "httpx", "rich", "metastudio.tester.runner"}


def test_relations_do_not_import_schemathesis() -> None:
    with serving(Variant("conforming")) as sandbox:
        modules = loaded(sandbox.url, "--only", "total", **sandbox.environment)
    assert "metastudio.tester.relations.pages" in modules
    assert not modules & {"schemathesis", "hypothesis"}


def test_public_names_are_importable() -> None:
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_missing_dependency_is_named() -> None:
    program = (
        "import runpy, sys; sys.modules['schemathesis'] = None; sys.argv = ['x', 'http://127.0.0.1:9']; "
        "runpy.run_module('metastudio.tester', run_name='__main__')"
    )
    known = {**os.environ, "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=known, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "Error: this needs schemathesis" in done.stderr
    assert "install metastudio-client[contract]" in done.stderr
