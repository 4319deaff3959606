"""Commands of a list whose items have states: `metastudio jobs summary` and `metastudio watch`."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import click

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
    PHASE_COLOURS,
    UNLISTED_COLOUR,
    column_of,
    console,
    escaped,
    identity_column,
    is_time,
    select_columns,
    state_colour,
    state_column,
    to_instant,
    to_json,
    value_at,
    write_view,
)
from metastudio.cli.running import ExitCode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from rich.console import Group, RenderableType
    from rich.text import Text

    from metastudio import AsyncMetaStudio
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
WORST_FIRST = (ExitCode.NOT_FOUND, ExitCode.ITEM_FAILED, ExitCode.TIMEOUT, ExitCode.NEEDS_INPUT, ExitCode.OK)
"""Precedence of outcomes for the exit code: certain failures come before a timeout."""
OUTCOMES = {
    ExitCode.OK: ("✓", "green", ""),
    ExitCode.ITEM_FAILED: ("✗", "red", ""),
    ExitCode.NEEDS_INPUT: ("!", "yellow", "needs input"),
    ExitCode.NOT_FOUND: ("✗", "red", "not found"),
    ExitCode.TIMEOUT: ("…", "yellow", "timed out"),
}
"""Mark, colour and text of each outcome."""


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
    summary, target = StateSummary(operation), console(sys.stdout)
    with current().studio() as studio:
        pages = ListPages(studio, operation, given_arguments(operation.parameters.values(), FILTER_PREFIX, given))
        for items in pages.with_progress() if target.is_terminal else pages:
            for item in items:
                summary.add(item)
    if output == "json":
        click.echo(to_json(summary.as_json(), indent=2))
    else:
        write_view(target, summary.view(name, target.width if target.is_terminal else 2 * MAX_BAR_WIDTH))


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
        at = to_instant(value_at(item, self._time), self._operation.fields.get(self._time, {}).get("format"))
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

    def view(self, name: str, width: int) -> RenderableType:
        """Return the summary: a bar for each phase, followed by its states, then the oldest and newest item."""
        from rich.bar import Bar
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        groups, total = self._by_phase(), f"{self._counts.total():,}"
        most = max(1, *(sum(states.values()) for states in groups.values()))
        longest = max(map(len, [*PHASES.values(), *(f"  {escaped(state)}" for state in self._counts)]))
        room = min(MAX_BAR_WIDTH, width - longest - len(total) - 4)
        table = Table.grid(padding=(0, 2, 0, 0))
        for justify in ("left", "right", "left"):
            table.add_column(no_wrap=True, justify=justify)

        def add(label: str, count: int, colour: str, style: str = "") -> None:
            bars = [Bar(most, 0, count, width=room, color=colour)] if room >= 4 else []
            table.add_row(*(Text.assemble((text, style)) for text in (label, f"{count:,}")), *bars)

        for phase, states in groups.items():
            colour = PHASE_COLOURS.get(phase, UNLISTED_COLOUR)
            table.add_row()
            add(PHASES.get(phase, phase), sum(states.values()), colour, "bold")
            for state, count in states.items():
                add(f"  {escaped(state)}", count, colour)
        return Group(f"{total} {name}", table, *self._ends())

    def _ends(self) -> Iterator[str]:
        column = identity_column(self._operation)
        if self._oldest and self._newest:
            yield ""
            for end, (at, item) in (("oldest", self._oldest), ("newest", self._newest)):
                identity = escaped(str(value_at(item, column))) if column else ""
                yield f"{end}  {at.replace(tzinfo=None).isoformat(' ', 'minutes')}  {identity}"

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
            click.Argument(["identities"], metavar="ID...", nargs=-1, required=True),
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


class JsonLinesView:
    """Writes an item as a line of JSON whenever its state changes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Write the item."""
        click.echo(to_json(item))

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Report outcomes that the items do not show on standard error."""
        if outcome in (ExitCode.NOT_FOUND, ExitCode.TIMEOUT):
            click.echo(f"{escaped(identity)} {OUTCOMES[outcome][2]}", err=True)


@dataclass
class WatchedItem:
    """An item of the live view. `since` is the monotonic time at which its state was first seen."""

    state: str | None = None
    since: float = field(default_factory=time.monotonic)
    outcome: ExitCode | None = None


class LiveView:
    """Shows a line per item that is updated in place, below a log of state changes."""

    def __init__(self, operation: Operation, identities: Sequence[str]) -> None:
        self._operation = operation
        self._items = {identity: WatchedItem() for identity in identities}
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = console(sys.stdout)
        self._spinner = Spinner("dots")
        self._live = Live(console=self._console, get_renderable=self._view, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def changed(self, identity: str, item: dict[str, Any]) -> None:
        """Show the new state, and log the change if a state was known before."""
        from rich.text import Text

        watched, state = self._items[identity], str(value_at(item, state_column(self._operation) or ""))
        if watched.state is not None:
            prefix = Text(f"{datetime.now():%H:%M:%S} {escaped(identity)}", style="dim")
            self._console.print(prefix, self._coloured(watched.state), "→", self._coloured(state), soft_wrap=True)
        watched.state, watched.since = state, time.monotonic()

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Show the outcome."""
        self._items[identity].outcome = outcome

    def _view(self) -> Group:
        from rich.console import Group

        now = self._console.get_time()
        spin = self._spinner.render(now)
        return Group(*(self._line(identity, watched, spin) for identity, watched in self._items.items()))

    def _line(self, identity: str, watched: WatchedItem, spin: Any) -> Text:
        from rich.text import Text

        state = self._coloured(watched.state) if watched.state else Text()
        if watched.outcome is not None:
            sign, colour, note = OUTCOMES[watched.outcome]
            mark = Text(sign, style=colour)
        else:
            mark = Text.assemble(spin)
            note = f"for {_clock(time.monotonic() - watched.since)}" if watched.state else "requesting"
        parts = (mark, Text(escaped(identity)), state, Text(note, style="dim"))
        return Text(" ").join(part for part in parts if part)

    def _coloured(self, state: str) -> Text:
        from rich.text import Text

        return Text(escaped(state), style=state_colour(self._operation, state))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
