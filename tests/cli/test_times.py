"""Parsing and display of times and durations."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metastudio.cli.options import parse_duration, parse_time, value_type
from metastudio.cli.output import to_instant, to_local
from metastudio.contract.operation import Filter, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=8))


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-12-01T08:00:00Z", datetime(2023, 12, 1, 8, tzinfo=UTC)),
        ("2023-12-01t08:00:00z", datetime(2023, 12, 1, 8, tzinfo=UTC)),
        ("2023-12-01 08:00:00.5+08:00", datetime(2023, 12, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("2023-12-01", datetime(2023, 12, 1, tzinfo=EAST)),
        ("2d ago", NOW - timedelta(days=2)),
        ("2 days ago", NOW - timedelta(days=2)),
        ("1h30m ago", NOW - timedelta(minutes=90)),
        ("90 ago", NOW - timedelta(seconds=90)),
        (" 1 Week AGO ", NOW - timedelta(days=7)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert parse_time(text, now=NOW) == moment


def test_a_date_is_a_whole_local_day() -> None:
    begins, ends = (parse_time("2023-12-01", now=NOW, end_of_day=end) for end in (False, True))
    assert begins.isoformat() == "2023-12-01T00:00:00+08:00"
    assert ends.isoformat() == "2023-12-01T23:59:59+08:00"


def test_a_day_whose_midnight_the_clocks_skip_or_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Beirut they go from 0:00 to 1:00 on the last Sunday of March, and back to 23:00 on that of October."""
    monkeypatch.setenv("TZ", "EET-2EEST,M3.5.0/0,M10.5.0/0")
    time.tzset()
    assert parse_time("2024-03-31").isoformat() == "2024-03-31T01:00:00+03:00"
    assert parse_time("2024-03-30", end_of_day=True).isoformat() == "2024-03-30T23:59:59+02:00"
    assert parse_time("2024-10-26").isoformat() == "2024-10-26T00:00:00+03:00"
    last = parse_time("2024-10-26", end_of_day=True, milliseconds=True)
    assert last.isoformat() == "2024-10-26T23:59:59.999000+02:00"


@pytest.mark.parametrize(
    ("time_format", "last"),
    [("date-time", "23:59:59"), ("epoch-seconds", "23:59:59"), ("epoch-milliseconds", "23:59:59.999000")],
)
def test_a_day_ends_with_the_last_unit_of_the_parameter(time_format: str, last: str) -> None:
    """An upper bound in milliseconds includes the items of the last second of the day; `gt` leaves them out."""
    parameter = Parameter("until", "until", "query", False, "", {"format": time_format}, (), False, False)
    bounds = {"le": last, "gt": last, "lt": "00:00:00", "ge": "00:00:00"}
    for op, clock in bounds.items():
        moment = value_type(parameter, Filter("until", "/created", op, None, "page")).convert("2026-01-02", None, None)
        assert moment.isoformat() == f"2026-01-02T{clock}+08:00", op


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2023-12-01T08:00:00", "2023-13-01", "2023-02-29", "20231201", "2023-W01-1", "ago", "2x ago",
     "500ms ago", "-2d ago", "2023-12-01T08:00:00+99:00", "0001-01-01", "99999999999w ago", "9999-12-31T23:00:00-08:00",
     "0001-01-01T00:00:00+08:00", pytest.param("9" * 5000 + "w ago", id="long"), "２d ago"],
)  # fmt: skip
def test_invalid_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2d ago"):
        parse_time(text, now=NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.5", 0.5), ("5m", 300), ("1h30m", 5400), ("2 days", 172800), ("1w", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text",
    ["", "m", "5x", "1h30", "ms", "5 minutess", "-5", "1e3", "inf", "nan",
     pytest.param("9" * 400, id="400 digits"), pytest.param("9" * 5000 + "w", id="5000 digits")],
)  # fmt: skip
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1h30m"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    for end in (False, True):
        with contextlib.suppress(ValueError):
            assert parse_time(text, now=NOW, end_of_day=end).tzinfo


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.sampled_from(["Z", "+08:00"]))
def test_times_are_shown_in_local_time(moment: datetime, offset: str) -> None:
    shown = to_local(moment.isoformat(timespec="seconds") + offset)
    here = moment + timedelta(hours=8 if offset == "Z" else 0)
    assert shown == here.isoformat(sep=" ", timespec="minutes")


@pytest.mark.parametrize("text", ["soon", "2023-12-01T08:00:00", "9999-12-31T23:59:59Z", "None"])
def test_other_text_is_not_changed(text: str) -> None:
    assert to_local(text) == text
    assert to_instant(text, "date-time") is None
