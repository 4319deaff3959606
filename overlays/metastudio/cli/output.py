"""Output: tables and other views with rich, JSON and CSV as the server sent it, and the file that it goes to."""

from __future__ import annotations

import csv
import difflib
import json
import os
import re
import secrets
import shutil
import stat
import sys
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from metastudio.cli.options import parse_instant
from metastudio.cli.running import CommandError, ExitCode, without_colours
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio.redaction import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from metastudio.contract.operation import Operation

    ItemPages = Iterable[Sequence[Mapping[str, Any]]]

FORMATS = ("table", "json", "jsonl", "csv", "yaml", "value")
PHASE_COLOURS: Mapping[str, str] = {
    "waiting": "yellow",
    "review": "cyan",
    "training": "blue",
    "failed": "red",
    "done": "green",
}
"""The colour of each phase of `x-states`."""
UNLISTED_COLOUR = "magenta"
"""The colour of a state that the contract does not list."""

_DEFAULT_WIDTH = 100  # of a table that does not go to a terminal, unless COLUMNS is set
_UNLIMITED = 1_000_000
_MIN_TEXT_WIDTH = 12  # cells that a column of free text keeps when it is folded
_SHORT_ID = 12  # characters that a shortened ID keeps
# Places where a spreadsheet would start to evaluate a formula: the start of a cell, of a line in it, and of the text
# after a semicolon, which separates cells in many locales. Blanks may precede the formula, and its sign may be
# full-width. Plain numbers are not formulas.
_FORMULA = re.compile(
    r"\A(?=[\t\r\n])|(?:\A|(?<=[;\r\n]))(?=[^\S\r\n]*(?:[=@＝＠]|[+＋－-](?![\d.,]*\s*(?:[;\r\n]|\Z))))"
)
# Characters that control a terminal or the direction of text, and lone surrogates, which no encoding can write.
_ESCAPED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# A server may send lone surrogates, which UTF-8 cannot encode.
_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}


# Columns: the properties of an item, `owner.name` for one of a nested object.


