"""Items as a table that fits the terminal, or as blocks of lines if the terminal is too narrow."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, chop_cells, set_cell_size

from metastudio.cli.columns import cell_text, table_columns, value_at
from metastudio.cli.rules import identity_column, required_columns, state_column
from metastudio.cli.terminal import DEFAULT_WIDTH, Terminal, state_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metastudio.contract.operation import Operation

GAP = "  "
MIN_TEXT_WIDTH = 24
"""Cells that a column of free text keeps if it has to be truncated."""


@dataclass
class TableColumn:
    """A column: the texts of its cells, its full width and its minimum width."""

    name: str
    cells: list[str]
    full_width: int
    min_width: int

    @classmethod
    def of(cls, operation: Operation, name: str, items: Sequence[Mapping[str, Any]]) -> TableColumn:
        """Return the column of these items. IDs, times and listed values are never truncated."""
        cells = [cell_text(operation, name, value_at(item, name)) for item in items]
        full_width = max(map(cell_len, [name, *cells]))
        field = operation.fields.get(name, {})
        fixed = name == identity_column(operation) or field.get("format") or field.get("values")
        min_width = full_width if fixed else min(full_width, max(MIN_TEXT_WIDTH, cell_len(name)))
        return cls(name, cells, full_width, min_width)


class TableLayout:
    """The layout of a table. Nothing is truncated if the output is not a terminal.

    Args:
        operation: The list operation.
        items: Items to show.
        columns: Columns to show. If None, as many non-empty default columns as fit; `hidden` then has the required
            columns that do not fit.
        terminal: The output.
    """

    def __init__(
        self,
        operation: Operation,
        items: Sequence[Mapping[str, Any]],
        columns: Sequence[str] | None,
        terminal: Terminal,
    ) -> None:
        self._operation = operation
        self._terminal = terminal
        self._state = state_column(operation)
        self._always = {identity_column(operation), self._state}
        self._in_blocks = False
        self._columns = [TableColumn.of(operation, name, items) for name in columns or table_columns(operation)]
        candidates = [column for column in self._columns if column.name in self._always or any(column.cells)]
        if columns is None:
            self._columns = self._fitting(candidates, terminal.width)
        if terminal.interactive and _min_width(self._columns) > terminal.width:
            self._in_blocks = True
            self._columns = self._columns if columns else self._fitting(candidates, DEFAULT_WIDTH)
        shown = [column.name for column in self._columns]
        self.has_times = any(operation.fields.get(name, {}).get("format") == "date-time" for name in shown)
        omitted = [column.name for column in candidates if column.name not in shown]
        self.hidden = [] if columns else [name for name in required_columns(operation) if name in omitted]

    def lines(self) -> Iterator[str]:
        """Return the lines of the table, or of a block per item if the terminal is too narrow."""
        return self._blocks() if self._in_blocks else self._table()

    def _fitting(self, columns: Sequence[TableColumn], width: int) -> list[TableColumn]:
        """Return the columns that fit side by side, by priority. ID and state are always included."""
        chosen = {column.name: column for column in columns if column.name in self._always}
        for column in columns:
            if _min_width([*chosen.values(), column]) <= width:
                chosen[column.name] = column
        return [column for column in columns if column.name in chosen]

    def _table(self) -> Iterator[str]:
        heads, widths = [column.name for column in self._columns], self._widths()
        fitted = [_fitted(head, width) for head, width in zip(heads, widths, strict=True)]
        yield self._terminal.style(GAP.join(fitted).rstrip(), bold=True)
        for row in self._rows():
            fitted = [_fitted(text, width) for text, width in zip(row, widths, strict=True)]
            yield GAP.join(self._coloured(*each) for each in zip(heads, row, fitted, strict=True)).rstrip()

    def _blocks(self) -> Iterator[str]:
        """Yield a block per item: the first column, then a line for each other column, wrapped if it is too long."""
        (first, *others), width = self._columns, self._terminal.width
        indent = max([0, *(cell_len(column.name) for column in others)]) + 2 * len(GAP)
        for text, *texts in self._rows():
            yield from (self._coloured(first.name, text, part) for part in chop_cells(text, width))
            for column, text in zip(others, texts, strict=True):
                head = _fitted(f"{GAP}{column.name}", indent)
                for part in chop_cells(text, max(width - indent, 8)) if text else ():
                    yield head + self._coloured(column.name, text, part)
                    head = " " * indent

    def _rows(self) -> Iterator[tuple[str, ...]]:
        return zip(*(column.cells for column in self._columns), strict=True)

    def _widths(self) -> list[int]:
        """Return the width of each column: full, unless the table would be too wide."""
        width = self._terminal.width if self._terminal.interactive else sys.maxsize
        spare = width - _min_width(self._columns)
        widths: list[int] = []
        for column in self._columns:
            widths.append(column.min_width + min(spare, column.full_width - column.min_width))
            spare -= widths[-1] - column.min_width
        return widths

    def _coloured(self, name: str, text: str, shown: str) -> str:
        """Return the shown text of a cell, coloured if it is a state."""
        if name != self._state:
            return shown
        bare = shown.rstrip()
        return self._terminal.style(bare, state_colour(self._operation, text)) + shown[len(bare) :]


def _min_width(columns: Sequence[TableColumn]) -> int:
    """Return the minimum width of a table with these columns."""
    return sum(column.min_width for column in columns) + len(GAP) * (len(columns) - 1)


def _fitted(text: str, width: int) -> str:
    """Pad the text to a width in cells, or truncate it with an ellipsis."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width)
