"""The request of a breach is shrunk while the breach stays."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from list_app import ListApp, Query, broken, outcome, things
from metastudio.tester.shapes.shrinking import MAX_REQUESTS, Pairs, shrink

LONG = "x" * 400


@pytest.mark.parametrize(
    ("needed", "query", "smallest"),
    [
        ({}, [("a", "1"), ("b", "2")], []),
        ({"b": "'"}, [("a", "1"), ("b", "it's so"), ("c", "3")], [("b", "'")]),
        ({"a": "", "c": "x"}, [("a", "1"), ("b", LONG), ("c", f"{LONG}y")], [("a", "1"), ("c", "x")]),
        ({"b": "é"}, [("b", LONG + "é" + LONG)], [("b", "é")]),
    ],
)
def test_smallest_query_that_still_fails(needed: dict[str, str], query: Pairs, smallest: Pairs) -> None:
    tried: list[Pairs] = []

    def fails(pairs: Pairs) -> bool:
        tried.append(pairs)
        given = dict(pairs)
        return all(name in given and part in given[name] for name, part in needed.items())

    assert list(shrink(query, fails)) == smallest
    assert len(tried) <= MAX_REQUESTS


def test_requests_are_limited() -> None:
    tried: list[Pairs] = []

    def never(pairs: Pairs) -> bool:
        tried.append(pairs)
        return False

    shrink([(str(n), LONG) for n in range(100)], never)
    assert len(tried) == MAX_REQUESTS


def test_failing_request_is_shrunk() -> None:
    class Failing(ListApp):
        def respond(self, query: Query) -> Any:
            if "label" in query and "state" in query:
                raise ZeroDivisionError
            return super().respond(query)

    report = outcome(Failing(things(9)), "failure", "body", max_examples=4)
    assert broken(report) == {"failure"}
    for command in report.commands:
        query = parse_qsl(urlsplit(command.split("'")[1]).query, keep_blank_values=True)
        assert {name for name, value in query if len(value) < 2} == {"label", "state"}, command


def test_wrong_items_are_shown_with_the_filter_that_lets_them_through() -> None:
    class Ignoring(ListApp):
        def matching(self, query: Query) -> Any:
            return super().matching({name: value for name, value in query.items() if name != "label" or len(query) < 3})

    report = outcome(Ignoring(things(9)), "word", max_examples=4)
    for evidence in report["shapes/word"].evidence:
        assert evidence.expected == "only items that match label"
        assert evidence.commands[0].count("&") == 2
