"""A server whose maximum page is smaller than the contract's: blamed once, and tested with smaller pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from list_app import SPEC, InvalidQueryError, ListApp, Thing, assert_not_blamed, broken, outcome, things
from metastudio.tester import Verdict


@pytest.mark.parametrize("largest", [50, pytest.param(7, marks=pytest.mark.slow)])
def test_refused_page_length_is_reported_once(largest: int) -> None:
    app = ListApp(things(60))
    app.largest = largest
    report = outcome(app)
    assert broken(report) == {"page.limit"}
    assert f"the longest page has {largest} items" in report.breaches[0].evidence[0].seen
    for name in ("page.joined", "page.offset", "filter.until", "total"):
        assert report[f"meaning/{name}"].verdict is Verdict.PASS


def test_minimum_of_the_contract_is_kept(tmp_path: Path) -> None:
    class NeverShort(ListApp):
        def page(self, found: Sequence[Thing], offset: int, limit: int) -> Sequence[Thing]:
            if limit < 5:
                raise InvalidQueryError
            return super().page(found, offset, limit)

    spec = tmp_path / "contract.yaml"
    text = SPEC.read_text(encoding="utf-8")
    spec.write_text(text.replace("{type: integer, minimum: 1, maximum", "{type: integer, minimum: 5, maximum"), "utf-8")
    assert_not_blamed(outcome(NeverShort(things(30)), spec=spec))


def test_shortened_pages_hide_no_other_fault() -> None:
    class Shortening(ListApp):
        def page(self, found: Sequence[Thing], offset: int, limit: int) -> Sequence[Thing]:
            return super().page(found, offset, min(limit, 20))

        def first_after(self, moment: int) -> int:
            return super().first_after(moment - 1)

    report = outcome(Shortening(things(60)), "meaning")
    assert {"page.limit", "filter.until"} <= broken(report)
    assert broken(report) <= {"page.limit", "filter.until", "filter.until.zones", "filters.together", "filters.paged"}
