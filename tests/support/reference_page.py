"""The vendor's API reference of the operation (tests/reference/query-training-jobs.txt), parsed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "reference" / "query-training-jobs.txt"


@dataclass(frozen=True)
class TableRow:
    name: str
    mandatory: str  # "" in tables that have no such column
    type: str
    description: str


@cache
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


@cache
def table(title: str) -> tuple[TableRow, ...]:
    """Return the rows of a table, such as "Table 2 Query Parameters"."""
    start = text().index(title) + len(title)
    ends = [
        at
        for mark in ("\nTable ", "\nStatus code:", "\nRequest Parameters", "\nExample Requests", "\nResponse Par")
        if (at := text().find(mark, start)) >= 0
    ]
    paragraphs = [part.strip() for part in text()[start : min(ends)].split("\n\n") if part.strip()]
    columns = 4 if paragraphs[1] == "Mandatory" else 3
    rows: list[TableRow] = []
    for part in paragraphs[columns:]:
        starts_row = part.replace("-", "").replace("_", "").isalnum() and " " not in part
        if starts_row and (not rows or rows[-1].description):
            rows.append(TableRow(part, "", "", ""))
        elif columns == 4 and not rows[-1].mandatory:
            rows[-1] = TableRow(rows[-1].name, part, "", "")
        elif not rows[-1].type:
            rows[-1] = TableRow(rows[-1].name, rows[-1].mandatory, part, "")
        else:
            last = rows[-1]
            rows[-1] = TableRow(last.name, last.mandatory, last.type, f"{last.description}\n{part}".strip())
    return tuple(rows)


def options(row: TableRow) -> list[str]:
    """Return the values that a row lists as bullet points."""
    return [line.strip(" •").partition(":")[0] for line in row.description.splitlines() if line.strip().startswith("•")]


@cache
def examples() -> tuple[Any, Any, Any]:
    """Return the bodies of the example responses: a page of jobs, a 400 and a 500."""
    start = text().index("Example Responses")
    decoder, found = json.JSONDecoder(), list[Any]()
    at = text().find("{\n", start)
    while at >= 0:
        value, end = decoder.raw_decode(text(), at)
        found.append(value)
        at = text().find("{\n", end)
    first, second, third = found
    return first, second, third
