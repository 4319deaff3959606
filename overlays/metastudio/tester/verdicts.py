"""The result of a run: properties, a verdict on each, and the evidence."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_SHOWN_BREACHES = 3
"""Maximum number of breaches reported per property."""
MAX_ERROR_LENGTH = 200
"""Characters of an error in a note."""
NOTHING_SEEN = "no response contained an item, so nothing was tested"


class Verdict(StrEnum):
    """Verdict on one property. Only a breach makes a run fail."""

    PASS = "pass"  # noqa: S105 - no password
    BREACH = "breach"
    UNDECIDED = "undecided"
    """The data changed, or the server returned a transient error, at every attempt; or judging a response failed."""
    NOT_EXERCISED = "not exercised"
    """Too little data, time or permission to test it."""
    NOT_STATED = "not stated"
    """The API reference leaves it open, or the contract chose it: observed, never a breach."""


class Suite(StrEnum):
    """The three suites of a run, in the order in which they run."""

    MEANING = "meaning"
    SHAPES = "shapes"
    AUTH = "auth"


@dataclass(frozen=True)
class ContractLocation:
    """Where the contract states a property.

    Args:
        file: name of the contract file.
        line: line number.
        pointer: JSON pointer.
        source: `page` (the vendor's API reference), `decision` (a choice of this contract) or `unstated`.
    """

    file: str
    line: int
    pointer: str
    source: str = "page"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.pointer}"


@dataclass(frozen=True)
class Property:
    """One requirement on a server.

    Args:
        operation: operation ID.
        suite: the suite that tests it.
        id: name within the suite, such as `filter.state`.
        sentence: the requirement in words.
        location: where the contract states it.
    """

    operation: str
    suite: Suite
    id: str
    sentence: str
    location: ContractLocation

    @property
    def key(self) -> str:
        """Unique name in a run: `operation/suite/id`."""
        return f"{self.operation}/{self.suite}/{self.id}"


@dataclass(frozen=True)
class Evidence:
    """Evidence of a breach. It contains no credentials: the commands read them from environment variables.

    Args:
        expected: the expected response.
        seen: the actual response.
        commands: the requests as shell commands.
    """

    expected: str
    seen: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class PropertyResult:
    """The verdict on one property.

    Args:
        property: the property.
        verdict: the verdict.
        exercised: number of comparisons made.
        note: reason for the verdict, if it is not obvious.
        evidence: evidence of a breach.
        observations: behaviour observed where the contract states nothing.
        tester_failed: whether the tester raised an error instead of judging; the note describes it.
        broken: number of comparisons that failed, if the verdict is a breach.
    """

    property: Property
    verdict: Verdict
    exercised: int = 0
    note: str = ""
    evidence: tuple[Evidence, ...] = ()
    observations: tuple[str, ...] = ()
    tester_failed: bool = False
    broken: int = 0

    def looks(self) -> str:
        """Return how many comparisons were made, and how many of them failed; "" for none."""
        if self.verdict is Verdict.BREACH:
            return f"broken in {self.broken or 1} of {max(self.exercised, 1)} looks"
        return f"{self.exercised} looks" if self.exercised else ""

    def assert_holds(self) -> None:
        """Fail on a breach; every other verdict passes.

        Raises:
            AssertionError: the property is broken. The message contains the evidence.
        """
        if self.verdict is Verdict.BREACH:
            raise AssertionError(describe(self))


@dataclass(frozen=True)
class Report:
    """The report of a run.

    Args:
        target: the server or application.
        contract: name of the contract file.
        started: start of the run, in seconds since 1970.
        seconds: duration of the run.
        results: one result per property.
        requests: number of requests sent, by suite.
        exercised: counts of the data that the run saw, by name.
        notes: remarks about the whole run.
        failure: why the run could not start or stopped early; None otherwise.
        nothing_seen: whether no response contained an item.
        tester_failed: whether the tester itself raised an error; `failure` describes it.
    """

    target: str
    contract: str
    started: float
    seconds: float
    results: tuple[PropertyResult, ...]
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    exercised: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    failure: str | None = None
    nothing_seen: bool = False
    tester_failed: bool = False

    @property
    def exit_code(self) -> int:
        """0: no breach; 1: a breach; 2: the run was not possible; 3: no response contained an item.

        An error of the tester itself is always 2, because breaches found by a tester that fails are not reliable.
        """
        if self.tester_failed:
            return 2
        if self.breaches:
            return 1
        if self.failure is not None:
            return 2
        return 3 if self.nothing_seen else 0

    @property
    def summary(self) -> str:
        """The verdict on the server in one line."""
        holds, broken = len(self.having(Verdict.PASS)), len(self.breaches)
        match self.exit_code:
            case 0:
                left = len(self.results) - holds
                return f"no breach: {holds} properties hold, {left} are undecided, not exercised or not stated"
            case 1:
                tested = holds + broken
                return f"breach: the server breaks {broken} of {tested} tested properties"
            case 3:
                return NOTHING_SEEN
            case _:
                return f"could not run: {self.failure}"

    @property
    def breaches(self) -> tuple[PropertyResult, ...]:
        """The results with the verdict breach."""
        return self.having(Verdict.BREACH)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of all evidence."""
        return tuple(each for result in self.results for evidence in result.evidence for each in evidence.commands)

    def having(self, verdict: Verdict) -> tuple[PropertyResult, ...]:
        """Return the results with a verdict."""
        return tuple(each for each in self.results if each.verdict is verdict)

    def __getitem__(self, name: str) -> PropertyResult:
        """Return a result by `suite/id` or `operation/suite/id`. Raise KeyError if there is none."""
        found = [each for each in self.results if each.property.key in (name, f"{each.property.operation}/{name}")]
        if not found:
            raise KeyError(name)
        return found[0]

    def raise_for_breaches(self) -> None:
        """Fail unless the exit code is 0.

        Raises:
            AssertionError: the message contains every breach, or why the run was not possible.
        """
        if self.exit_code == 1:
            raise AssertionError("\n\n".join(describe(each) for each in self.breaches))
        if self.failure is not None:
            raise AssertionError(f"the server could not be tested: {self.failure}")
        if self.nothing_seen:
            raise AssertionError(NOTHING_SEEN)


def judgement_failed(error: Exception) -> str:
    """Describe an error that judging a response raised."""
    return f"judging the response failed: {describe_unexpected(error)}"


def describe_unexpected(error: Exception) -> str:
    """Describe an error that the tester did not expect."""
    return f"unexpected {type(error).__name__}: {str(error)[:MAX_ERROR_LENGTH]}; this looks like a bug of the tester"


def describe(result: PropertyResult) -> str:
    """Return a result as plain text of several lines."""
    looks = f" ({result.looks()})" if result.looks() else ""
    lines = [
        f"{result.verdict}: {result.property.key}{looks}",
        f"  {result.property.sentence}",
        f"  {result.property.location}",
    ]
    if result.note:
        lines.append(f"  {result.note}")
    for evidence in result.evidence:
        lines += [f"  expected: {evidence.expected}", f"  seen:     {evidence.seen}"]
        lines += [f"  $ {command}" for command in evidence.commands]
    lines += [f"  observed: {each}" for each in result.observations]
    return "\n".join(lines)


class Stopwatch:
    """Measures the duration of a run.

    Args:
        limit: maximum duration in seconds; None for no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self.started = time.time()
        self._start = time.monotonic()
        self._limit = limit

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float | None:
        """Remaining seconds, at least 0; None without a limit."""
        return None if self._limit is None else max(0.0, self._limit - self.seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time limit is reached."""
        return self.left == 0.0
