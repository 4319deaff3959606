"""A small contract with a list, and a conforming ASGI application for it, independent of the sandbox.

    report = outcome(ListApp(things(30)), "meaning")

A test overrides one method, with a property that the contract tester must find, or must not blame.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from metastudio.contract.instants import NANO
from metastudio.tester import Report, Verdict, prove
from metastudio.tester.values import format_instant, parse_instant
from metastudio.tester.verdicts import describe

SPEC = Path(__file__).with_name("list_app.yaml")
STATES = ("NEW", "SOLD", "GONE")
Query = Mapping[str, str]
Thing = dict[str, Any]


class InvalidQueryError(Exception):
    """The application refuses a request, with this status."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


def things(count: int) -> list[Thing]:
    """Return items in the order of their times, an hour apart."""
    return [
        {
            "id": f"thing-{number:06}",
            "at": format_instant((1_700_000_000 + number * 3600) * NANO),
            "state": STATES[number % 3],
            "label": f"label-{number % 7}",
        }
        for number in range(count)
    ]


class ListApp:
    """An ASGI application that lists `items`, which are in the order of their times."""

    largest = 100
    """Maximum page length."""

    def __init__(self, items: Sequence[Thing]) -> None:
        self.items = items
        self.times = [parse_instant(item["at"]) or 0 for item in items]
        self.queries: list[Query] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise NotImplementedError
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        status, body = self.response(query if scope["method"] == "GET" else None)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body})

    def response(self, query: Query | None) -> tuple[int, bytes]:
        """Return the status and the body for a query, None for other methods than GET."""
        self.queries.append(query or {})
        if query is None:
            return 405, b"{}"
        try:
            return 200, json.dumps(self.respond(query)).encode()
        except InvalidQueryError as error:
            return error.status, b"{}"

    def respond(self, query: Query) -> Any:
        """Return the body of a page."""
        offset, limit = integer(query.get("offset", "0"), 0), integer(query.get("limit", "5"), 1)
        if query.get("dir", "asc") not in ("asc", "desc") or query.get("sort", "at") != "at":
            raise InvalidQueryError
        found = self.matching(query)
        if query.get("dir") == "desc" and "sort" in query:
            found = found[::-1]
        return {"total": len(found), "things": self.page(found, offset, limit)}

    def page(self, found: Sequence[Thing], offset: int, limit: int) -> Sequence[Thing]:
        """Return a page of the items found. Refuse a limit above the maximum."""
        if limit > self.largest:
            raise InvalidQueryError
        return found[offset : offset + limit]

    def matching(self, query: Query) -> Sequence[Thing]:
        """Return the items that match all filters, in the order of their times."""
        first = bisect_left(self.times, instant(query["since"])) if "since" in query else 0
        last = self.first_after(instant(query["until"])) if "until" in query else len(self.items)
        found = self.items[first:last]
        if "state" in query:
            wanted = query["state"].split(",")
            if not set(wanted) <= set(STATES):
                raise InvalidQueryError
            found = [item for item in found if item["state"] in wanted]
        return [item for item in found if item["label"] == query["label"]] if "label" in query else found

    def first_after(self, moment: int) -> int:
        """Return the position of the first item that is later than a time."""
        return bisect_right(self.times, moment)


def integer(text: str, least: int) -> int:
    """Return a number of at least `least`."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise InvalidQueryError
    return int(text)


def instant(text: str) -> int:
    """Return a time as nanoseconds since 1970."""
    moment = parse_instant(text)
    if moment is None:
        raise InvalidQueryError
    return moment


def outcome(target: Any, *only: str, **options: Any) -> Report:
    """Test an application or a server. Keyword arguments are those of `prove`."""
    given: dict[str, Any] = {"spec": SPEC, "project_id": "p1", "max_examples": 1, "only": only, **options}
    report = prove(target, **given)
    assert report.failure is None, report.failure
    return report


def broken(report: Report) -> set[str]:
    """Return the IDs of the broken properties."""
    return {each.property.id for each in report.breaches}


def assert_not_blamed(report: Report) -> None:
    """Fail with the evidence of every breach and the note of every undecided property."""
    found = [*report.breaches, *report.having(Verdict.UNDECIDED)]
    assert not found, "\n".join(map(describe, found))