def column_of(pointer: str) -> str:
    """Return the column name of a JSON pointer into an item: `/owner/name` becomes `owner.name`."""
    return ".".join(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def identity_column(operation: Operation) -> str | None:
    """Return the column of the item's ID, or None if items have none."""
    rules = operation.list_rules
    return column_of(rules.identity) if rules and rules.identity else None


def state_column(operation: Operation) -> str | None:
    """Return the column of the item's state, or None if items have no states."""
    return column_of(operation.state_property) if operation.state_property else None


def parse_columns(operation: Operation, text: str) -> list[str]:
    """Parse a comma-separated list of columns.

    Raises:
        click.UsageError: A column is unknown, or there is none.
    """
    columns = [column.strip() for column in text.split(",") if column.strip()]
    known = list(operation.fields)
    for column in columns:
        if column.partition(".")[0] not in known:
            close = difflib.get_close_matches(column, known, 1)
            suggestion = f"did you mean {close[0]}? " if close else ""
            raise click.UsageError(f"unknown column {column!a}; {suggestion}Columns: {', '.join(known)}")
    if not columns:
        raise click.UsageError(f"--columns must not be empty; name at least one of {', '.join(known)}")
    return columns


def value_at(item: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column in an item, or None if there is none."""
    value: Any = item
    for token in column.split("."):
        value = value.get(token) if isinstance(value, dict) else None
    return value


def select_columns(item: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return the given columns of an item, with None for a missing value."""
    return {column: value_at(item, column) for column in columns}


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


# Text: what a server sent, safe for a terminal.


def escaped(text: str) -> str:
    """Escape control characters, including those that reverse the text direction."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\u200d" else ascii(each)[1:-1] for each in text)


def to_text(value: Any) -> str:
    """Convert a JSON value to one text: lists joined with semicolons, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(to_text, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict) else str(value)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON with readable Unicode. Only characters that control a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def to_local(value: Any, time_format: str | None = "date-time") -> str:
    """Convert a time in a response to local time, to the minute. What is no such time is returned as text."""
    moment = to_instant(value, time_format)
    return moment.replace(tzinfo=None).isoformat(" ", "minutes") if moment else to_text(value)


def to_instant(value: Any, time_format: str | None) -> datetime | None:
    """Return the time of a property with a format of times, or None."""
    if time_format == "date-time":
        return parse_instant(value)
    if not str(time_format).startswith("epoch-") or not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value / (1000 if time_format == "epoch-milliseconds" else 1)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def is_time(operation: Operation, column: str) -> bool:
    """Return whether a column holds times."""
    time_format = operation.fields.get(column, {}).get("format")
    return time_format == "date-time" or str(time_format).startswith("epoch-")


# Views: with rich on a terminal, plain and of any width in a pipe.


def console(stream: TextIO) -> Console:
    """Return a console for a stream. It interprets no markup, because servers write into what it shows."""
    from rich.console import Console

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


def grid(rows: Iterable[tuple[str | Text, ...]], *, style: str = "") -> Table:
    """Return a table without header; `style` is that of its first column."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for number, row in enumerate(rows):
        for place in range(0 if number else len(row)):
            table.add_column(style="" if place else style, no_wrap=not place, overflow="fold")
        table.add_row(*row)
    return table


def properties_view(operation: Operation, fields: Mapping[str, Mapping[str, Any]], item: Mapping[str, Any]) -> Table:
    """Return a view of one object: a line for each property that is set. `fields` tells which are times."""
    from rich.text import Text

    def styled_value(name: str, value: Any) -> Text:
        text = escaped(to_local(value, fields.get(name, {}).get("format")))
        return Text.assemble((text, state_colour(operation, text) if name == state_column(operation) else ""))

    rows = ((escaped(name), styled_value(name, value)) for name, value in item.items() if value is not None)
    return grid(rows, style="bold")


def state_colour(operation: Operation, state: object) -> str:
    """Return the colour of a state."""
    known = operation.states.get(str(state))
    return PHASE_COLOURS[known.phase] if known else UNLISTED_COLOUR


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
        from rich.console import Group
        from rich.padding import Padding
        from rich.table import Table

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
        from rich.text import Text

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
        from rich.cells import cell_len

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


# Formats: written page by page, with values as the server sent them.


def write_items(output_format: str, pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write items in a format other than `table`; CSV and `value` need columns."""
    writers: dict[str, Callable[..., None]] = {
        "json": _write_json, "jsonl": _write_jsonl, "csv": _write_csv, "yaml": _write_yaml, "value": _write_values
    }  # fmt: skip
    writers[output_format](pages, columns, stream)


def to_yaml(value: Any) -> str:
    """Return YAML with readable Unicode."""
    import yaml

    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=_UNLIMITED)
    return text if not _ESCAPED.search(text) else yaml.safe_dump(value, sort_keys=False, width=_UNLIMITED)


def _write_jsonl(pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    for items in pages:
        for item in items:
            stream.write(to_json(select_columns(item, columns) if columns else item) + "\n")
        stream.flush()


def _write_json(pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    separator = "["
    for item in chain.from_iterable(pages):
        text = to_json(select_columns(item, columns) if columns else item, indent=2)
        stream.write(f"{separator}\n  " + text.replace("\n", "\n  "))
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def _write_yaml(pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    written = False
    for items in pages:
        if items:
            stream.write(to_yaml([select_columns(item, columns) if columns else dict(item) for item in items]))
            written = True
    stream.write("" if written else "[]\n")


def _write_values(pages: ItemPages, columns: Sequence[str], stream: TextIO) -> None:
    """Write the values alone, separated by tabs."""
    for items in pages:
        for item in items:
            stream.write("\t".join(escaped(to_text(value_at(item, column))) for column in columns) + "\n")
        stream.flush()


def _write_csv(pages: ItemPages, columns: Sequence[str], stream: TextIO) -> None:
    """Write CSV with a header line (RFC 4180, but with LF). Lists are joined with semicolons.

    Text that a spreadsheet would evaluate as a formula is prefixed with an apostrophe, because item names are
    untrusted input. On a terminal, control characters are escaped.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    shown: Callable[[str], str] = escaped if stream.isatty() else str
    for items in pages:
        for item in items:
            writer.writerow([shown(_FORMULA.sub("'", to_text(value_at(item, column)))) for column in columns])
        stream.flush()


@contextmanager
def destination(path: Path | None, *, force: bool) -> Generator[TextIO]:
    """Open the output. A file gets its name only after everything is written.

    Args:
        path: File to write; None or `-` is standard output.
        force: Replace an existing file.

    Raises:
        CommandError: The file exists and `force` is False, or it cannot be written.
    """
    if path is None or str(path) == "-":
        yield sys.stdout
    elif path.is_dir():
        raise CommandError(f"{path} is a directory", code=ExitCode.USAGE)
    elif path.exists() and not path.is_file():  # such as /dev/null or a named pipe
        with _writing(path):
            stream = path.open("w", **_TEXT)
        with stream:
            yield stream
    else:
        if path.exists() and not force:
            raise CommandError(f"{path} already exists", "add --force to replace it", ExitCode.USAGE)
        target = path.resolve()
        # Others may write to the folder, so the name is unpredictable and the file must not exist: no link is followed.
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        with _writing(path):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with open(descriptor, "w", **_TEXT) as stream:
                if target.exists():
                    os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
                yield stream
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", code=ExitCode.USAGE) from None
