"""The properties of the suite, and what is known of each so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from metastudio.tester.http_client import Answer
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.verdicts import Evidence, Place, Property, Result, Suite, Verdict

SHOWN = 3
"""Breaches of one property that are shown."""


@dataclass
class Finding:
    """What is known of one property so far."""

    property: Property
    exercised: int = 0
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    observed: Counter[str] = field(default_factory=Counter[str])
    doubts: list[str] = field(default_factory=list[str])

    def breach(self, expected: str, seen: str, *answers: Answer) -> None:
        """Note a breach, as long as there are not many of them."""
        if len(self.evidence) < SHOWN:
            self.evidence.append(Evidence(expected, seen, tuple(each.command for each in answers)))

    def result(self) -> Result:
        """Return the verdict."""
        verdict = Verdict.PASS if self.exercised else Verdict.NOT_EXERCISED
        if self.doubts:
            verdict = Verdict.UNDECIDED
        if self.evidence:
            verdict = Verdict.BREACH
        observed = tuple(f"{what} ({count} times)" for what, count in self.observed.most_common(8))
        return Result(
            self.property, verdict, self.exercised, "; ".join(self.doubts), tuple(self.evidence[:SHOWN]), observed
        )


def properties(subject: Subject) -> Iterator[Property]:
    """Yield the properties of the suite."""

    def of(id_: str, sentence: str, place: Place) -> Property:
        return Property(subject.name, Suite.SHAPES, id_, sentence, place)

    responses = subject.place("/responses")
    yield of("answer", "Every request gets a whole answer over HTTP.", responses)
    yield of("failure", "No request makes the server fail.", responses)
    yield of("status", "Every answer has a status that the contract declares; a redirect is none.", responses)
    yield of("content", "Every answer has the content type declared for its status.", responses)
    yield of("header", "Every answer carries the headers that its status requires.", responses)
    yield of("body", "Every body is what the schema of its status says, down to each value.", responses)
    yield of("leak", "No error shows the inside of the server: no stack trace, no name of an exception.", responses)
    yield of(
        "input",
        "A request that the contract allows is answered, whatever else is made up for it.",
        subject.place("/parameters"),
    )
    for (where, name), pointer in subject.parameter_places.items():
        if where != "path":
            sentence = f"{name} accepts what the contract promises, and refuses what it cannot mean."
            yield of(f"input.{name}", sentence, subject.at(f"{pointer}/schema"))
    if subject.is_list:
        yield of(
            "word", "In every answer each item passes each filter, in the order asked for.", subject.place("/x-list")
        )
