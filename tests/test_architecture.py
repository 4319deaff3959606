"""Imports run one way: overlays -> generated, and inside overlays from what people use down to the signature."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OVERLAYS, GENERATED = ROOT / "overlays" / "metastudio", ROOT / "generated" / "metastudio_client"

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
