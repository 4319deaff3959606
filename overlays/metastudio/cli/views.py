"""Views with rich: the table of a list, the properties of an item, the summary, and the states that are watched.

They interpret no markup, because servers write into what they show. In a pipe they are plain and of any width.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TextIO

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from metastudio.cli.output import (
    column_of,
    escaped,
    identity_column,
    is_time,
    state_column,
    to_local,
    value_at,
)
from metastudio.cli.running import ExitCode, without_colours
from metastudio.cli.states import OUTCOMES, PHASES, UNLISTED, StateSummary
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio.redaction import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from metastudio.contract.operation import Operation

_MAX_BAR_WIDTH = 40
_DEFAULT_WIDTH = 100  # of a table that does not go to a terminal, unless COLUMNS is set
_UNLIMITED = 1_000_000
_MIN_TEXT_WIDTH = 12  # cells that a column of free text keeps when it is folded
_SHORT_ID = 12  # characters that a shortened ID keeps


def console(stream: TextIO) -> Console:
    """Return a console for a stream. It interprets no markup, because servers write into what it shows."""
    interactive = stream.isatty()
    return Console(
        file=stream,
        force_terminal=interactive,
        color_system="standard" if interactive and not without_colours() else None,
        width=_columns() if interactive else _UNLIMITED,
        markup=False,
        highlight=False,
        emoji=False,
    )


def write_view(target: Console, view: RenderableType) -> None:
    """Write a view without blanks at the ends of lines."""
    with target.capture() as captured:
        target.print(view)
    target.file.write(re.sub(r" +((?:\x1b\[0m)?)$", r"\1", captured.get(), flags=re.MULTILINE))
    target.file.flush()


def grid(rows: Iterable[tuple[str, Text]], *, style: str = "") -> Table:
    """Return a table of names and values; `style` is that of the names."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=style, no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def properties_view(operation: Operation, fields: Mapping[str, Mapping[str, Any]], item: Mapping[str, Any]) -> Table:
    """Return a view of one object: a line for each property that is set. `fields` tells which are times."""

    def styled_value(name: str, value: Any) -> Text:
        text = escaped(to_local(value, fields.get(name, {}).get("format")))
        return Text.assemble((text, state_colour(operation, text) if name == state_column(operation) else ""))

    rows = ((escaped(name), styled_value(name, value)) for name, value in item.items() if value is not None)
    return grid(rows, style="bold")


def state_colour(operation: Operation, state: object) -> str:
    """Return the colour of a state."""
    known = operation.states.get(str(state))
    return (PHASES[known.phase] if known else UNLISTED).colour


class ItemTable:
    """A table of items: on a terminal, free text is folded to fit; in a narrow one, each item is a block of lines.

    Args:
        operation: The list operation.
        items: Items to show.
        columns: Columns to show. If None, as many non-empty default columns as fit; IDs are `shortened` if the required
            columns fit only then. `hidden` has those that do not fit.
        interactive: Whether the output is a terminal.
    """

    def __init__(
        self,
        operation: Operation,
        items: Sequence[Mapping[str, Any]],
        columns: Sequence[str] | None,
        *,
        interactive: bool,
    ) -> None:
        self._operation = operation
        self._state = state_column(operation)
        self._required = _required_columns(operation)
        column = identity_column(operation)
        self.identities = [str(value_at(item, column)) for item in items] if column else []
        self._always = {identity_column(operation), self._state}
        self._cells = {
            name: [self._text(name, value_at(item, name)) for item in items]
            for name in columns or _table_columns(operation)
        }
        candidates = [name for name, cells in self._cells.items() if name in self._always or any(cells)]
        width = _columns()
        self._columns = list(self._cells) if columns else self._fitting(candidates, width)
        self._in_blocks = interactive and self._width(self._columns, folded=True) > width
        if self._in_blocks and not columns:
            self._columns = self._fitting(candidates, _DEFAULT_WIDTH)
        self.shortened = interactive and not columns and not self._in_blocks and self._shorten(candidates, width)
        self.has_times = any(is_time(operation, name) for name in self._columns)
        left_out = {*candidates}.difference(self._columns)
        self.hidden = [] if columns else [name for name in self._required if name in left_out]

    def view(self) -> RenderableType:
        """Return the table, or the blocks."""
        rows = zip(*(self._styled(name) for name in self._columns), strict=True)
        if self._in_blocks:
            head = max(map(len, self._columns[1:]), default=0)
            return Group(*(
                part
                for first, *others in rows
                for part in (first, Padding(grid(self._named(others, head)), (0, 0, 0, 2)))
            ))  # fmt: skip
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in self._columns:
            table.add_column(name, no_wrap=self._is_fixed(name), overflow="fold")
        for row in rows:
            table.add_row(*row)
        return table

    def _shorten(self, candidates: Sequence[str], width: int) -> bool:
        """Shorten the IDs if the required columns fit only then, and the IDs remain distinct."""
        column, before = identity_column(self._operation), self._columns
        if column is None or {*candidates} & {*self._required} <= {*before}:
            return False
        cells = self._cells[column]
        self._cells[column] = [f"{text[:_SHORT_ID]}…" if len(text) > _SHORT_ID + 1 else text for text in cells]
        self._columns = self._fitting(candidates, width)
        if {*candidates} & {*self._required} <= {*self._columns} and len({*self._cells[column]}) == len({*cells}):
            return True
        self._cells[column], self._columns = cells, before
        return False

    def _named(self, values: Sequence[Text], width: int) -> Iterable[tuple[str, Text]]:
        return ((f"{name:<{width}}", text) for name, text in zip(self._columns[1:], values, strict=True) if text)

    def _styled(self, name: str) -> Iterable[Text]:
        for text in self._cells[name]:
            yield Text.assemble((text, state_colour(self._operation, text) if name == self._state else ""))

    def _text(self, name: str, value: Any) -> str:
        return escaped(to_local(value, self._operation.fields.get(name, {}).get("format")))

    def _fitting(self, columns: Sequence[str], width: int) -> list[str]:
        """Return the columns that fit side by side, by priority: required ones folded, others only unfolded.

        ID and state are always included.
        """
        chosen = {name for name in columns if name in self._always}
        for name in columns:
            if self._width({*chosen, name}, folded=name in self._required) <= width:
                chosen.add(name)
        return [name for name in columns if name in chosen]

    def _width(self, columns: Iterable[str], *, folded: bool) -> int:
        widths = []
        for name in columns:
            full = max(map(cell_len, [name, *self._cells[name]]))
            shrinks = folded and not self._is_fixed(name)
            widths.append(min(full, max(_MIN_TEXT_WIDTH, len(name))) if shrinks else full)
        return sum(widths) + 2 * (len(widths) - 1)

    def _is_fixed(self, name: str) -> bool:
        """Return whether a column is never folded: IDs, times and listed values."""
        field = self._operation.fields.get(name, {})
        return bool(name == identity_column(self._operation) or field.get("format") or field.get("values"))


