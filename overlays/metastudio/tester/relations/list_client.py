"""Asks one list operation, reads its pages, and remembers what every answer must keep to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metastudio.contract.operation import ListRules
from metastudio.tester.http_client import Answer, Probe
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.values import instant, is_time, pick

LONGEST_LIST = 3000
"""Items of a list that is compared whole; of a longer one the run says that it was not."""
LOOKS = 6
"""How often the list is looked at, at most, until it adds up."""
Query = Mapping[str, str | tuple[str, ...]]
"""Parameters by name; several texts where the contract repeats the key for each value of an array."""


class UnexpectedError(Exception):
    """A request that the contract allows was not answered with a page. `what` says what came instead."""

    def __init__(self, answer: Answer, what: str) -> None:
        super().__init__(what)
        self.answer = answer
        self.what = what


@dataclass(frozen=True)
class Item:
    """An item of the list: its identity, and the values that `x-list` speaks of, by pointer."""

    identity: str
    facts: Mapping[str, tuple[Any, ...]]
    raw: Any


@dataclass(frozen=True)
class Page:
    """One answer: its items, the total it names (None where the contract has none), and how it came."""

    items: tuple[Item, ...]
    total: int | None
    answer: Answer

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Who is on the page, in its order."""
        return tuple(each.identity for each in self.items)


@dataclass(frozen=True)
class Walk:
    """All pages of a list, one after the other. `whole` is false where the list was too long."""

    pages: tuple[Page, ...]
    whole: bool

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The items of all pages, in order."""
        return tuple(item for page in self.pages for item in page.items)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Who is in the list, in its order."""
        return tuple(each.identity for each in self.items)

    @property
    def total(self) -> int | None:
        """The total that the first page names."""
        return self.pages[0].total

    @property
    def answers(self) -> tuple[Answer, ...]:
        """How it came."""
        return tuple(each.answer for each in self.pages)


@dataclass(frozen=True)
class Snapshot:
    """The list at one moment."""

    items: Mapping[str, Item]
    total: int | None
    whole: bool
    answers: tuple[Answer, ...] = field(compare=False)

    def keeping(self, test: Callable[[Item], bool | None]) -> tuple[set[str], set[str]]:
        """Return who passes a test for certain, and who may or may not (None)."""
        verdicts = {name: test(item) for name, item in self.items.items()}
        return {n for n, v in verdicts.items() if v}, {n for n, v in verdicts.items() if v is None}

    def is_contradicted_by(self, page: Page) -> bool:
        """Whether a page shows that the list is another one by now: an unknown or changed item, or a larger total."""
        if page.total is not None and self.total is not None and page.total > self.total:
            return True
        return any(i.identity not in self.items or i.facts != self.items[i.identity].facts for i in page.items)

    def same_as(self, other: Snapshot) -> bool:
        """Whether nothing changed that a relation looks at."""
        return self.total == other.total and {n: i.facts for n, i in self.items.items()} == {
            n: i.facts for n, i in other.items.items()
        }


