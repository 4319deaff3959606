"""Output: columns of items, text that is safe for a terminal, the formats but the table, and the file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import secrets
import stat
import sys
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from metastudio.cli.errors import CommandError, ExitCode
from metastudio.contract.json_pointer import split
from metastudio.contract.operation import EPOCHS
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio.redaction import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from metastudio.contract.operation import Operation

    Pages = Iterable[Sequence[Mapping[str, Any]]]

FORMATS = ("table", "json", "jsonl", "csv", "yaml", "value")
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


class ItemColumns:
    """The columns of the items of an operation, and the text of a value in each of them.

    Attributes:
        identity: The column of the ID; None if items have none.
        state: The column of the state; None if items have none.
        time: The time column that the list can be sorted by, or else the first time column; None if there is none.
        required: The columns that every item has.
    """

    def __init__(self, operation: Operation) -> None:
        rules = operation.list_rules
        self.fields = operation.fields
        self.identity = _column_of(rules.identity if rules else None)
        self.state = _column_of(operation.state_property)
        keys = map(_column_of, rules.order.keys.values() if rules and rules.order else ())
        times = [name for name in self.fields if self.is_time(name)]
        self.time = next((column for column in [*keys, *times] if column in times), None)
        structure: Any = next(iter(operation.success.values()), None)
        for token in (_column_of(rules.items if rules else None) or "").split("."):
            structure = structure.properties.get(token) if isinstance(structure, JsonObject) else None
        item = structure.items if isinstance(structure, JsonArray) else None
        self.required = [name for name in getattr(item, "required", ()) if name in self.fields]
        self._scope = {_column_of(pointer) for pointer in rules.scope.values()} if rules else set[str | None]()
        self._states = operation.states

    @property
    def shown(self) -> list[str]:
        """The columns of a table by priority: ID, required properties, state, then the rest.

        Personal data, objects, and properties that are the same for all items are left out.
        """
        hidden = {name for name, field in self.fields.items() if field["type"] == "object" or is_sensitive(name)}
        first = [self.identity, *self.required, self.state, *self.fields]
        return [name for name in dict.fromkeys(first) if name and name not in hidden | self._scope]

    def format(self, column: str) -> str | None:
        """Return the format of a column in the contract."""
        found: str | None = self.fields.get(column, {}).get("format")
        return found

    def is_time(self, column: str) -> bool:
        """Return whether a column holds times."""
        return self.format(column) in ("date-time", *EPOCHS)

    def is_fixed(self, column: str) -> bool:
        """Return whether a column is never folded: IDs, times and listed values."""
        return bool(column == self.identity or self.format(column) or self.fields.get(column, {}).get("values"))

    def text(self, column: str, value: Any) -> str:
        """Return a value as one text for people: times are local."""
        return escaped(to_local(value, self.format(column)))

    def colour(self, column: str, text: str) -> str:
        """Return the colour of a text in a column: that of the phase for a state, empty for all others."""
        known = self._states.get(text)
        return "" if column != self.state else (PHASES[known.phase] if known else UNLISTED).colour


def _column_of(pointer: str | None) -> str | None:
    return ".".join(split(pointer)) if pointer else None


def value_at(item: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column in an item, or None if there is none."""
    value: Any = item
    for token in column.split("."):
        value = value.get(token) if isinstance(value, dict) else None
    return value


def select_columns(item: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return the given columns of an item, with None for a missing value."""
    return {column: value_at(item, column) for column in columns}


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
    """Convert a time in a response to local time, to the minute. Any other value becomes text."""
    moment = to_instant(value, time_format)
    return moment.replace(tzinfo=None).isoformat(" ", "minutes") if moment else to_text(value)


def to_instant(value: Any, time_format: str | None) -> datetime | None:
    """Return the local time of a property with a format of times, or None if it is not a time with a time zone."""
    try:
        if time_format == "date-time":
            moment = datetime.fromisoformat(str(value))
            return moment.astimezone() if moment.tzinfo else None
        if str(time_format).startswith("epoch-") and isinstance(value, int):
            return datetime.fromtimestamp(value / (1000 if time_format == "epoch-milliseconds" else 1)).astimezone()
    except (ValueError, OverflowError, OSError):
        pass
    return None


# Formats: written page by page, with values as the server sent them.


def write_items(output_format: str, pages: Pages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write items in a format other than `table`; CSV needs columns."""
    chosen = ([select_columns(item, columns) if columns else dict(item) for item in page] for page in pages)
    texts: dict[str, Callable[[], Iterable[str]]] = {
        "csv": lambda: _csv(chosen, columns or (), escaped if stream.isatty() else str),
        "json": lambda: _json(chosen),
        "jsonl": lambda: ("".join(f"{to_json(item)}\n" for item in page) for page in chosen),
        "value": lambda: ("".join(_values(item) for item in page) for page in chosen),
        "yaml": lambda: _yaml(chosen),
    }
    for text in texts[output_format]():
        stream.write(text)
        stream.flush()


def to_yaml(value: Any) -> str:
    """Return YAML with readable Unicode. Characters that control a terminal are escaped."""
    import yaml

    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=math.inf)
    return text if not _ESCAPED.search(text) else yaml.safe_dump(value, sort_keys=False, width=math.inf)


def _json(pages: Pages) -> Iterator[str]:
    separator = "["
    for item in chain.from_iterable(pages):
        yield f"{separator}\n  " + to_json(item, indent=2).replace("\n", "\n  ")
        separator = ","
    yield "[]\n" if separator == "[" else "\n]\n"


def _yaml(pages: Pages) -> Iterator[str]:
    empty = True
    for page in filter(None, pages):
        yield to_yaml(page)
        empty = False
    yield "[]\n" if empty else ""


def _values(item: Mapping[str, Any]) -> str:
    return "\t".join(escaped(to_text(value)) for value in item.values()) + "\n"


def _csv(pages: Pages, columns: Sequence[str], shown: Callable[[str], str]) -> Iterator[str]:
    """Yield CSV with a header line (RFC 4180, but with LF). Lists are joined with semicolons.

    Text that a spreadsheet would evaluate as a formula is prefixed with an apostrophe, because item names are
    untrusted input. On a terminal, control characters are escaped.
    """
    rows = ([_FORMULA.sub("'", to_text(value)) for value in item.values()] for page in pages for item in page)
    for row in chain([columns], rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([shown(cell) for cell in row])
        yield text.getvalue()


# Files.


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
        return
    with _writing(path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            mode = 0
    if stat.S_ISDIR(mode):
        raise CommandError(f"{path} is a directory", code=ExitCode.USAGE)
    if mode and not stat.S_ISREG(mode):  # such as /dev/null or a named pipe
        with _writing(path):
            stream = path.open("w", **_TEXT)
        with stream:
            yield stream
    else:
        if mode and not force:
            raise CommandError(f"{path} already exists", "add --force to replace it", ExitCode.USAGE)
        target = path.resolve()
        # Others may write to the folder, so the name is unpredictable and the file must not exist: no link is followed.
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        with _writing(path):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with open(descriptor, "w", **_TEXT) as stream:
                if mode:
                    os.fchmod(descriptor, stat.S_IMODE(mode))
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
