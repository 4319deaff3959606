"""From comparisons to a verdict, for data that may change during the run.

A violation in a single response is certain, or at least probable. A violation across several responses counts only if
the list was the same before and after, twice. An item that was added and deleted in between does not appear in either
snapshot, but it appears in the responses: if one of them contains an item that the snapshot does not have, or a larger
total, the same violation must appear three times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from metastudio.tester.http_client import CannotRunError, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations.list_client import (
    AS_EXPECTED,
    ListClient,
    Snapshot,
    UnexpectedResponseError,
    is_refusal,
)
from metastudio.tester.verdicts import (
    MAX_SHOWN_BREACHES,
    ContractLocation,
    Evidence,
    Property,
    PropertyResult,
    Suite,
    Verdict,
    judgement_failed,
)

ATTEMPTS = 5
"""How often a violated relation is checked again."""
TWICE, THRICE = 2, 3
MAX_SHOWN_COMMANDS = 6
NO_ZONE = "how {} is compared: the times have no zone, and the contract states none (x-time-zone)"


class StoppedCheckError(Exception):
    """A check cannot go on; the argument is the reason, unless `RelationCheck` has it."""


class RelationViolation(NamedTuple):
    """A comparison that failed. The fields are the arguments of `RelationCheck.holds`."""

    expected: str
    seen: str
    responses: tuple[HttpResponse | NoResponseError, ...]
    certain: bool = False
    probable: bool = False


@dataclass
class RelationCheck:
    """Collects the comparisons of one check of a relation."""

    exercised: int = 0
    violations: list[RelationViolation] = field(default_factory=list[RelationViolation])
    skipped: list[str] = field(default_factory=list[str])
    """Why something could not be tested."""
    observed: list[str] = field(default_factory=list[str])
    """Behaviour that the contract does not specify."""
    is_open: bool = False
    """Whether the contract does not state how the values of these items are compared."""
    saw_change: bool = False
    """Whether a response contradicted the snapshot."""
    compared: Sequence[HttpResponse] = ()
    """The responses of the snapshot."""

    @property
    def is_certain(self) -> bool:
        """Whether a single response proves a violation."""
        return any(each.certain for each in self.violations)

    @property
    def fingerprint(self) -> frozenset[tuple[str, ...]]:
        """Identifies the violations, to compare them with those of another check."""
        return frozenset((each.seen, *(response.command for response in each.responses)) for each in self.violations)

    def holds(
        self,
        condition: bool,
        expected: str,
        seen: str,
        *responses: HttpResponse | NoResponseError,
        certain: bool = False,
        probable: bool = False,
    ) -> bool:
        """Record a comparison.

        Args:
            condition: whether it holds.
            expected: the expected result.
            seen: the actual result.
            responses: the compared responses.
            certain: whether a single response proves a violation.
            probable: whether a single response shows a violation, unless data changed at that moment. A server that
                reads its data several times per response could produce it then, but not repeatedly.

        Returns:
            The condition.
        """
        self.exercised += 1
        if not condition:
            self.violations.append(RelationViolation(expected, seen, responses, certain, probable))
        return condition

    def same(self, wanted: Sequence[str], found: Sequence[str], expected: str, *responses: HttpResponse) -> None:
        """Record a comparison of identities, in order."""
        self.holds(wanted == found, expected, _difference(wanted, found), *responses)

    def need(self, condition: object, reason: str) -> None:
        """Stop the check with a reason unless a condition holds.

        Raises:
            StoppedCheckError: the condition does not hold.
        """
        if not condition:
            raise StoppedCheckError(reason)

    def need_order(self, keys: set[object], pointer: str) -> None:
        """Stop the check, and leave it open, if the contract does not state how any of the values are compared."""
        if keys == {None}:
            self.is_open = True
            self.observed.append(NO_ZONE.format(pointer))
            raise StoppedCheckError


@dataclass(frozen=True)
class Relation:
    """A property and the function that checks it.

    Args:
        property: the property.
        verify: checks it.
        stated: whether a violation is a breach; otherwise the check only observes.
        whole: whether it is checked on the whole list, however long; otherwise a long list is narrowed by a filter.
        filters: the filters that the check sets, which must not narrow the list.
    """

    property: Property
    verify: Callable[[ListClient, Snapshot, RelationCheck], None]
    stated: bool = True
    whole: bool = False
    filters: tuple[str, ...] = ()


def meaning(tested: OperationUnderTest, id_: str, sentence: str, location: ContractLocation) -> Property:
    """Return a property of suite `meaning`."""
    return Property(tested.name, Suite.MEANING, id_, sentence, location)


def judge(relation: Relation, client: ListClient, before: Snapshot) -> PropertyResult:
    """Check a relation, repeatedly if the data may have changed.

    The relation is undecided if the check raises an error, because a hostile response may break any comparison.

    Args:
        relation: the relation.
        client: the list.
        before: the list before the check.
    """
    try:
        return _judge(relation, client, before)
    except (CannotRunError, NoResponseError, TimeLimitError):
        raise
    except Exception as error:  # noqa: BLE001 - see above
        return PropertyResult(relation.property, Verdict.UNDECIDED, note=judgement_failed(error), tester_failed=True)


def _judge(relation: Relation, client: ListClient, before: Snapshot) -> PropertyResult:
    first, property_ = _check_once(relation, client, before), relation.property
    if not relation.stated or (first.is_open and not first.exercised):
        return result_of(property_, first, Verdict.NOT_STATED)
    if not first.violations:
        return result_of(property_, first)
    try:
        return result_of(property_, first) if first.is_certain else _recheck(relation, client, before, first)
    except UnexpectedResponseError as error:
        seen = RelationViolation("a page of the list", error.what, (error.response,), certain=True)
        return result_of(property_, RelationCheck(first.exercised, [*first.violations, seen]))


def _recheck(relation: Relation, client: ListClient, before: Snapshot, first: RelationCheck) -> PropertyResult:
    failures, probable, data_changed = 0, int(_is_probable(first)), first.saw_change
    shown: list[frozenset[tuple[str, ...]]] = []
    last, property_ = first, relation.property
    for attempt in range(ATTEMPTS):
        for _ in range(attempt):  # shifts the checks against changes that happen every n requests
            client.fetch_page(client.sized(1))
        now = client.snapshot()
        last = _check_once(relation, client, now)
        if last.is_certain:
            return result_of(property_, last)
        after = client.snapshot()
        still = after.same_as(now)
        data_changed = data_changed or last.saw_change or not still or not now.same_as(before)
        before = after
        if not last.violations:
            if data_changed:
                return result_of(property_, last, Verdict.PASS, "checked again after the data had changed")
            continue
        probable += _is_probable(last)
        if still and not last.saw_change:
            # The first check counts as well if the list has not changed since.
            failures += 1 if data_changed or last.fingerprint != first.fingerprint else TWICE
            first = last
        elif still:
            shown.append(last.fingerprint)
        if failures >= TWICE or probable == THRICE or (len(shown) >= THRICE and len(set(shown[-THRICE:])) == 1):
            return result_of(property_, last)
    if not data_changed:
        # The data never changed, so the server responds inconsistently.
        return result_of(property_, first, Verdict.BREACH, "not at every check, although the data never changed")
    note = "the data changed during every check"
    return result_of(property_, RelationCheck(exercised=last.exercised), Verdict.UNDECIDED, note)


def _check_once(relation: Relation, client: ListClient, snapshot: Snapshot) -> RelationCheck:
    check, mark = RelationCheck(), len(client.pages)
    try:
        relation.verify(client, snapshot, check)
    except StoppedCheckError as error:
        check.skipped += error.args
    except UnexpectedResponseError as error:
        what = "a page of the list, as the request is valid"
        may_have_vanished = client.may_refuse_pages and is_refusal(error.response)
        check.holds(False, what, error.what, error.response, certain=not may_have_vanished)
    except NoResponseError as error:
        check.holds(False, "a response", str(error), error, certain=not error.slow)
    if check.violations:
        check.compared = snapshot.responses
    check.saw_change = any(snapshot.is_contradicted_by(page) for page in client.pages[mark:])
    return check


def _is_probable(check: RelationCheck) -> bool:
    return any(each.probable for each in check.violations)


def result_of(
    property_: Property, check: RelationCheck, verdict: Verdict | None = None, note: str = ""
) -> PropertyResult:
    """Return the result of a check, with its violations as evidence if the verdict is a breach.

    Args:
        property_: the property.
        check: the check.
        verdict: the verdict; None for the one that follows from the comparisons.
        note: the reason for it; by default, why something could not be tested.
    """
    if verdict is None:
        tested = Verdict.PASS if check.exercised else Verdict.NOT_EXERCISED
        verdict = Verdict.BREACH if check.violations else tested
    shown = check.violations[:MAX_SHOWN_BREACHES] if verdict is Verdict.BREACH else []
    return PropertyResult(
        property=property_,
        verdict=verdict,
        exercised=check.exercised,
        note=note or "; ".join(dict.fromkeys(check.skipped)),
        evidence=tuple(_evidence(each, check) for each in shown),
        observations=tuple(dict.fromkeys(check.observed)),
        broken=len(check.violations) if shown else 0,
    )


def _evidence(violation: RelationViolation, check: RelationCheck) -> Evidence:
    """Return a violation with the requests as commands: a single response is shown with the one it is compared with."""
    responses = violation.responses
    compared = check.compared[:1] if len(responses) == 1 and not violation.certain else ()
    commands = tuple(dict.fromkeys(each.command for each in (*responses, *compared)))
    return Evidence(violation.expected, violation.seen, commands[:MAX_SHOWN_COMMANDS])


def _difference(expected: Sequence[str], seen: Sequence[str]) -> str:
    if expected == seen:
        return AS_EXPECTED
    missing, unexpected = set(expected) - set(seen), set(seen) - set(expected)
    if not missing and not unexpected:
        how = "some repeated" if len(seen) > len(set(seen)) else "in another order"
        return f"the same {len(set(seen))} items, {how}"
    return f"{len(seen)} items: {len(missing)} expected ones missing, {len(unexpected)} unexpected"
