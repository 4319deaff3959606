"""Bounds of an array parameter hold for every request that counts as promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from metastudio.sandbox import CONFORMING, SandboxSettings
from metastudio.tester import prove
from metastudio.tester.verdicts import describe
from repository import ROOT, replace_once
from tester_runs import credentials_of, serving
from variants import Variant

STATE = "            minItems: 1\n            maxItems: 100\n"
SOURCE = "            x-source: {minItems: decision, maxItems: decision, items: decision}\n"


@pytest.mark.parametrize(
    ("bounds", "source"),
    [
        ("            maxItems: 2\n", SOURCE.replace("minItems: decision, ", "")),
        ("            maxItems: 1\n            uniqueItems: true\n", ""),
        ("            minItems: 2\n", ""),
    ],
    ids=["two at most, by choice", "one at most", "two at least"],
)
def test_server_that_keeps_to_the_bounds_is_not_blamed(bounds: str, source: str, tmp_path: Path) -> None:
    spec = tmp_path / "bounded.yaml"
    spec.write_text((ROOT / "openapi.yaml").read_text("utf-8"), "utf-8")
    replace_once(spec, STATE, bounds)
    replace_once(spec, SOURCE, source)
    with serving(Variant("bounded", CONFORMING, SandboxSettings(spec=spec))) as sandbox:
        only = ("filter.state*", "filters.*", "input", "input.state", "word")
        report = prove(sandbox.url, spec=spec, only=only, max_examples=20, **credentials_of(sandbox))
    assert report.exit_code == 0, "\n".join([*map(describe, report.breaches), report.failure or ""])
    assert report["shapes/input.state"].exercised
