"""From comparisons to a verdict, for data that may change during the run.

A violation in a single response is certain, or at least probable. A violation across several responses counts only if
the list was the same before and after, twice. An item that was added and deleted in between does not appear in either
snapshot, but it appears in the responses: if one of them contains an item that the snapshot does not have, or a larger
total, the same violation must appear three times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from metastudio.tester.http_client import CannotRunError, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.relations.list_client import ListClient, Snapshot, UnexpectedResponseError
from metastudio.tester.verdicts import (
    MAX_SHOWN_BREACHES,
    Evidence,
    Property,
    PropertyResult,
    Verdict,
    judgement_failed,
)

ATTEMPTS = 5
"""How often a violated relation is checked again."""
TWICE, THRICE = 2, 3
MAX_SHOWN_COMMANDS = 6
NO_ZONE = "how {} is compared: the times have no zone, and the contract states none (x-time-zone)"


@dataclass(frozen=True)
class RelationViolation:
    """A comparison that failed.

    Args:
        expected: the expected result.
        seen: the actual result.
        responses: the compared responses.
        certain: whether a single response proves it.
        probable: whether a single response shows it, but a server that reads its data several times per response could
            produce it when data changes in between. This does not happen repeatedly.
    """

    expected: str
    seen: str
    responses: tuple[HttpResponse | NoResponseError, ...]
    certain: bool
    probable: bool = False

    def evidence(self, compared: Sequence[HttpResponse]) -> Evidence:
        """Return the violation as evidence, with the requests as commands.

        Args:
            compared: the responses that a single response is compared with, if it does not prove the violation alone.
        """
        responses = [*self.responses, *(compared[:1] if len(self.responses) == 1 and not self.certain else ())]
        commands = tuple(dict.fromkeys(each.command for each in responses))
        return Evidence(self.expected, self.seen, commands[:MAX_SHOWN_COMMANDS])


@dataclass
class RelationCheck:
    """Collects the comparisons of one check of a relation."""

    exercised: int = 0
    violations: list[RelationViolation] = field(default_factory=list[RelationViolation])
    skipped: list[str] = field(default_factory=list[str])
    observed: list[str] = field(default_factory=list[str])
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
    def is_probable(self) -> bool:
        """Whether a single response shows a violation that only a change at that moment could explain."""
        return any(each.probable for each in self.violations)

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
            probable: whether a single response shows a violation, unless data changed at that moment.

        Returns:
            The condition.
        """
        self.exercised += 1
        if not condition:
            self.violations.append(RelationViolation(expected, seen, responses, certain, probable))
        return condition

    def skip(self, reason: str) -> None:
        """Record why something could not be tested."""
        self.skipped.append(reason)

    def leave_open(self, what: str) -> None:
        """Record that the contract does not state how the values of these items are compared."""
        self.is_open = True
        self.observe(what)

    def observe(self, what: str) -> None:
        """Record behaviour that the contract does not specify."""
        self.observed.append(what)


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
    first = _check_once(relation, client, before)
    if not first.violations or not relation.stated:
        return _result(relation, first, _verdict_without_violations(relation, first))
    if first.is_certain:
        return _result(relation, first, Verdict.BREACH)
    try:
        return _recheck(relation, client, before, first)
    except UnexpectedResponseError as error:
        seen = RelationViolation("a page of the list", error.what, (error.response,), certain=True)
        return _result(relation, RelationCheck(first.exercised, [*first.violations, seen]), Verdict.BREACH)


def _recheck(relation: Relation, client: ListClient, before: Snapshot, first: RelationCheck) -> PropertyResult:
    failures, probable, data_changed = 0, int(first.is_probable), first.saw_change
    shown: list[frozenset[tuple[str, ...]]] = []
    last = first
    for attempt in range(ATTEMPTS):
        for _ in range(attempt):  # shifts the checks against changes that happen every n requests
            client.fetch_page(client.sized(1))
        now = client.snapshot()
        last = _check_once(relation, client, now)
        if last.is_certain:
            return _result(relation, last, Verdict.BREACH)
        after = client.snapshot()
        still = after.same_as(now)
        data_changed = data_changed or last.saw_change or not still or not now.same_as(before)
        before = after
        if not last.violations:
            if data_changed:
                return _result(relation, last, Verdict.PASS, "checked again after the data had changed")
            continue
        probable += last.is_probable
        if still and not last.saw_change:
            # The first check counts as well if the list has not changed since.
            failures += 1 if data_changed or last.fingerprint != first.fingerprint else TWICE
            first = last
        elif still:
            shown.append(last.fingerprint)
        if failures >= TWICE or probable == THRICE or (len(shown) >= THRICE and len(set(shown[-THRICE:])) == 1):
            return _result(relation, last, Verdict.BREACH)
    if not data_changed:
        # The data never changed, so the server responds inconsistently.
        return _result(relation, first, Verdict.BREACH, "not at every check, although the data never changed")
    return _result(
        relation, RelationCheck(exercised=last.exercised), Verdict.UNDECIDED, "the data changed during every check"
    )


def _check_once(relation: Relation, client: ListClient, snapshot: Snapshot) -> RelationCheck:
    check, mark = RelationCheck(), len(client.pages)
    try:
        relation.verify(client, snapshot, check)
    except UnexpectedResponseError as error:
        what = "a page of the list, as the request is valid"
        check.holds(False, what, error.what, error.response, certain=True)
    except NoResponseError as error:
        check.holds(False, "a response", str(error), error, certain=not error.slow)
    if check.violations:
        check.compared = snapshot.responses
    check.saw_change = any(snapshot.is_contradicted_by(page) for page in client.pages[mark:])
    return check


def _verdict_without_violations(relation: Relation, check: RelationCheck) -> Verdict:
    if not relation.stated or (check.is_open and not check.exercised):
        return Verdict.NOT_STATED
    return Verdict.PASS if check.exercised else Verdict.NOT_EXERCISED


def _result(relation: Relation, check: RelationCheck, verdict: Verdict, note: str = "") -> PropertyResult:
    return result_of(relation.property, check, verdict, note)


def result_of(property_: Property, check: RelationCheck, verdict: Verdict, note: str = "") -> PropertyResult:
    """Return the result of a check, with its violations as evidence if the verdict is a breach."""
    shown = check.violations[:MAX_SHOWN_BREACHES] if verdict is Verdict.BREACH else []
    return PropertyResult(
        property=property_,
        verdict=verdict,
        exercised=check.exercised,
        note=note or "; ".join(dict.fromkeys(check.skipped)),
        evidence=tuple(each.evidence(check.compared) for each in shown),
        observations=tuple(dict.fromkeys(check.observed)),
        broken=len(check.violations) if shown else 0,
    )
