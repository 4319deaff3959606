"""Plain `st run` with schemathesis.toml and the signing hooks, against a server over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from metastudio.sandbox import Sandbox
from tester_runs import serving
from variants import Variant, faulty_servers

ROOT = Path(__file__).parents[2]


def st_run(sandbox: Sandbox, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, **sandbox.environment, **environment}
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.yaml", "--url", sandbox.url]
    return subprocess.run(
        [*command, "--max-examples", "10", "--seed", "1", "--generation-database", "none", *arguments],
        cwd=ROOT, env=known, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_conforming_server_passes_all_default_checks() -> None:
    with serving(Variant("conforming")) as sandbox:
        done = st_run(sandbox)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "No issues found" in done.stdout


def test_run_without_an_item_fails() -> None:
    with serving(Variant("conforming")) as sandbox:
        for item in list(sandbox.stores.values()):
            for each in item.items():
                item.remove(each["job_id"])
        done = st_run(sandbox, "--phases", "examples")
    assert done.returncode == 1
    assert "AtLeastOneItemSeen" in done.stdout


def test_invalid_credentials_fail() -> None:
    with serving(Variant("conforming")) as sandbox:
        wrong = {"HUAWEICLOUD_SDK_SK": "another-secret", "METASTUDIO_TOKEN": ""}
        done = st_run(sandbox, "--phases", "examples", **wrong)
    assert done.returncode == 1


def test_failure_shows_no_signature(tmp_path: Path) -> None:
    variant = next(each for each in faulty_servers() if each.name == "header: no request id")
    report = tmp_path / "junit.xml"
    with serving(variant) as sandbox:
        done = st_run(sandbox, "--report", "junit", "--report-junit-path", str(report), "--phases", "examples")
        secret = sandbox.secret_key
    written = done.stdout + done.stderr + report.read_text()
    assert done.returncode == 1
    assert "curl" in written
    assert not re.search(r"Signature=[0-9a-f]", written)
    assert secret not in written
