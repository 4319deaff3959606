"""Servers of seven vocabularies: no conforming one has a breach, every faulty one is found. `--slow` runs them all."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_variants import DialectVariant, conforming_dialects, faulty_dialects
from dialects import Cursor, Drf, PostgRest
from metastudio.tester.verdicts import describe

FAULTY, CONFORMING = faulty_dialects(), conforming_dialects()
SAMPLE = {
    "drf: title__iexact compares by like folded": "filter.title__iexact.exact",
    "drf: words__lt compares by le": "filter.words__lt",
    "drf: author__isnull compares by exists": "filter.author__isnull",
    "drf: pages are counted from another number": "page.number",
    "drf: a page after the end is empty": "page.end",
    "drf: nulls are last": "order.words.nulls",
    "drf: several sort keys count in reverse": "order.several",
    "drf: an unknown sort key gives nothing": "invalid.ordering",
    "fastapi: tag compares by first of several": "filter.tag.several",
    "fastapi: statuses are ordered as texts": "order.status.ascending",
    "fastapi: ties are in the other direction": "order.status.ties",
    "fastapi: a page starts one item too late": "page.windows",
    "json-api: filter[tags] compares by eq": "filter.filter[tags].several",
    "json-api: the link to the next page loses the filters": "filters.paged",
    "json-api: the last page has a next one": "page.end",
    "json-api: an unknown sort key is ignored": "invalid.sort",
    "spring-data: the number counts items": "page.windows",
    "spring-data: longer pages than the maximum": "invalid.size",
    "spring-data: only the last of several sort keys counts": "order.several",
    "json-server: the total counts the page": "total",
    "postgrest: title compares by eq folded": "filter.title.exact",
    "postgrest: the header with the total is missing": "list",
    "cursor: title compares by eq for long values, else substring": "filter.title",
    "cursor: words compares by between, upper bound exclusive": "filter.words",
    "cursor: the next page starts one item too late": "page.joined",
    "cursor: filters that exclude each other are accepted": "filter.author.excludes",
    "cursor: an unknown cursor is ignored": "invalid.cursor",
}
"""Faulty server to the property that finds it."""


# 3 s each; these three have a number, an offset and a cursor for pages. `--slow` tests all seven.
@pytest.mark.parametrize("dialect", [Drf, PostgRest, Cursor], ids=lambda each: each.name)
def test_conforming_server_has_no_breach(dialect: type) -> None:
    check_conforming(DialectVariant(dialect, "conforming"), max_examples=1)


@pytest.mark.parametrize("name", SAMPLE)
def test_faulty_server_is_found_by_its_property(name: str) -> None:
    [variant] = [each for each in FAULTY if each.name == name]
    report = variant.proven(SAMPLE[name])
    assert [each.property.id for each in report.breaches] == [SAMPLE[name]]


def test_number_of_servers() -> None:
    assert len([each for each in FAULTY if not each.undetectable]) >= 300
    assert len(CONFORMING) >= 80
    assert {each.name for each in FAULTY} > SAMPLE.keys()


@pytest.mark.slow
@pytest.mark.parametrize("variant", [each for each in FAULTY if not each.undetectable], ids=lambda each: each.name)
def test_every_faulty_server_is_found(variant: DialectVariant) -> None:
    assert variant.finding_suite()


@pytest.mark.slow
@pytest.mark.parametrize("variant", CONFORMING, ids=lambda each: each.name)
def test_every_conforming_server_has_no_breach(variant: DialectVariant) -> None:
    check_conforming(variant)


def check_conforming(variant: DialectVariant, **options: Any) -> None:
    report = variant.proven("meaning", "shapes", **options)
    assert not report.failure
    assert not report.breaches, "\n".join(map(describe, report.breaches))
