"""Bounds of an array parameter hold for every request that counts as promised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from list_app import SPEC, InvalidQueryError, ListApp, Query, assert_not_blamed, outcome, things
from repository import replace_once

ARRAY = "            type: array\n"


@pytest.mark.parametrize(
    ("bounds", "fewest", "most"),
    [
        (("maxItems: 2", "x-source: {maxItems: decision}"), 1, 2),
        pytest.param(("maxItems: 1", "uniqueItems: true"), 1, 1, marks=pytest.mark.slow),
        (("minItems: 2",), 2, 9),
    ],
    ids=["two at most, by choice", "one at most", "two at least"],
)
def test_server_that_keeps_to_the_bounds_is_not_blamed(
    bounds: tuple[str, ...], fewest: int, most: int, tmp_path: Path
) -> None:
    class Bounded(ListApp):
        def respond(self, query: Query) -> Any:
            if "state" in query and not fewest <= len(query["state"].split(",")) <= most:
                raise InvalidQueryError
            return super().respond(query)

    spec = tmp_path / "bounded.yaml"
    spec.write_text(SPEC.read_text("utf-8"), "utf-8")
    replace_once(spec, ARRAY, ARRAY + "".join(f"            {each}\n" for each in bounds))
    report = outcome(Bounded(things(12)), "filter.state*", "filters.*", "input", "input.state", "word", spec=spec)
    assert_not_blamed(report)
    assert report["shapes/input.state"].exercised
