"""The properties of the suite, and the findings on each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from metastudio.tester.http_client import HttpResponse
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.verdicts import MAX_SHOWN_BREACHES, Evidence, Property, PropertyResult, Suite, Verdict


@dataclass
class PropertyFindings:
    """Counts and evidence for one property."""

    property: Property
    exercised: int = 0
    broken: int = 0
    evidence: list[Evidence] = field(default_factory=list[Evidence])
    responses: dict[Evidence, HttpResponse] = field(default_factory=dict[Evidence, HttpResponse])
    """The response of each evidence that has one."""
    observed: Counter[str] = field(default_factory=Counter[str])
    undecided: list[str] = field(default_factory=list[str])
    tester_failed: bool = False

    def breach(self, expected: str, seen: str, response: HttpResponse) -> None:
        """Record a breach, up to the maximum that is reported."""
        self.broken += 1
        if len(self.evidence) < MAX_SHOWN_BREACHES:
            self.evidence.append(Evidence(expected, seen, (response.command,)))
            self.responses[self.evidence[-1]] = response

    def result(self) -> PropertyResult:
        """Return the verdict."""
        verdict = Verdict.PASS if self.exercised else Verdict.NOT_EXERCISED
        if self.undecided:
            verdict = Verdict.UNDECIDED
        if self.evidence:
            verdict = Verdict.BREACH
        observed = tuple(f"{what} ({count} times)" for what, count in self.observed.most_common(8))
        return PropertyResult(
            self.property,
            verdict,
            self.exercised,
            "; ".join(self.undecided) or (_unexercised(self.property.id) if not self.exercised else ""),
            tuple(self.evidence[:MAX_SHOWN_BREACHES]),
            observed,
            self.tester_failed,
            max(self.broken, len(self.evidence)),
        )


def _unexercised(id_: str) -> str:
    """Return why no response allowed a comparison."""
    if id_.startswith("input."):
        return "no value of it is certainly valid or invalid, or no response judged one"
    return {"leak": "no error response", "word": "no successful response with a query"}.get(id_, "no response")


_RESPONSES = {
    "answer": "Every request gets a complete HTTP response.",
    "failure": "No request causes a server error.",
    "status": "Every response has a status that the contract declares; redirects are not declared.",
    "content": "Every response has the content type declared for its status.",
    "header": "Every response has the headers required for its status.",
    "body": "Every body matches the schema of its status.",
    "leak": "No error response contains a stack trace or an exception name.",
}
_WORD = "In every response, each item matches every filter, in the requested order."


def properties(tested: OperationUnderTest) -> Iterator[Property]:
    """Yield the properties of the suite."""

    def of(id_: str, sentence: str, pointer: str) -> Property:
        return Property(tested.name, Suite.SHAPES, id_, sentence, tested.location_at(pointer))

    for id_, sentence in _RESPONSES.items():
        yield of(id_, sentence, f"{tested.pointer}/responses")
    yield of("input", "Every valid request succeeds.", f"{tested.pointer}/parameters")
    for (where, name), pointer in tested.parameter_pointers.items():
        if where != "path":
            yield of(f"input.{name}", f"{name} accepts valid values and refuses invalid ones.", f"{pointer}/schema")
    if tested.is_list:
        yield of("word", _WORD, f"{tested.pointer}/x-list")
