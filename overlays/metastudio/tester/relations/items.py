"""What every answer and every item keeps to, whatever was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from metastudio import redaction
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations.judge import Check, Relation
from metastudio.tester.relations.list_client import Bench, Query, Snapshot
from metastudio.tester.relations.pages import orders
from metastudio.tester.values import pick
from metastudio.tester.verdicts import Property, Suite

REQUEST_ID = re.compile(r"(request|trace|correlation)-?id", re.IGNORECASE)
"""Names of headers whose value belongs to one answer only."""
ASKED_AGAIN = 4


def relations(subject: Subject) -> Iterator[Relation]:
    """Yield the relations that hold for every request."""
    rules = subject.rules

    def of(id_: str, sentence: str, at: str, source: str = "page") -> Property:
        return Property(subject.name, Suite.MEANING, id_, sentence, subject.place(at, source))

    sentence = "The same request has the same answer: the same items in the same order, ties too, and the same total."
    yield Relation(of("repeatable", sentence, "/x-list/order" if rules.order else "/x-list"), _repeatable)
    yield Relation(
        of(
            "identity",
            f"Each {rules.identity} stands in an answer once.",
            "/x-list/identity",
            rules.sources["identity"],
        ),
        _identity,
    )
    for parameter, pointer in rules.scope.items():
        sentence = f"Every item's {pointer} is the {parameter} of the path: nothing of anybody else is shown."
        at = f"/x-list/scope/{parameter}"
        yield Relation(
            of(f"scope.{parameter}", sentence, at, rules.sources["scope"]), partial(_scope, parameter, pointer)
        )
    for status in subject.operation.success:
        found = subject.response(status)
        for name, raw in (found[1].get("headers", {}) if found else {}).items():
            header, at = subject.document.resolve(raw, f"{found[0] if found else ''}/headers/{name}")
            if header.get("required") and REQUEST_ID.search(name):
                sentence = f"Every success carries {name}, and no two the same."
                place = subject.at(at)
                property_ = Property(subject.name, Suite.MEANING, f"header.{name}", sentence, place)
                yield Relation(property_, partial(_request_ids, name))


def _repeatable(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    if not snapshot.items:
        return check.skip("needs an item")
    queries: list[Query] = list(orders(bench))
    for query in queries:
        pages = [bench.ask({**query, bench.rules.limit: str(bench.page_length)}) for _ in range(ASKED_AGAIN)]
        for page in pages[1:]:
            same = page.identities == pages[0].identities
            seen = "other items" if set(page.identities) != set(pages[0].identities) else "another order"
            check.holds(same, "the same items in the same order", seen, pages[0].answer, page.answer)
            same = page.total == pages[0].total
            check.holds(same, f"the same total, {pages[0].total}", f"{page.total}", pages[0].answer, page.answer)
            facts = [item.facts for item in page.items] == [item.facts for item in pages[0].items]
            check.holds(facts, "the same values in the items", "other ones", pages[0].answer, page.answer)
    return None


def _identity(bench: Bench, snapshot: Snapshot, check: Check) -> None:
    for page in bench.pages:
        twice = (
            {each for each in page.identities if page.identities.count(each) > 1}
            if len(set(page.identities)) < len(page.identities)
            else set[str]()
        )
        if page.items:
            expected, seen = "each item once", f"{min(twice, default='')} more than once"
            check.holds(not twice, expected, seen, page.answer, certain=True)
    if not check.exercised:
        check.skip("needs an item")


def _scope(parameter: str, pointer: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    own, masked = bench.path_values[parameter], 0
    for page in bench.pages:
        values = [str(value) for item in page.items for value in pick(item.raw, pointer)]
        without = sum(not pick(item.raw, pointer) for item in page.items)
        masked += sum(not value.strip("*") for value in values)
        strange = next((value for value in values if value != own and value.strip("*")), None)
        if page.items:
            check.holds(
                strange is None, f"{pointer} {own} in every item", f"{pointer} {strange}", page.answer, certain=True
            )
            check.holds(not without, f"{pointer} in every item", f"{without} items without", page.answer, certain=True)
    if masked:
        check.observe(f"{masked} items have a {pointer} of asterisks, which proves nothing")
    if not check.exercised:
        check.skip("needs an item")


def _request_ids(name: str, bench: Bench, snapshot: Snapshot, check: Check) -> None:
    seen: dict[str, str] = {}
    for page in bench.pages:
        value = page.answer.headers.get(name)
        check.holds(bool(value), f"the header {name}", "it is not there, or empty", page.answer, certain=True)
        if value:
            new = value not in seen
            commands = page.answer
            shown = redaction.mask(value)
            check.holds(new, f"a {name} of its own", f"{shown}, as in an earlier answer", commands, certain=True)
            seen[value] = page.answer.url
