"""Items as a table that fits the terminal, or as blocks of lines where it is too narrow for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, chop_cells, set_cell_size

from metastudio.cli.columns import cell, identity_column, state_column, table_columns, value_at
from metastudio.cli.terminal import UNSEEN_WIDTH, Terminal, state_colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metastudio.operations import Operation

GAP = "  "
CUT = 24
"""Cells to which free text is cut where there is no room for all of it."""


def lines(
    operation: Operation, items: Sequence[Mapping[str, Any]], columns: Sequence[str] | None, terminal: Terminal
) -> Iterator[str]:
    """Lay out items, line by line.

    Without `columns`, as many of the usual ones as fit are shown, and none that is empty throughout. Where nobody
    looks, nothing is cut.
    """
    layout = _Layout(operation, terminal)
    chosen = [_Column.of(operation, name, items) for name in columns or table_columns(operation)]
    if columns is None:
        usual = [column for column in chosen if column.name in layout.always or any(column.cells)]
        chosen = layout.fitting(usual, terminal.width)
    if not terminal.is_one:
        return layout.table(chosen, layout.total(chosen, whole=True))
    if layout.total(chosen) <= terminal.width:
        return layout.table(chosen, terminal.width)
    return layout.blocks(chosen if columns else layout.fitting(usual, UNSEEN_WIDTH), terminal.width)


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


class _Layout:
    def __init__(self, operation: Operation, terminal: Terminal) -> None:
        self._operation = operation
        self._terminal = terminal
        self._state = state_column(operation)
        self.always = {identity_column(operation), self._state}

    def total(self, columns: Sequence[_Column], *, whole: bool = False) -> int:
        """Cells that a table of these columns takes."""
        return sum(each.whole if whole else each.least for each in columns) + len(GAP) * (len(columns) - 1)

    def fitting(self, columns: Sequence[_Column], width: int) -> list[_Column]:
        """The columns that fit beside one another, the first ones first; those that are shown always among them."""
        chosen = [column for column in columns if column.name in self.always]
        for column in columns:
            if column not in chosen and self.total([*chosen, column]) <= width:
                chosen.append(column)
        return sorted(chosen, key=columns.index)

    def table(self, columns: Sequence[_Column], width: int) -> Iterator[str]:
        """A line for each item, below the names of the columns."""
        spare = width - self.total(columns)
        widths: list[int] = []
        for column in columns:
            widths.append(column.least + min(spare, column.whole - column.least))
            spare -= widths[-1] - column.least
        heads = [column.name for column in columns]
        yield self._terminal.style(
            _joined([_fitted(head, cells) for head, cells in zip(heads, widths, strict=True)]), bold=True
        )
        for row in zip(*(column.cells for column in columns), strict=True):
            fitted = [_fitted(text, cells) for text, cells in zip(row, widths, strict=True)]
            yield _joined([self._painted(*each) for each in zip(heads, row, fitted, strict=True)])

    def blocks(self, columns: Sequence[_Column], width: int) -> Iterator[str]:
        """A block of lines for each item: its ID, then a line for each column, folded where it is too long."""
        indent = max(cell_len(column.name) for column in columns[1:]) + 2 * len(GAP) if columns[1:] else 0
        for row in zip(*(column.cells for column in columns), strict=True):
            yield from chop_cells(row[0], width)
            for column, text in zip(columns[1:], row[1:], strict=True):
                head = _fitted(f"{GAP}{column.name}", indent)
                for part in chop_cells(text, max(width - indent, 8)):
                    yield head + self._painted(column.name, text, part)
                    head = " " * indent

    def _painted(self, name: str, text: str, shown: str) -> str:
        """What is shown of a cell: a state in its colour."""
        if name != self._state:
            return shown
        bare = shown.rstrip()
        return self._terminal.style(bare, state_colour(self._operation, text)) + shown[len(bare) :]


def _fitted(text: str, width: int) -> str:
    """Text in exactly so many cells, its end cut with an ellipsis."""
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width)


def _joined(cells: Sequence[str]) -> str:
    return GAP.join(cells).rstrip()