class Bench:
    """One list operation of one server. `path` has its parameters filled in, `pinned` is sent with every request."""

    def __init__(
        self, subject: Subject, probe: Probe, path: str, values: Mapping[str, str], pinned: Mapping[str, str]
    ) -> None:
        self.subject = subject
        self.rules: ListRules = subject.rules
        self.probe = probe
        self.path = path
        self.path_values = values
        self.pinned = dict(pinned)
        self.pages: list[Page] = []
        self.absent_means: dict[str, str] = {}
        self._schemas = {pointer: subject.property_schema(pointer) for pointer in self.pointers}
        self._times = {pointer for pointer, schema in self._schemas.items() if is_time(schema)}

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """The properties of an item that relations look at."""
        rules = self.rules
        found = [*rules.scope.values(), *(rules.order.keys.values() if rules.order else ())]
        found += [each.property for each in rules.filters.values() if each.property]
        return tuple(dict.fromkeys(found))

    @cached_property
    def page_length(self) -> int:
        """The longest page that the contract promises; where it names none, the longest up to 100 that is given."""
        if self.rules.max_limit is not None:
            return self.rules.max_limit
        page = self.ask({self.rules.limit: "100"})
        clamped = page.total is not None and len(page.items) < min(page.total, 100)
        return max(1, len(page.items)) if clamped else 100

    def schema(self, pointer: str) -> Mapping[str, Any]:
        """The schema of a property of an item."""
        return self._schemas[pointer]

    def send(self, query: Query) -> Answer:
        """Send a request, whatever may come."""
        known, pairs, headers = self.subject.operation.parameters, list[tuple[str, str]](), list[tuple[str, str]]()
        for name, value in {**self.pinned, **query}.items():
            target = headers if name in known and known[name].location == "header" else pairs
            target += [(name, text) for text in (value if isinstance(value, tuple) else (value,))]
        return self.probe.send(self.path, pairs, headers=headers)

    def ask(self, query: Query) -> Page:
        """Ask for a page. Raises UnexpectedError when something else comes."""
        return self.read(self.send(query))

    def read(self, answer: Answer) -> Page:
        """Read an answer as a page. Raises UnexpectedError."""
        if answer.status not in self.subject.operation.success:
            raise UnexpectedError(answer, f"status {answer.status}{_message(answer)}")
        if not answer.is_json:
            kind = answer.headers.get("content-type", "no content type")
            raise UnexpectedError(answer, f"status {answer.status} with a body that is not JSON ({kind})")
        items = _at(answer.json, self.rules.items)
        if not isinstance(items, list):
            raise UnexpectedError(answer, f"no array at {self.rules.items} of the answer")
        total = _at(answer.json, self.rules.total) if self.rules.total else None
        if self.rules.total and (not isinstance(total, int) or isinstance(total, bool)):
            raise UnexpectedError(answer, f"no whole number at {self.rules.total} of the answer")
        page = Page(tuple(self._item(each, answer) for each in items), total, answer)
        self.pages.append(page)
        return page

    def first(self, query: Query) -> Answer:
        """Ask for the first of the longest pages, whatever may come."""
        return self.send({**query, self.rules.limit: str(self.page_length), self.rules.offset: "0"})

    def walk(self, query: Query, size: int | None = None, first: Answer | None = None) -> Walk:
        """Ask for all pages, of `size` items each or the most allowed, until one is short, empty, or brings nobody new.

        `first` is the answer of `first(query)`, where that was asked for already.
        """
        size = min(size or self.page_length, self.page_length)
        pages: list[Page] = []
        seen: set[str] = set()
        while True:
            at = sum(len(page.items) for page in pages)
            if first is not None and not pages:
                page = self.read(first)
            else:
                page = self.ask({**query, self.rules.limit: str(size), self.rules.offset: str(at)})
            pages.append(page)
            new = set(page.identities) - seen
            seen |= new
            done = at + len(page.items) >= page.total if page.total is not None else len(page.items) < size
            if done or not new:
                return Walk(tuple(pages), True)
            if len(seen) >= LONGEST_LIST:
                return Walk(tuple(pages), False)

    def snapshot(self) -> Snapshot:
        """Look at the whole list, again while the items met do not add up to the total.

        Several looks are put together, so that a server which shuffles its pages has a list all the same.
        """
        walk = self.walk({})
        met = {each.identity: each for each in walk.items}
        for _ in range(LOOKS - 1):
            if not walk.whole or walk.total in (None, len(met)):
                break
            before, walk = met, self.walk({})
            met = {**before, **{each.identity: each for each in walk.items}}
            if len(met) > (walk.total or 0):
                met = {each.identity: each for each in walk.items}
            if met.keys() == before.keys():
                break
        return Snapshot(met, walk.total, walk.whole, walk.answers)

    def _item(self, raw: Any, answer: Answer) -> Item:
        identity = pick(raw, self.rules.identity)
        if not identity:
            raise UnexpectedError(answer, f"an item without {self.rules.identity}, its identity")
        facts: dict[str, tuple[Any, ...]] = {}
        for pointer in self.pointers:
            values = pick(raw, pointer)
            facts[pointer] = tuple(map(instant, values)) if pointer in self._times else tuple(values)
        return Item(json.dumps(identity[0]), facts, raw)


def texts(item: Item, pointer: str) -> Iterator[Any]:
    """Yield the values that an item has at a pointer, as they were sent."""
    yield from pick(item.raw, pointer)


def _at(value: Any, pointer: str) -> Any:
    found = pick(value, pointer)
    return found[0] if found else None


def _message(answer: Answer) -> str:
    if answer.is_json and isinstance(answer.json, dict):
        code = answer.json.get("error_code") or answer.json.get("errorCode")
        return f" ({code})" if isinstance(code, str) else ""
    return ""
