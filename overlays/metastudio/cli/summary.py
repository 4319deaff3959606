"""`metastudio jobs summary`: the number of items in each state, grouped by phase."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.columns import printable, select_columns, value_at
from metastudio.cli.connection import connection_options, current
from metastudio.cli.filters import arguments, filter_options
from metastudio.cli.rules import column_of, identity_column, rules_of, state_column
from metastudio.cli.sections import Command, Option
from metastudio.cli.terminal import PHASE_COLOURS, UNLISTED_COLOUR, Terminal
from metastudio.cli.times import parse_instant, to_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from metastudio.contract.operation import Operation

PHASES: Mapping[str, str] = {
    "waiting": "waiting for you",
    "review": "in review",
    "training": "in training",
    "failed": "failed",
    "done": "done",
}
"""Display names of the phases of `x-states`, in display order."""
MAX_BAR_WIDTH = 40


def summary_command(name: str, operation: Operation) -> click.Command:
    """Return the summary command of a list."""
    output = Option(["--output", "-o"], type=click.Choice(["text", "json"]), default="text", help="Format.")
    filters = filter_options(operation, [output])
    return Command(
        "summary",
        callback=partial(_show, name, operation),
        params=[*filters, output, *connection_options(filters)],
        help=f"Show the number of {name} in each state, and the oldest and newest.",
        notes={"Examples": f"metastudio {name} summary\nmetastudio {name} summary --output json | jq .phases.failed"},
    )


def _show(name: str, operation: Operation, /, output: str, **given: Any) -> None:
    from metastudio.cli.formats import to_json
    from metastudio.cli.pages import ListPages

    terminal, summary = Terminal(sys.stdout), StateSummary(operation)
    with current().studio() as studio:
        pages = ListPages(studio, operation, arguments(operation, given))
        for items in pages.with_progress() if terminal.interactive else pages:
            for item in items:
                summary.add(item)
    shown = [to_json(summary.as_json(), indent=2)] if output == "json" else summary.lines(name, terminal)
    terminal.write("".join(line + "\n" for line in shown))


class StateSummary:
    """Counts items by state and keeps the oldest and newest one."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._state = state_column(operation) or ""
        self._time = _time_column(operation) or ""
        self._counts = Counter[str]()
        self._oldest: tuple[datetime, dict[str, Any]] | None = None
        self._newest: tuple[datetime, dict[str, Any]] | None = None

    def add(self, item: dict[str, Any]) -> None:
        """Count an item."""
        self._counts[str(value_at(item, self._state))] += 1
        at = parse_instant(value_at(item, self._time))
        if at and (self._oldest is None or at < self._oldest[0]):
            self._oldest = at, item
        if at and (self._newest is None or at > self._newest[0]):
            self._newest = at, item

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON data, with ID, state and time of the oldest and newest item."""
        shown = [name for name in (identity_column(self._operation), self._state, self._time) if name]
        phases = {
            phase: {"total": sum(states.values()), "states": states} for phase, states in self._by_phase().items()
        }
        ends = {"oldest": self._oldest, "newest": self._newest}
        return {
            "total": self._counts.total(),
            "phases": phases,
            **{end: found and select_columns(found[1], shown) for end, found in ends.items()},
        }

    def lines(self, name: str, terminal: Terminal) -> Iterator[str]:
        """Yield the lines of the summary: a bar for each phase, followed by its states."""
        width = max(map(len, [*PHASES.values(), *(f"  {printable(state)}" for state in self._counts)]))
        digits = len(f"{self._counts.total():,}")
        room = min(terminal.width - width - digits - 4, MAX_BAR_WIDTH)
        groups = self._by_phase()
        most = max(1, *(sum(states.values()) for states in groups.values()))

        def line(label: str, count: int, colour: str, *, bold: bool = False) -> str:
            text = terminal.style(f"{label:<{width}}  {count:>{digits},}", bold=bold)
            bar = "█" * -(-count * room // most) if room >= 4 else ""
            return f"{text}  {terminal.style(bar, colour)}" if bar else text

        yield f"{self._counts.total():,} {name}"
        for phase, states in groups.items():
            colour = PHASE_COLOURS.get(phase, UNLISTED_COLOUR)
            yield ""
            yield line(PHASES.get(phase, phase), sum(states.values()), colour, bold=True)
            for state, count in states.items():
                yield line(f"  {printable(state)}", count, colour)
        if self._oldest and self._newest:
            yield ""
            for end, (_, item) in (("oldest", self._oldest), ("newest", self._newest)):
                at, column = value_at(item, self._time), identity_column(self._operation)
                identity = value_at(item, column) if column else ""
                head, identity = f"{end}  {to_local(at)}", printable(str(identity))
                fits = not terminal.interactive or len(f"{head}  {identity}") <= terminal.width
                yield from [f"{head}  {identity}"] if fits else [head, f"        {identity}"]

    def _by_phase(self) -> dict[str, dict[str, int]]:
        """Return the counts of states by phase, in the contract's order. Unlisted states come last."""
        groups: dict[str, dict[str, int]] = {phase: {} for phase in PHASES}
        for state, known in self._operation.states.items():
            if state in self._counts:
                groups[known.phase][state] = self._counts[state]
        unlisted = {state: self._counts[state] for state in sorted(self._counts.keys() - self._operation.states.keys())}
        return {**groups, "unlisted": unlisted} if unlisted else groups


def _time_column(operation: Operation) -> str | None:
    """Return the time column that the list can be sorted by, or else the first time column."""
    order = rules_of(operation).order
    keys = [column_of(pointer) for pointer in order.keys.values()] if order else []
    times = [name for name, field in operation.fields.items() if field.get("format") == "date-time"]
    return next((column for column in [*keys, *times] if column in times), None)
