"""The retry policy: what is retried, after which wait, and what `Retry-After` means."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metastudio.errors import ConfigurationError
from metastudio.http.retry import Failure, RetryPolicy, Stop, Wait, decide, retry_after

DATE = "Thu, 04 Jul 2024 08:00:00 GMT"
AT_DATE = 1720080000.0


def decided(
    failure: Failure, attempts: int = 1, *, elapsed: float = 0.0, random: float = 0.5, **policy: Any
) -> Wait | Stop:
    return decide(RetryPolicy(**policy), failure, attempts=attempts, elapsed=elapsed, random=lambda: random)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504])
def test_transient_failures_of_safe_methods_are_retried(method: str, status: int | None) -> None:
    assert isinstance(decided(Failure(method, status)), Wait)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND"])
@pytest.mark.parametrize("status", [None, 503])
def test_unsafe_methods_are_retried_only_if_that_is_harmless(method: str, status: int | None) -> None:
    assert decided(Failure(method, status)) == Stop()
    assert isinstance(decided(Failure(method, status, repeatable=True)), Wait)
    assert isinstance(decided(Failure(method, sent=False)), Wait)
    assert isinstance(decided(Failure(method, 429)), Wait)


@pytest.mark.parametrize("status", sorted(set(range(300, 600)) - {408, 429, 500, 502, 503, 504}))
def test_other_statuses_are_not_retried(status: int) -> None:
    assert decided(Failure("GET", status)) == Stop()


def test_lasting_failures_are_not_retried() -> None:
    assert decided(Failure("GET", transient=False)) == Stop()


@pytest.mark.parametrize(("retries", "attempts", "again"), [(0, 1, False), (2, 2, True), (2, 3, False), (5, 5, True)])
def test_number_of_retries(retries: int, attempts: int, again: bool) -> None:
    assert isinstance(decided(Failure("GET"), attempts, max_retries=retries), Wait) is again


@pytest.mark.parametrize(
    ("attempts", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 30.0), (100, 30.0), (2000, 30.0)]
)
def test_full_jitter_doubles_up_to_the_cap(attempts: int, longest: float) -> None:
    limits = {"max_retries": 5000}
    assert decided(Failure("GET"), attempts, random=0.0, **limits) == Wait(0.0)
    wait = decided(Failure("GET"), attempts, random=0.999, **limits)
    assert isinstance(wait, Wait)
    assert 0.99 * longest <= wait.seconds <= longest


def test_a_throttled_call_waits_at_least_two_seconds() -> None:
    assert decided(Failure("GET", 429), random=0.0) == Wait(2.0)
    assert decided(Failure("GET", 429), 2, random=0.5) == Wait(2.5)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_the_minimum_wait(status: int) -> None:
    assert decided(Failure("GET", status, 7.0), random=0.0) == Wait(7.0)
    assert decided(Failure("GET", status, 7.0), random=0.5) == Wait(7.25)
    assert decided(Failure("GET", status, 30.0), random=0.5) == Wait(30.0)


def test_retry_after_beyond_the_cap_ends_the_call() -> None:
    stop = decided(Failure("GET", 429, 3600.0))
    assert isinstance(stop, Stop)
    assert stop.reason == "the server asks to wait 3600 s, more than the cap of 30 s"
    assert isinstance(decided(Failure("GET", 503, 30.1)), Stop)


def test_deadline() -> None:
    assert decided(Failure("GET"), elapsed=9.0, deadline=10.0) == Wait(0.25)
    stop = decided(Failure("GET"), elapsed=9.75, deadline=10.0)
    assert isinstance(stop, Stop)
    assert stop.reason == "the deadline of 10 s would pass before another attempt"
    assert isinstance(decided(Failure("GET"), elapsed=1e9, deadline=None), Wait)


@given(
    status=st.sampled_from([None, 408, 429, 500, 503]),
    asked=st.none() | st.floats(0, 1e6),
    attempts=st.integers(1, 50),
    elapsed=st.floats(0, 1000),
    random=st.floats(0, 1, exclude_max=True),
    cap=st.floats(0.1, 100),
    deadline=st.none() | st.floats(0.1, 1000),
)
def test_waits_stay_within_the_limits(
    status: int | None,
    asked: float | None,
    attempts: int,
    elapsed: float,
    random: float,
    cap: float,
    deadline: float | None,
) -> None:
    failure = Failure("GET", status, asked)
    decision = decided(failure, attempts, elapsed=elapsed, random=random, max_retries=49, cap=cap, deadline=deadline)
    if isinstance(decision, Wait):
        assert attempts <= 49
        assert 0 <= decision.seconds <= cap
        assert decision.seconds >= (asked or 0)
        assert deadline is None or elapsed + decision.seconds < deadline


@pytest.mark.parametrize(
    "limits",
    [
        {"max_retries": -1},
        {"max_retries": True},
        {"max_retries": 1.5},
        {"max_retries": "2"},
        {"base": 0},
        {"cap": -1.0},
        {"deadline": 0},
        {"deadline": float("nan")},
    ],
)
def test_limits_out_of_range(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(limits))):
        RetryPolicy(**limits)


@pytest.mark.parametrize(
    ("timeout", "deadline"),
    [
        (httpx.Timeout(30.0, connect=10.0), 120.0),
        (httpx.Timeout(0.1), 120.0),
        (httpx.Timeout(300.0, connect=10.0), 610.0),
        (httpx.Timeout(None), None),
        (httpx.Timeout(5.0, read=None), None),
        (httpx.Timeout(5.0, pool=None), 120.0),
    ],
)
def test_the_deadline_extends_to_the_timeouts_of_an_attempt(timeout: httpx.Timeout, deadline: float | None) -> None:
    assert RetryPolicy.within(timeout, max_retries=7) == RetryPolicy(7, deadline=deadline)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0.0),
        ("120", None, 120.0),
        (" 7 ", None, 7.0),
        ("1.5", None, 1.5),
        ("Thu, 04 Jul 2024 08:00:30 GMT", DATE, 30.0),
        ("Thursday, 04-Jul-24 08:00:30 GMT", DATE, 30.0),
        ("Thu, 04 Jul 2024 10:00:30 +0200", DATE, 30.0),
        ("Thu, 04 Jul 2024 07:00:00 GMT", DATE, 0.0),
        ("Thu, 04 Jul 2024 08:00:30 GMT", None, 20.0),  # counted from `now`
        ("Thu, 04 Jul 2024 08:00:30 GMT", "nonsense", 20.0),
        ("Thu, 04 Jul 2024 08:00:30 -0000", "Thu, 04 Jul 2024 08:00:00 -0000", 30.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DATE, 251682307139.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", DATE, 0.0),
        (f"Thu, 04 Jul 2024 08:00:30 +{10**18}", DATE, None),
        ("Thu, 04 Jul 2024 08:00:30 GMT", f"Thu, 04 Jul 2024 08:00:00 -{10**18}", 20.0),
        ("9" * 400, DATE, None),
        *((text, DATE, None) for text in ("", "soon", "-1", "+1", "1e3", "nan", "inf", "1,5", "٣", "0x10", "1 2")),
        ("Thu, 99 Jul 2024 08:00:30 GMT", DATE, None),
        ("Thu, 04 Jul 99999 08:00:30 GMT", DATE, None),
        (None, DATE, None),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    headers = [(b"retry-after", value), (b"date", date)]
    response = httpx.Headers([(name, text.encode()) for name, text in headers if text is not None])
    assert retry_after(response, now=AT_DATE + 10) == seconds


def test_a_date_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-8")
    time.tzset()
    try:
        assert retry_after({"Retry-After": "Thu, 04 Jul 2024 08:00:30 -0000", "Date": DATE}) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text())
def test_retry_after_never_raises(value: str) -> None:
    seconds = retry_after({"Retry-After": value, "Date": value})
    assert seconds is None or seconds >= 0
