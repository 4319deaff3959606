"""Items as JSON, JSON Lines and CSV, written page by page with values as the server sent them."""

from __future__ import annotations

import csv
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from metastudio.cli.columns import select_columns, to_text, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    ItemPages = Iterable[Sequence[Mapping[str, Any]]]

# Text that a spreadsheet would evaluate as a formula. Plain numbers are not formulas.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.,]*\Z)")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON with readable Unicode. Only characters that control a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub(r"[\x7f-\x9f\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


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
    untrusted input.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for items in pages:
        writer.writerows([_not_a_formula(to_text(value_at(item, column))) for column in columns] for item in items)
        stream.flush()


def _not_a_formula(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
