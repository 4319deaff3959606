"""Released servers, with the contracts of docs/your-api: blamed only for their true faults, found with seeded bugs.

`scripts/real-servers` installs them. Without it, or without Node for json-server, the tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dialects import CONTRACTS, articles
from metastudio.tester import prove
from metastudio.tester.verdicts import describe

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("METASTUDIO_SERVERS", ROOT / ".cache" / "servers"))
PYTHON, SOURCES = FOLDER / "venv" / "bin" / "python", ROOT / "tests" / "real_servers"
TRUE_FAULTS: dict[str, set[str]] = {
    # id__in=10^30 is a 500; words__lt=10^30 also gives the articles without words.
    "drf": {"shapes/failure", "shapes/word"},
    "fastapi": set(),
    # A repeated _sort or _order is a 500, with a stack trace.
    "json-server": {"shapes/failure", "shapes/leak"},
}
"""What released servers get wrong."""
BUGS = [
    ("drf", "exclusive bound", "filter.words__gte"),
    ("drf", "case matters", "filter.title__iexact.exact"),
    ("drf", "count of the page", "total"),
    ("drf", "sign ignored", "order.words.descending"),
    ("fastapi", "first tag only", "filter.tag"),
    ("fastapi", "case matters", "filter.q.exact"),
    ("fastapi", "null is zero", "filter.max_words"),
    ("fastapi", "skips one more", "page.windows"),
    ("json-server", "descending is ignored", "order.created.descending"),
    ("json-server", "bound is ignored", "filter.words_gte"),
    ("json-server", "total of the page", "total"),
]


@contextmanager
def serving_released(name: str, folder: Path, bug: str = "") -> Generator[str, None, None]:
    """Serve the articles with a released server."""
    command, environment = _command(name, folder), {**os.environ, "NODE_PATH": str(FOLDER / "node_modules")}
    environment.pop("PYTHONPATH", None)
    with subprocess.Popen(
        [*command, bug], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _command(name: str, folder: Path) -> list[str]:
    if name != "json-server":
        if not PYTHON.exists():
            pytest.skip("scripts/real-servers was not run")
        return [str(PYTHON), str(SOURCES / {"drf": "drf.py", "fastapi": "fast.py"}[name])]
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "json-server").exists():
        pytest.skip("json-server needs Node.js and scripts/real-servers")
    data = folder / "articles.json"
    data.write_text(json.dumps({"articles": articles(47)}), encoding="utf-8")
    return [node, str(SOURCES / "json-server.cjs"), str(data)]


@pytest.mark.parametrize("name", TRUE_FAULTS)
def test_released_server_is_blamed_for_its_true_faults_only(name: str, tmp_path: Path) -> None:
    with serving_released(name, tmp_path) as url:
        report = prove(url, spec=CONTRACTS / f"{name}.yaml", project_id="p", max_examples=20, timeout=60)
    assert not report.failure
    found = {f"{each.property.suite}/{each.property.id}" for each in report.breaches}
    assert found <= TRUE_FAULTS[name], "\n".join(map(describe, report.breaches))


@pytest.mark.parametrize(("name", "bug", "property_"), BUGS)
def test_seeded_bug_is_found(name: str, bug: str, property_: str, tmp_path: Path) -> None:
    with serving_released(name, tmp_path, bug) as url:
        report = prove(url, spec=CONTRACTS / f"{name}.yaml", project_id="p", only=(property_,), timeout=60)
    assert [each.property.id for each in report.breaches] == [property_], "\n".join(map(describe, report.results))
