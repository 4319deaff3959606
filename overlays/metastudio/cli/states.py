"""Commands of a list whose items have states: `metastudio jobs summary` and `metastudio watch`."""

from __future__ import annotations

import math
import sys
from collections import Counter
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from metastudio.cli.completion import completer, shown_ids
from metastudio.cli.lists import ListPages, client_method, rules_of
from metastudio.cli.options import (
    FILTER_PREFIX,
    Command,
    DurationType,
    Option,
    ValuesType,
    connection_options,
    current,
    flatten,
    given_arguments,
    parameter_options,
)
from metastudio.cli.output import (
    column_of,
    escaped,
    identity_column,
    is_time,
    select_columns,
    state_column,
    to_instant,
    to_json,
    value_at,
)
from metastudio.cli.running import ExitCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from metastudio import AsyncMetaStudio
    from metastudio.cli.views import LiveView
    from metastudio.contract.operation import Operation


class Phase(NamedTuple):
    """How a phase of `x-states` is shown."""

    label: str
    colour: str


PHASES: Mapping[str, Phase] = {
    "waiting": Phase("waiting for you", "yellow"),
    "review": Phase("in review", "cyan"),
    "training": Phase("in training", "blue"),
    "failed": Phase("failed", "red"),
    "done": Phase("done", "green"),
}
"""The phases in display order."""
UNLISTED = Phase("unlisted", "magenta")
"""The phase of states that the contract does not list."""
OUTCOMES = {
    ExitCode.OK: ("✓", "green", ""),
    ExitCode.ITEM_FAILED: ("✗", "red", ""),
    ExitCode.NEEDS_INPUT: ("!", "yellow", "needs input"),
    ExitCode.NOT_FOUND: ("✗", "red", "not found"),
    ExitCode.TIMEOUT: ("…", "yellow", "timed out"),
}
"""Mark, colour and text of each outcome."""
WORST_FIRST = (ExitCode.NOT_FOUND, ExitCode.ITEM_FAILED, ExitCode.TIMEOUT, ExitCode.NEEDS_INPUT, ExitCode.OK)
"""Precedence of outcomes for the exit code: certain failures come before a timeout."""


def summary_command(name: str, operation: Operation) -> click.Command:
    """Return the summary command of a list."""
    output = Option(["--output", "-o"], type=click.Choice(["text", "json"]), default="text", help="Format.")
    filters = parameter_options(operation, [output])
    return Command(
        "summary",
        callback=partial(_summarize, name, operation),
        params=[*filters, output, *connection_options(filters)],
        help=f"Show the number of {name} in each state, and the oldest and newest.",
        notes={"Examples": f"metastudio {name} summary\nmetastudio {name} summary --output json | jq .phases.failed"},
    )


def _summarize(name: str, operation: Operation, /, output: str, **given: Any) -> None:
    summary, interactive = StateSummary(operation), sys.stdout.isatty()
    with current().studio() as studio:
        pages = ListPages(studio, operation, given_arguments(operation.parameters.values(), FILTER_PREFIX, given))
        for items in pages.with_progress() if interactive else pages:
            for item in items:
                summary.add(item)
    if output == "json":
        click.echo(to_json(summary.as_json(), indent=2))
    else:
        from metastudio.cli.views import console, summary_view, write_view

        target = console(sys.stdout)
        write_view(target, summary_view(summary, name, target))


class StateSummary:
    """Counts items by state and keeps the oldest and newest one."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._state = state_column(operation) or ""
        self._time = _time_column(operation) or ""
        self.counts = Counter[str]()
        self.oldest: tuple[datetime, dict[str, Any]] | None = None
        self.newest: tuple[datetime, dict[str, Any]] | None = None

    def add(self, item: dict[str, Any]) -> None:
        """Count an item."""
        self.counts[str(value_at(item, self._state))] += 1
        at = to_instant(value_at(item, self._time), self.operation.fields.get(self._time, {}).get("format"))
        if at and (self.oldest is None or at < self.oldest[0]):
            self.oldest = at, item
        if at and (self.newest is None or at > self.newest[0]):
            self.newest = at, item

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON data, with ID, state and time of the oldest and newest item."""
        shown = [name for name in (identity_column(self.operation), self._state, self._time) if name]
        phases = {phase: {"total": sum(states.values()), "states": states} for phase, states in self.by_phase().items()}
        ends = {"oldest": self.oldest, "newest": self.newest}
        return {
            "total": self.counts.total(),
            "phases": phases,
            **{end: found and select_columns(found[1], shown) for end, found in ends.items()},
        }

    def by_phase(self) -> dict[str, dict[str, int]]:
        """Return the counts of states by phase, in the contract's order. Unlisted states come last."""
        groups: dict[str, dict[str, int]] = {phase: {} for phase in PHASES}
        for state, known in self.operation.states.items():
            if state in self.counts:
                groups[known.phase][state] = self.counts[state]
        unlisted = {state: self.counts[state] for state in sorted(self.counts.keys() - self.operation.states.keys())}
        return {**groups, UNLISTED.label: unlisted} if unlisted else groups


