"""The session works with the oldest and the newest httpx that the project allows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
import reference_page
from fault_server import FaultServer, respond
from repository import ROOT

PROGRAM = """
import asyncio, sys
import httpx
assert httpx.__version__ == sys.argv[2], httpx.__version__
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, errors
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio import connect

options = {"base_url": sys.argv[1], "credentials": Credentials("AK", "SK"), "project_id": "p", "max_retries": 1}
with MetaStudio(**options) as studio:
    assert studio.training_jobs.list(limit=1).count == 1
    assert len([job.job_id for job in studio.training_jobs.iterate()]) == 1

async def main():
    async with AsyncMetaStudio(**options) as studio:
        assert (await studio.training_jobs.list(limit=1)).count == 1
        assert len([job.job_id async for job in studio.training_jobs.iterate()]) == 1

asyncio.run(main())
assert list_training_jobs.sync("p", client=connect(**options), limit=1).count == 1
assert asyncio.run(list_training_jobs.asyncio("p", client=connect(**options), limit=1)).count == 1
try:
    MetaStudio(**options | {"base_url": "http://127.0.0.1:9"}).training_jobs.list()
except errors.ApiConnectionError as error:
    assert error.retries == 1
print("done")
"""
PAGE = json.dumps({"count": 1, "jobs": reference_page.examples()[0]["jobs"][:1]}).encode()


def oldest() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = [each for each in project["dependencies"] if each.startswith("httpx")]
    return f"{requirement.partition('>=')[2].partition(',')[0]}.0"


def installed(version: str) -> Path:
    """A folder with that httpx, made once."""
    folder = ROOT / ".cache" / f"httpx-{version}"
    if not (folder / "httpx").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        done = subprocess.run([*command, f"httpx=={version}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"httpx {version} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.mark.parametrize("version", [oldest(), httpx.__version__])
def test_works(version: str) -> None:
    paths = [str(ROOT / "overlays"), str(ROOT / "generated")]
    if version != httpx.__version__:
        paths.insert(0, str(installed(version)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with FaultServer([respond(200, PAGE)]) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, server.url, version],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "done\n", done.stderr
