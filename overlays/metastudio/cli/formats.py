"""Items as JSON, JSON Lines and CSV, written page by page with values as the server sent them."""

from __future__ import annotations

import csv
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from metastudio.cli.columns import printable, select_columns, to_text, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    ItemPages = Iterable[Sequence[Mapping[str, Any]]]

# Places where a spreadsheet would start to evaluate a formula: the start of a cell, of a line in it, and of the text
# after a semicolon, which separates cells in many locales. Blanks may precede the formula, and its sign may be
# full-width. Plain numbers are not formulas.
_FORMULA = re.compile(
    r"\A(?=[\t\r\n])|(?:\A|(?<=[;\r\n]))(?=[^\S\r\n]*(?:[=@＝＠]|[+＋－-](?![\d.,]*\s*(?:[;\r\n]|\Z))))"
)
# Characters that control a terminal or the direction of text, and lone surrogates, which no encoding can write.
_ESCAPED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON with readable Unicode. Only characters that control a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_jsonl(pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write each item as a line of JSON."""
    for items in pages:
        for item in items:
            stream.write(to_json(select_columns(item, columns) if columns else item) + "\n")
        stream.flush()


def write_json(pages: ItemPages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write the items as one JSON array."""
    separator = "["
    for item in chain.from_iterable(pages):
        text = to_json(select_columns(item, columns) if columns else item, indent=2)
        stream.write(f"{separator}\n  " + text.replace("\n", "\n  "))
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def write_csv(pages: ItemPages, columns: Sequence[str], stream: TextIO) -> None:
    """Write CSV with a header line (RFC 4180, but with LF). Lists are joined with semicolons.

    Text that a spreadsheet would evaluate as a formula is prefixed with an apostrophe, because item names are
    untrusted input. On a terminal, control characters are escaped.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    shown: Callable[[str], str] = printable if stream.isatty() else str
    for items in pages:
        for item in items:
            writer.writerow([shown(_without_formulas(to_text(value_at(item, column)))) for column in columns])
        stream.flush()


def _without_formulas(text: str) -> str:
    return _FORMULA.sub("'", text)
