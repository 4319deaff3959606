"""Items as JSON, JSON Lines and CSV: as the server sent them, page after page as they come."""

from __future__ import annotations

import csv
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from metastudio.cli.columns import flat, only, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Pages = Iterable[Sequence[Mapping[str, Any]]]

# What a spreadsheet would run instead of showing it. Plain numbers are no formulas.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.,]*\Z)")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON as people read it: characters as they are, but for those that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub(r"[\x7f-\x9f\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def write_jsonl(pages: Pages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write a line of JSON for each item."""
    for items in pages:
        for item in items:
            stream.write(to_json(only(item, columns) if columns else item) + "\n")
        stream.flush()


def write_json(pages: Pages, columns: Sequence[str] | None, stream: TextIO) -> None:
    """Write one JSON array."""
    before = "["
    for item in chain.from_iterable(pages):
        text = to_json(only(item, columns) if columns else item, indent=2)
        stream.write(f"{before}\n  " + text.replace("\n", "\n  "))
        before = ","
    stream.write("[]\n" if before == "[" else "\n]\n")


def write_csv(pages: Pages, columns: Sequence[str], stream: TextIO) -> None:
    """Write CSV (RFC 4180, but with plain line ends), names first; lists are joined with semicolons.

    What a spreadsheet would take for a formula gets an apostrophe in front: anybody may have chosen an item's name.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for items in pages:
        writer.writerows([_harmless(flat(value_at(item, column))) for column in columns] for item in items)
        stream.flush()


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
