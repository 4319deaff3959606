"""Lists of 5,000 and 100,000 items, which are not read whole: narrowed by a filter, and compared window by window."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from list_app import InvalidQueryError, ListApp, Query, Thing, assert_not_blamed, broken, instant, outcome, things
from metastudio.tester import Verdict

LENGTHS = [5_000, pytest.param(100_000, marks=pytest.mark.slow)]
MANY = things(100_000)


class OneTooHigh(ListApp):
    """Skips one item too many."""

    def page(self, found: Sequence[Thing], offset: int, limit: int) -> Sequence[Thing]:
        return super().page(found, offset + 1 if offset else 0, limit)


class Exclusive(ListApp):
    """Takes an inclusive bound for an exclusive one."""

    def first_after(self, moment: int) -> int:
        return super().first_after(moment - 1)


@pytest.mark.parametrize("count", LENGTHS)
def test_conforming_server_passes(count: int) -> None:
    report = outcome(ListApp(MANY[:count]), "meaning")
    assert_not_blamed(report)
    assert [each.property.id for each in report.having(Verdict.NOT_EXERCISED)] == ["filter.state.exact"]
    assert sum(report.requests.values()) < 500


def test_range_that_ends_before_it_starts_may_be_refused() -> None:
    """If one bound narrows the list, the other one is tested with values on both sides of it."""

    class Strict(ListApp):
        def matching(self, query: Query) -> Sequence[Thing]:
            if "since" in query and "until" in query and instant(query["since"]) > instant(query["until"]):
                raise InvalidQueryError
            return super().matching(query)

    assert_not_blamed(outcome(Strict(MANY[:12]), "filter.*", "filters.*", freeze=True))


@pytest.mark.parametrize("count", LENGTHS)
def test_offset_that_is_one_too_high_is_found(count: int) -> None:
    assert {"page.windows", "page.joined", "page.offset"} <= broken(outcome(OneTooHigh(MANY[:count]), "page.*"))


@pytest.mark.parametrize("count", LENGTHS)
def test_exclusive_bound_is_found(count: int) -> None:
    assert "filter.until" in broken(outcome(Exclusive(MANY[:count]), "filter.until"))


def test_window_is_compared_where_no_filter_narrows_the_list() -> None:
    items = [{**item, "at": MANY[0]["at"], "state": "NEW", "label": "x"} for item in MANY[:1500]]
    report = outcome(ListApp(items), "page.*")
    assert_not_blamed(report)
    assert report["meaning/page.windows"].verdict is Verdict.PASS
    assert report["meaning/page.joined"].verdict is Verdict.NOT_EXERCISED
    assert "page.windows" in broken(outcome(OneTooHigh(items), "page.windows"))
