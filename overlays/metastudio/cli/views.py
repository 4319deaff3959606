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
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TextIO

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from metastudio.cli.errors import ExitCode, without_colours
from metastudio.cli.output import PHASES, UNLISTED, ItemColumns, escaped, value_at
from metastudio.cli.watch import OUTCOMES, state_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
        width=_terminal_width() if interactive else _UNLIMITED,
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


def properties_view(columns: ItemColumns, item: Mapping[str, Any]) -> Table:
    """Return a view of one object: a line for each property that is set."""
    cells = ((name, columns.text(name, value)) for name, value in item.items() if value is not None)
    return grid([(escaped(name), _coloured(columns, name, text)) for name, text in cells], style="bold")


def _coloured(columns: ItemColumns, name: str, text: str) -> Text:
    return Text.assemble((text, columns.colour(name, text)))


class TableView(NamedTuple):
    """A table, its columns, the required columns that are hidden because they do not fit, and whether IDs are cut."""

    view: RenderableType
    columns: list[str]
    hidden: list[str]
    shortened: bool


def table_view(
    columns: ItemColumns, items: Sequence[Mapping[str, Any]], chosen: Sequence[str] | None, *, interactive: bool
) -> TableView:
    """Return a table of items. On a terminal, free text is folded to fit; in a narrow one, an item is a block of lines.

    Args:
        columns: The columns of the list.
        items: Items to show.
        chosen: Columns to show. If None, as many non-empty columns as fit; IDs are shortened if the required columns
            fit only then, and the IDs remain distinct.
        interactive: Whether the output is a terminal.
    """
    width, names, identity = _terminal_width(), [*(chosen or columns.shown)], columns.identity
    cells = {name: [columns.text(name, value_at(item, name)) for item in items] for name in names}
    widths = {name: max(map(cell_len, [name, *texts])) for name, texts in cells.items()}
    always = {identity, columns.state}
    candidates = [name for name in names if name in always or any(cells[name])]
    required = [name for name in columns.required if name in candidates and not chosen]

    def total(names: Collection[str], *, folded: bool) -> int:
        least = {name: max(_MIN_TEXT_WIDTH, len(name)) for name in names if folded and not columns.is_fixed(name)}
        return sum(min(widths[name], least.get(name, _UNLIMITED)) for name in names) + 2 * (len(names) - 1)

    def fitting(width: int) -> list[str]:
        """Return the columns that fit side by side, by priority: required ones folded, others only unfolded."""
        kept = {name for name in candidates if name in always}
        for name in candidates:
            if total(kept | {name}, folded=name in required) <= width:
                kept.add(name)
        return [name for name in candidates if name in kept]

    shown, shortened = names if chosen else fitting(width), False
    in_blocks = interactive and total(shown, folded=True) > width
    if in_blocks and not chosen:
        shown = fitting(_DEFAULT_WIDTH)
    elif interactive and identity and not {*required} <= {*shown}:
        short = [f"{text[:_SHORT_ID]}…" if len(text) > _SHORT_ID + 1 else text for text in cells[identity]]
        widths[identity] = max(map(cell_len, [identity, *short]))
        fitted = fitting(width)
        shortened = {*required} <= {*fitted} and len({*short}) == len({*cells[identity]})
        if shortened:
            shown, cells[identity] = fitted, short
    rows = list(zip(*([_coloured(columns, name, text) for text in cells[name]] for name in shown), strict=True))
    view = (
        _blocks(shown, rows)
        if in_blocks
        else Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    )
    if isinstance(view, Table):
        for name in shown:
            view.add_column(name, no_wrap=columns.is_fixed(name), overflow="fold")
        for row in rows:
            view.add_row(*row)
    return TableView(view, shown, [name for name in required if name not in shown], shortened)


def _blocks(names: Sequence[str], rows: Iterable[Sequence[Text]]) -> Group:
    """Return a block for each row: the first cell, then a line with name and text for each other cell with text."""
    width = max(map(len, names[1:]), default=0)
    parts: list[RenderableType] = []
    for first, *others in rows:
        named = [(f"{name:<{width}}", text) for name, text in zip(names[1:], others, strict=True) if text]
        parts += [first, Padding(grid(named), (0, 0, 0, 2))]
    return Group(*parts)


def _terminal_width() -> int:
    return shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns


def summary_view(columns: ItemColumns, name: str, summary: Mapping[str, Any], target: Console) -> RenderableType:
    """Return a view of a summary: a bar for each phase, followed by its states, then the oldest and newest item."""
    total, phases = f"{summary['total']:,}", summary["phases"]
    most = max(1, *(phase["total"] for phase in phases.values()))
    lines: list[tuple[str, int, str, str]] = []
    for phase, counted in phases.items():
        label, colour = PHASES.get(phase, UNLISTED)
        lines.append((label, counted["total"], colour, "bold"))
        lines += [(f"  {escaped(state)}", count, colour, "") for state, count in counted["states"].items()]
    width = target.width if target.is_terminal else _DEFAULT_WIDTH
    room = min(_MAX_BAR_WIDTH, width - max(len(label) for label, *_ in lines) - len(total) - 4)
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left"):
        table.add_column(no_wrap=True, justify=justify)
    for label, count, colour, style in lines:
        if style:
            table.add_row()
        bars = [Bar(most, 0, count, width=room, color=colour)] if room >= 4 else []
        table.add_row(*(Text.assemble((text, style)) for text in (label, f"{count:,}")), *bars)
    ends = []
    for end in ("oldest", "newest"):
        if item := summary[end]:
            time = columns.text(columns.time or "", item[columns.time])
            ends.append(f"{end}  {time}  {escaped(str(item.get(columns.identity, '')))}")
    return Group(f"{total} {name}", table, *([""] if ends else []), *ends)


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
        self._columns = ItemColumns(operation)
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
        watched, state = self._items[identity], state_of(self._operation, item)
        if watched.state is not None:
            prefix = Text(f"{datetime.now():%H:%M:%S} {escaped(identity)}", style="dim")
            self._console.print(prefix, self._coloured(watched.state), "→", self._coloured(state), soft_wrap=True)
        watched.state, watched.since = state, time.monotonic()

    def ended(self, identity: str, outcome: ExitCode) -> None:
        """Show the outcome."""
        self._items[identity].outcome = outcome

    def _view(self) -> Group:
        spin = self._spinner.render(self._console.get_time())
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
        return Text(escaped(state), style=self._columns.colour(self._columns.state or "", state))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
