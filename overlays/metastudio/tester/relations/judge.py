"""From comparisons to a verdict, for data that may change while one looks.

What one answer shows of itself is certain, or at least telling. What several show together is only held against a
server when the list was the same before and after them, twice. An item that came and went in between leaves no trace in
either look at the list, but it does in the answers: where one of them shows an item that the list does not have, or a
larger total, the same must be seen three times over, at other moments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from metastudio.tester.http_client import Answer, NoAnswerError
from metastudio.tester.relations.list_client import Bench, Snapshot, UnexpectedError
from metastudio.tester.verdicts import Evidence, Property, Result, Verdict

ATTEMPTS = 5
"""How often a relation that did not hold is looked at again."""
TWICE, THRICE = 2, 3
SHOWN = 3
"""Breaches of one property that are shown."""
COMMANDS = 6


@dataclass(frozen=True)
class Violation:
    """Something that should not be. `certain` when one answer shows it of itself.

    It is `telling` when one answer shows it that was put together from several readings of the server's data: a change
    may have come in between, now and then, but not time and again.
    """

    expected: str
    seen: str
    answers: tuple[Answer | NoAnswerError, ...]
    certain: bool
    telling: bool = False

    def evidence(self) -> Evidence:
        """Return it with its requests as commands."""
        commands = tuple(dict.fromkeys(each.command for each in self.answers))
        return Evidence(self.expected, self.seen, commands[:COMMANDS])


@dataclass
class Check:
    """Collects what a relation finds out in one look."""

    exercised: int = 0
    violations: list[Violation] = field(default_factory=list[Violation])
    skipped: list[str] = field(default_factory=list[str])
    observed: list[str] = field(default_factory=list[str])
    signs: bool = False
    """Whether an answer showed something that the list did not have before."""

    @property
    def is_certain(self) -> bool:
        """Whether one answer was enough to see it."""
        return any(each.certain for each in self.violations)

    @property
    def is_telling(self) -> bool:
        """Whether one answer was enough, unless a change came just then."""
        return any(each.telling for each in self.violations)

    @property
    def fingerprint(self) -> frozenset[tuple[str, ...]]:
        """What was seen, to be compared with another look."""
        return frozenset((each.seen, *(answer.command for answer in each.answers)) for each in self.violations)

    def holds(
        self,
        so: bool,
        expected: str,
        seen: str,
        *answers: Answer | NoAnswerError,
        certain: bool = False,
        telling: bool = False,
    ) -> bool:
        """Count a comparison, and keep it where it does not hold."""
        self.exercised += 1
        if not so:
            self.violations.append(Violation(expected, seen, answers, certain, telling))
        return so

    def skip(self, why: str) -> None:
        """Say what could not be looked at."""
        self.skipped.append(why)

    def observe(self, what: str) -> None:
        """Say what was seen where nothing is stated."""
        self.observed.append(what)


@dataclass(frozen=True)
class Relation:
    """A property, and how to look whether it holds. With `stated` false there is nothing to hold to."""

    property: Property
    look: Callable[[Bench, Snapshot, Check], None]
    stated: bool = True


def judge(relation: Relation, bench: Bench, before: Snapshot) -> Result:
    """Look whether a relation holds, again and again where that is in doubt."""
    first = _look(relation, bench, before)
    if not first.violations:
        return _result(relation, first, _peaceful(relation, first))
    if first.is_certain:
        return _result(relation, first, Verdict.BREACH)
    try:
        return _again(relation, bench, before, first)
    except UnexpectedError as error:
        seen = Violation("a page of the list", error.what, (error.answer,), certain=True)
        return _result(relation, Check(first.exercised, [*first.violations, seen]), Verdict.BREACH)


def _again(relation: Relation, bench: Bench, before: Snapshot, first: Check) -> Result:
    failures, telling, moved = 0, int(first.is_telling), first.signs
    shown: list[frozenset[tuple[str, ...]]] = []
    last = first
    for attempt in range(ATTEMPTS):
        for _ in range(attempt):  # so that what comes and goes in step with the requests gets out of step
            bench.ask({bench.rules.limit: "1"})
        now = bench.snapshot()
        last = _look(relation, bench, now)
        if last.is_certain:
            return _result(relation, last, Verdict.BREACH)
        after = bench.snapshot()
        still = after.same_as(now)
        moved = moved or last.signs or not still or not now.same_as(before)
        before = after
        if not last.violations:
            if moved:
                return _result(relation, last, Verdict.PASS, "looked at again after the data had changed")
            continue
        telling += last.is_telling
        if still and not last.signs:
            # The first look counts as well, when the list is still the one that it had.
            failures += 1 if moved or last.fingerprint != first.fingerprint else TWICE
            first = last
        elif still:
            shown.append(last.fingerprint)
        if failures >= TWICE or telling == THRICE or (len(shown) >= THRICE and len(set(shown[-THRICE:])) == 1):
            return _result(relation, last, Verdict.BREACH)
    if not moved:
        # Nothing ever changed, and yet the same questions had different answers.
        return _result(relation, first, Verdict.BREACH, "not every time, although the data never changed")
    return _result(relation, Check(exercised=last.exercised), Verdict.UNDECIDED, "the data changed at each look")


def _look(relation: Relation, bench: Bench, snapshot: Snapshot) -> Check:
    check, mark = Check(), len(bench.pages)
    try:
        relation.look(bench, snapshot, check)
    except UnexpectedError as error:
        what = "a page of the list, for a request that the contract allows"
        check.holds(False, what, error.what, error.answer, certain=True)
    except NoAnswerError as error:
        check.holds(False, "an answer", str(error), error, certain=not error.slow)
    check.signs = any(snapshot.is_contradicted_by(page) for page in bench.pages[mark:])
    return check


def _peaceful(relation: Relation, check: Check) -> Verdict:
    if not relation.stated:
        return Verdict.NOT_STATED
    return Verdict.PASS if check.exercised else Verdict.NOT_EXERCISED


def _result(relation: Relation, check: Check, verdict: Verdict, note: str = "") -> Result:
    return Result(
        property=relation.property,
        verdict=verdict,
        exercised=check.exercised,
        note=note or "; ".join(dict.fromkeys(check.skipped)),
        evidence=tuple(each.evidence() for each in check.violations[:SHOWN]) if verdict is Verdict.BREACH else (),
        observations=tuple(dict.fromkeys(check.observed)),
    )
