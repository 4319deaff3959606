"""Requests at and beyond a bound: of an array, of the integers that a server stores, of the list, of a template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dialects import DialectChange, Drf, FastApi, RefusedQueryError, articles
from list_app import SPEC, InvalidQueryError, ListApp, Query, Thing, assert_not_blamed, outcome, things
from metastudio.tester import prove
from metastudio.tester.verdicts import describe
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


@pytest.mark.parametrize(
    ("schema", "largest", "words"),
    [
        ("type: integer", 2**31 - 1, 5000),
        ("type: integer", 2**31 - 1, 2**31 - 1),
        ("type: integer", 2**63 - 1, 2**63 - 1),
        ("type: integer, format: int32", 2**31 - 1, 2**31 - 1),
        ("type: integer, format: int64", 2**63 - 1, 2**63 - 1),
        (f"type: integer, format: int64, maximum: {2**63 - 1}, minimum: {-(2**63)}", 2**63 - 1, -(2**63)),
    ],
)
def test_server_may_refuse_integers_that_it_cannot_store(schema: str, largest: int, words: int, tmp_path: Path) -> None:
    def refuse(query: dict[str, list[str]]) -> dict[str, list[str]]:
        for text in (each for name in ("min_words", "max_words") for each in query.get(name, ())):
            if re.fullmatch(r"-?\d+", text) and not -largest - 1 <= int(text) <= largest:
                raise RefusedQueryError
        return query

    items = [{**each, "words": words if number % 5 == 0 else each["words"]} for number, each in enumerate(articles(20))]
    app = FastApi(items, DialectChange(query=refuse))
    spec = tmp_path / "integers.yaml"
    spec.write_text(re.sub(r"(?<=_words, in: query, schema: \{)type: integer", schema, app.spec.read_text("utf-8")))
    only = ("filter.*_words", "filters.*", "input", "input.*_words", "word")
    assert_not_blamed(prove(app, spec=spec, project_id="p", max_examples=5, only=only))


def test_page_after_the_end_is_requested_only_to_be_refused(tmp_path: Path) -> None:
    class Refusing(ListApp):
        def page(self, found: Sequence[Thing], offset: int, limit: int) -> Sequence[Thing]:
            if offset and offset >= len(found):
                raise InvalidQueryError(404)
            return super().page(found, offset, limit)

    spec = tmp_path / "refused.yaml"
    spec.write_text(SPEC.read_text("utf-8"), "utf-8")
    replace_once(spec, "limit: limit}", "limit: limit, end: refused}")
    for count in (1, 2, 3, 12, 25):
        assert_not_blamed(outcome(Refusing(things(count)), "page.*", "total", spec=spec))


def test_values_outside_the_template_of_a_filter_are_open(tmp_path: Path) -> None:
    class Templated(ListApp):
        def matching(self, query: Query) -> Sequence[Thing]:
            label = query.get("label", "is:")
            if not label.startswith("is:"):
                raise InvalidQueryError
            plain = {name: text for name, text in query.items() if name != "label"}
            return super().matching({**plain, "label": label[3:]} if "label" in query else plain)

    spec = tmp_path / "template.yaml"
    spec.write_text(SPEC.read_text("utf-8"), "utf-8")
    replace_once(spec, "label: {property: /label, op: eq}", "label: {property: /label, op: eq, template: 'is:{}'}")
    report = outcome(Templated(things(12)), "filter.label*", "input", "input.label", spec=spec)
    assert_not_blamed(report)


def test_page_that_vanishes_during_the_run_may_be_refused() -> None:
    class Shrinking(Drf):
        count = 0

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.count += scope["type"] == "http"
            if self.count % 12 == 0 and len(self.items) > 15:
                self.items.pop(self.count % len(self.items))
            await super().__call__(scope, receive, send)

    app = Shrinking(articles(61))
    report = prove(app, spec=app.spec, project_id="p", only=("page.*", "total", "order.*"))
    assert not report.breaches, "\n".join(map(describe, report.breaches))


def test_server_may_trim_values() -> None:
    class Trimming(ListApp):
        def matching(self, query: Query) -> Sequence[Thing]:
            return super().matching({name: text.strip() for name, text in query.items()})

    items = [{**each, "label": f"label-{n % 3}{' ' * (n % 2)}"} for n, each in enumerate(things(12))]
    assert_not_blamed(outcome(Trimming(items), "filter.label*", "filters.*", "word", "input.label"))
