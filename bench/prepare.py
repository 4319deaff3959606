"""Make the files that the measurements need, below .cache/bench.

Each client is measured with its own dependencies only, because other installed packages change the figures: httpx
imports its command line if click, rich and pygments are installed. So each client runs with a directory of links to
its dependencies instead of site-packages.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
VENDOR = "huaweicloudsdkmetastudio"


@dataclass(frozen=True)
class Prepared:
    """Files that the measurements need.

    Attributes:
        sites: The site directory of each client, by name.
        jobs: JSON file of the example jobs that the server serves.
        certificate: PEM file with the server's certificate and private key.
        ca: PEM file of CA certificates, the server's among them.
    """

    sites: dict[str, Path]
    jobs: Path
    certificate: Path
    ca: Path


def prepare() -> Prepared:
    """Make the files. The generated client is kept from earlier runs, the rest is made again."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for old in CACHE.glob("site-*"):
        shutil.rmtree(old)
    own = [ROOT / "overlays" / "metastudio", ROOT / "generated" / "metastudio_client"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own_requirements = [Requirement(each).name for each in project["dependencies"]]
    ours = _site("ours", own_requirements, own)
    alone = _site("alone", ["httpx"], [])
    command_line = ["click", "rich", "pygments"]
    sites = {
        "ours": ours,
        "ours_async": ours,
        "ours_cli": _site("ours_cli", [*own_requirements, *command_line], own),
        "plain": _site("plain", ["httpx", "attrs"], [*own, _plain()]),
        "vendor": _site("vendor", [VENDOR], []),
        "alone": alone,
        "alone_async": alone,
        "alone_cli": _site("alone_cli", ["httpx", *command_line], []),
        "bare": _site("bare", [], []),
    }
    return Prepared(sites, _jobs(), *_certificate())


def _site(name: str, requirements: list[str], packages: list[Path]) -> Path:
    """Make a directory of links to the requirements, to all that they require, and to `packages`."""
    folder = CACHE / f"site-{name}"
    folder.mkdir()
    for distribution in _closure(requirements):
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(str(distribution.locate_file(top)))
    for package in packages:
        (folder / package.name).symlink_to(package)
    return folder


def _closure(requirements: list[str]) -> list[importlib.metadata.Distribution]:
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(requirements)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            needs = [Requirement(each) for each in found[name].requires or ()]
            waiting += [each.name for each in needs if not each.marker or each.marker.evaluate({"extra": ""})]
    return list(found.values())


def _plain() -> Path:
    """Generate a client from our contract with the stock templates and settings."""
    contract = ROOT / "openapi.yaml"
    key = hashlib.sha256(contract.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"plain-{importlib.metadata.version('openapi-python-client')}-{key}" / "plain_client"
    if not folder.exists():
        fresh = folder.with_name("fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
        subprocess.run(
            [*command, "--path", str(contract), "--output-path", str(fresh), "--overwrite"],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        )
        fresh.rename(folder)
    return folder


def _jobs() -> Path:
    """Write the example jobs of the contract to a file."""
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    examples = document["components"]["examples"].values()
    pages = [each["value"] for each in examples if "jobs" in each["value"]]
    path = CACHE / "jobs.json"
    path.write_text(json.dumps([job for page in pages for job in page["jobs"]]))
    return path


def _certificate() -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1, and a trust store of the usual size: the CAs of certifi and its own."""
    server, ca = CACHE / "server.pem", CACHE / "ca.pem"
    authority = trustme.CA()
    server.write_bytes(authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
    ca.write_bytes(authority.cert_pem.bytes() + Path(certifi.where()).read_bytes())
    return server, ca
