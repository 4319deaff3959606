"""What a run says about a server: properties, a verdict on each, and the evidence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What was found out about one property. Only a breach makes a run fail."""

    PASS = "pass"  # noqa: S105 - no password
    BREACH = "breach"
    UNDECIDED = "undecided"
    """The data changed, or the server stumbled, whenever it was looked at."""
    NOT_EXERCISED = "not exercised"
    """There was too little data, time or permission to look."""
    NOT_STATED = "not stated"
    """The page leaves it open, or the contract decided it on its own: observed, not blamed."""


class Suite(StrEnum):
    """The three suites of a run, in the order in which they run."""

    MEANING = "meaning"
    SHAPES = "shapes"
    AUTH = "auth"


@dataclass(frozen=True)
class Place:
    """Where in the contract a property comes from, and who says so: page, decision or unstated."""

    file: str
    line: int
    pointer: str
    source: str = "page"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.pointer}"


@dataclass(frozen=True)
class Property:
    """One thing that a server must do.

    `id` is its name within the operation, such as `filter.state`; `sentence` says it to the engineer of a server.
    """

    operation: str
    suite: Suite
    id: str
    sentence: str
    place: Place

    @property
    def key(self) -> str:
        """The name that is unique in a run."""
        return f"{self.operation}/{self.suite}/{self.id}"


@dataclass(frozen=True)
class Evidence:
    """What shows a breach: the requests as commands for a shell, what had to come back, and what came.

    No credential stands in it: the commands read them from variables of the environment.
    """

    expected: str
    seen: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The verdict on one property.

    `exercised` counts the comparisons that were made. `note` says why there is no clear verdict, `observations` what
    was seen where nothing is stated.
    """

    property: Property
    verdict: Verdict
    exercised: int = 0
    note: str = ""
    evidence: tuple[Evidence, ...] = ()
    observations: tuple[str, ...] = ()

    def assert_holds(self) -> None:
        """Raise AssertionError for a breach, with its evidence. The other verdicts pass."""
        if self.verdict is Verdict.BREACH:
            raise AssertionError(describe(self))


@dataclass(frozen=True)
class Report:
    """Everything a run found out.

    `requests` counts what was sent, by suite; `exercised` what the run met, by name; `notes` are remarks on the whole
    run; `failure` says why the run could not begin or had to stop, `nothing_seen` that no answer held an item.
    """

    target: str
    contract: str
    started: float
    seconds: float
    results: tuple[Result, ...]
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    exercised: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    failure: str | None = None
    nothing_seen: bool = False

    @property
    def exit_code(self) -> int:
        """0: no breach; 1: a breach; 2: the run could not be made; 3: no answer held a single item."""
        if self.breaches:
            return 1
        if self.failure is not None:
            return 2
        return 3 if self.nothing_seen else 0

    @property
    def breaches(self) -> tuple[Result, ...]:
        """What the server does against the contract."""
        return self.having(Verdict.BREACH)

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands of the evidence."""
        return tuple(each for result in self.results for evidence in result.evidence for each in evidence.commands)

    def having(self, verdict: Verdict) -> tuple[Result, ...]:
        """Return the results with this verdict."""
        return tuple(each for each in self.results if each.verdict is verdict)

    def __getitem__(self, name: str) -> Result:
        """Return a result by `suite/id`, or by `operation/suite/id`. Raises KeyError."""
        found = [each for each in self.results if each.property.key in (name, f"{each.property.operation}/{name}")]
        if not found:
            raise KeyError(name)
        return found[0]

    def raise_for_breaches(self) -> None:
        """Raise AssertionError where the exit code would not be 0, with everything that was found."""
        if self.exit_code == 1:
            raise AssertionError("\n\n".join(describe(each) for each in self.breaches))
        if self.failure is not None:
            raise AssertionError(f"the server could not be tested: {self.failure}")
        if self.nothing_seen:
            raise AssertionError("no answer held a single item: nothing was proven")


def describe(result: Result) -> str:
    """Return a result as plain text, one line for each thing."""
    lines = [f"{result.verdict}: {result.property.key}", f"  {result.property.sentence}", f"  {result.property.place}"]
    if result.note:
        lines.append(f"  {result.note}")
    for evidence in result.evidence:
        lines += [f"  expected: {evidence.expected}", f"  seen:     {evidence.seen}"]
        lines += [f"  $ {command}" for command in evidence.commands]
    lines += [f"  observed: {each}" for each in result.observations]
    return "\n".join(lines)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that says most: a breach before all, then a pass, then what is in doubt."""
    order = (Verdict.BREACH, Verdict.UNDECIDED, Verdict.PASS, Verdict.NOT_STATED, Verdict.NOT_EXERCISED)
    return min(verdicts, key=order.index, default=Verdict.NOT_EXERCISED)


class Stopwatch:
    """The time a run may take. `limit` is in seconds, None for as long as it needs."""

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
        """Seconds left, not below 0; None without a limit."""
        return None if self._limit is None else max(0.0, self._limit - self.seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.left == 0.0
