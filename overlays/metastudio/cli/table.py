"""Items as a table that fits the terminal, or as blocks of lines where it is too narrow for one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, chop_cells, set_cell_size

from metastudio.cli.columns import cell, table_columns, value_at
from metastudio.cli.rules import identity_column, required_columns, state_column
from metastudio.cli.terminal import UNSEEN_WIDTH, Terminal, state_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metastudio.contract.operation import Operation

GAP = "  "
CUT = 24
"""Cells to which free text is cut where there is no room for all of it."""


@dataclass
class _Column:
    """What stands in a column, and the cells that it takes whole and at least."""

    name: str
    cells: list[str]
    whole: int
    least: int

    @classmethod
    def of(cls, operation: Operation, name: str, items: Sequence[Mapping[str, Any]]) -> _Column:
        cells = [cell(operation, name, value_at(item, name)) for item in items]
        whole = max(map(cell_len, [name, *cells]))
        field = operation.fields.get(name, {})
        fixed = name == identity_column(operation) or field.get("format") or field.get("values")
        return cls(name, cells, whole, whole if fixed else min(whole, max(CUT, cell_len(name))))


class Layout:
    """How items are laid out.

    Without `columns`, as many of the usual ones as fit are shown, none that is empty throughout; `hidden` are those
    which every item has and for which there was no room. Where nobody looks, nothing is cut.
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
        self._columns = [_Column.of(operation, name, items) for name in columns or table_columns(operation)]
        usual = [column for column in self._columns if column.name in self._always or any(column.cells)]
        if columns is None:
            self._columns = self._fitting(usual, terminal.width)
        if terminal.is_one and _total(self._columns) > terminal.width:
            self._in_blocks = True
            self._columns = self._columns if columns else self._fitting(usual, UNSEEN_WIDTH)
        shown = [column.name for column in self._columns]
        self.has_times = any(operation.fields.get(name, {}).get("format") == "date-time" for name in shown)
        lost = [column.name for column in usual if column.name not in shown]
        self.hidden = [] if columns else [name for name in required_columns(operation) if name in lost]

    def lines(self) -> Iterator[str]:
        """Return the lines: of a table, or of a block for each item where the terminal is too narrow for one."""
        return self._blocks() if self._in_blocks else self._table()

    def _fitting(self, columns: Sequence[_Column], width: int) -> list[_Column]:
        """The columns that fit beside one another, the first ones first; those that are always shown among them."""
        chosen = {column.name: column for column in columns if column.name in self._always}
        for column in columns:
            if _total([*chosen.values(), column]) <= width:
                chosen[column.name] = column
        return [column for column in columns if column.name in chosen]

    def _table(self) -> Iterator[str]:
        heads, widths = [column.name for column in self._columns], self._widths()
        fitted = [_fitted(head, width) for head, width in zip(heads, widths, strict=True)]
        yield self._terminal.style(GAP.join(fitted).rstrip(), bold=True)
        for row in self._rows():
            fitted = [_fitted(text, width) for text, width in zip(row, widths, strict=True)]
            yield GAP.join(self._painted(*each) for each in zip(heads, row, fitted, strict=True)).rstrip()

    def _blocks(self) -> Iterator[str]:
        """A block for each item: the first column, then a line for each other, folded where it is too long."""
        (first, *others), width = self._columns, self._terminal.width
        indent = max([0, *(cell_len(column.name) for column in others)]) + 2 * len(GAP)
        for text, *texts in self._rows():
            yield from (self._painted(first.name, text, part) for part in chop_cells(text, width))
            for column, text in zip(others, texts, strict=True):
                head = _fitted(f"{GAP}{column.name}", indent)
                for part in chop_cells(text, max(width - indent, 8)) if text else ():
                    yield head + self._painted(column.name, text, part)
                    head = " " * indent

    def _rows(self) -> Iterator[tuple[str, ...]]:
        return zip(*(column.cells for column in self._columns), strict=True)

    def _widths(self) -> list[int]:
        """The cells of each column: whole, unless that makes the table too wide."""
        width = self._terminal.width if self._terminal.is_one else sys.maxsize
        spare = width - _total(self._columns)
        widths: list[int] = []
        for column in self._columns:
            widths.append(column.least + min(spare, column.whole - column.least))
            spare -= widths[-1] - column.least
        return widths

    def _painted(self, name: str, text: str, shown: str) -> str:
        """What is shown of a cell: a state in its colour."""
        if name != self._state:
            return shown
        bare = shown.rstrip()
        return self._terminal.style(bare, state_colour(self._operation, text)) + shown[len(bare) :]


def _total(columns: Sequence[_Column]) -> int:
    """The cells that a table of these columns takes at least."""
    return sum(column.least for column in columns) + len(GAP) * (len(columns) - 1)


def _fitted(text: str, width: int) -> str:
    """Text in exactly so many cells, its end cut with an ellipsis."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width)