def _columns() -> int:
    return shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns


def _required_columns(operation: Operation) -> list[str]:
    structure = next(iter(operation.success.values()))
    for token in column_of(operation.list_rules.items if operation.list_rules else "").split("."):
        structure = structure.properties.get(token) if isinstance(structure, JsonObject) else None
    item = structure.items if isinstance(structure, JsonArray) else None
    return [name for name in item.required if name in operation.fields] if isinstance(item, JsonObject) else []


def _table_columns(operation: Operation) -> list[str]:
    """Return the columns of a table by priority: ID, required properties, state, then the rest.

    Personal data, objects, and properties that are the same for all items are left out.
    """
    first = [identity_column(operation), *_required_columns(operation), state_column(operation)]
    left_out = (
        {column_of(pointer) for pointer in operation.list_rules.scope.values()} if operation.list_rules else set()
    )
    left_out |= {name for name, field in operation.fields.items() if field["type"] == "object" or is_sensitive(name)}
    return [column for column in dict.fromkeys([*first, *operation.fields]) if column and column not in left_out]


def summary_view(summary: StateSummary, name: str, target: Console) -> RenderableType:
    """Return a view of a summary: a bar for each phase, followed by its states, then the oldest and newest item."""
    groups, total = summary.by_phase(), f"{summary.counts.total():,}"
    most = max(1, *(sum(states.values()) for states in groups.values()))
    labels = [*(phase.label for phase in PHASES.values()), *(f"  {escaped(state)}" for state in summary.counts)]
    width = target.width if target.is_terminal else _DEFAULT_WIDTH
    room = min(_MAX_BAR_WIDTH, width - max(map(len, labels)) - len(total) - 4)
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left"):
        table.add_column(no_wrap=True, justify=justify)

    def add(label: str, count: int, colour: str, style: str = "") -> None:
        bars = [Bar(most, 0, count, width=room, color=colour)] if room >= 4 else []
        table.add_row(*(Text.assemble((text, style)) for text in (label, f"{count:,}")), *bars)

    for name_of_phase, states in groups.items():
        label, colour = PHASES.get(name_of_phase, UNLISTED)
        table.add_row()
        add(label, sum(states.values()), colour, "bold")
        for state, count in states.items():
            add(f"  {escaped(state)}", count, colour)
    return Group(f"{total} {name}", table, *_ends(summary))


def _ends(summary: StateSummary) -> Iterator[str]:
    column = identity_column(summary.operation)
    if summary.oldest and summary.newest:
        yield ""
        for end, (at, item) in (("oldest", summary.oldest), ("newest", summary.newest)):
            identity = escaped(str(value_at(item, column))) if column else ""
            yield f"{end}  {at.replace(tzinfo=None).isoformat(' ', 'minutes')}  {identity}"


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
        watched, state = self._items[identity], str(value_at(item, state_column(self._operation) or ""))
        if watched.state is not None:
            prefix = Text(f"{datetime.now():%H:%M:%S} {escaped(identity)}", style="dim")
            self._console.print(prefix, self._coloured(watched.state), "→", self._coloured(state), soft_wrap=True)
        watched.state, watched.since = state, time.monotonic()

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Show the outcome."""
        self._items[identity].outcome = outcome

    def _view(self) -> Group:
        now = self._console.get_time()
        spin = self._spinner.render(now)
        return Group(*(self._line(identity, watched, spin) for identity, watched in self._items.items()))

    def _line(self, identity: str, watched: WatchedItem, spin: Any) -> Text:
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
        return Text(escaped(state), style=state_colour(self._operation, state))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