def _time_column(operation: Operation) -> str | None:
    """Return the time column that the list can be sorted by, or else the first time column."""
    order = rules_of(operation).order
    keys = [column_of(pointer) for pointer in order.keys.values()] if order else []
    times = [name for name in operation.fields if is_time(operation, name)]
    return next((column for column in [*keys, *times] if column in times), None)


def watch_command(operation: Operation) -> click.Command:
    """Return the watch command of a list."""
    own = [
        Option(
            ["--until"],
            type=ValuesType([*operation.states], split=True),
            multiple=True,
            callback=flatten,
            metavar="STATE",
            help="Also stop in this state, with exit code 0. Repeatable, or comma-separated.",
        ),
        Option(
            ["--timeout"],
            type=DurationType(),
            help="Stop after this time, such as 90 (seconds), 5m or 1h30m. No limit by default.",
        ),
        Option(
            ["--interval"],
            type=DurationType(),
            default="5s",
            show_default=True,
            help="First polling interval; it increases up to a minute.",
        ),
    ]
    moving = [state for state, known in operation.states.items() if not known.at_rest]
    return Command(
        "watch",
        callback=partial(_watch, operation),
        params=[
            click.Argument(
                ["identities"],
                metavar="ID...",
                nargs=-1,
                required=True,
                shell_complete=completer(partial(shown_ids, operation.id)),
            ),
            *own,
            *connection_options(own),
        ],
        short_help="Watch items until they finish or need input.",
        help="Watch items until they finish or need input: live on a terminal, as a line of JSON per state change in a "
        "pipe.",
        notes={
            "Examples": f"""
                metastudio watch ID --timeout 2h && echo done
                metastudio watch ID ID --until {",".join(moving[-1:])}
            """,
            "Exit codes (of several items, the last in this order)": "\n".join(
                f"{code:<5d}{code.meaning.removeprefix('watch: ')}" for code in reversed(WORST_FIRST)
            ),
        },
    )


def _watch(
    operation: Operation, identities: Sequence[str], until: Sequence[str], timeout: float | None, interval: float
) -> None:
    import asyncio

    from metastudio.cli.views import LiveView

    wanted = list(dict.fromkeys(identities))
    view: JsonLinesView | LiveView = LiveView(operation, wanted) if sys.stdout.isatty() else JsonLinesView()
    options = {"until": until, "timeout": math.inf if timeout is None else timeout, "poll": interval}
    with view:
        outcomes = asyncio.run(_watch_all(operation, wanted, view, options))
    click.get_current_context().exit(next(code for code in WORST_FIRST if code in outcomes))


async def _watch_all(
    operation: Operation, identities: Sequence[str], view: JsonLinesView | LiveView, options: dict[str, Any]
) -> Collection[ExitCode]:
    import asyncio

    from metastudio import AsyncMetaStudio

    async with AsyncMetaStudio(**current().given) as studio:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_watch_one(studio, operation, each, view, options)) for each in identities]
        except ExceptionGroup as several:  # report the first; the others usually have the same cause
            raise several.exceptions[0] from None
    return {task.result() for task in tasks}


async def _watch_one(
    studio: AsyncMetaStudio,
    operation: Operation,
    identity: str,
    view: JsonLinesView | LiveView,
    options: dict[str, Any],
) -> ExitCode:
    from metastudio import errors

    def changed(item: Any) -> None:
        view.changed(identity, item.to_dict())

    try:
        item = await client_method(studio, operation, "wait")(identity, on_change=changed, **options)
        outcome = _outcome(operation, str(value_at(item.to_dict(), state_column(operation) or "")), options["until"])
    except errors.JobNotFoundError:
        outcome = ExitCode.NOT_FOUND
    except errors.WaitTimeoutError:
        outcome = ExitCode.TIMEOUT
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    view.ended(identity, outcome)
    return outcome


def _outcome(operation: Operation, state: str, until: Collection[str]) -> ExitCode:
    """Return the outcome of an item in a state where watching stops."""
    if state in until or operation.states[state].ended == "success":
        return ExitCode.OK
    return ExitCode.ITEM_FAILED if operation.states[state].ended == "failure" else ExitCode.NEEDS_INPUT


class JsonLinesView(nullcontext[None]):
    """Writes an item as a line of JSON whenever its state changes."""

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Write the item."""
        click.echo(to_json(item))

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Report outcomes that the items do not show on standard error."""
        if outcome in (ExitCode.NOT_FOUND, ExitCode.TIMEOUT):
            click.echo(f"{escaped(identity)} {OUTCOMES[outcome][2]}", err=True)
