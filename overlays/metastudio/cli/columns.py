"""Columns of a list: which ones there are, which ones a table shows, and the text of a cell."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.rules import column_of, identity_column, required_columns, rules_of, state_column
from metastudio.cli.times import to_local
from metastudio.redaction import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metastudio.contract.operation import Operation


def parse_columns(operation: Operation, text: str) -> list[str]:
    """Parse a comma-separated list of columns. `owner.name` names a property of a nested object.

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


def table_columns(operation: Operation) -> list[str]:
    """Return the columns of a table by priority: ID, required properties, state, then the rest.

    Personal data, objects, and properties that are the same for all items are left out.
    """
    state = state_column(operation)
    identity = identity_column(operation)
    first = [*([identity] if identity else []), *required_columns(operation), *([state] if state else [])]
    left_out = {column_of(pointer) for pointer in rules_of(operation).scope.values()}
    left_out |= {name for name, field in operation.fields.items() if field["type"] == "object" or is_sensitive(name)}
    return [column for column in dict.fromkeys([*first, *operation.fields]) if column not in left_out]


def value_at(item: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column in an item, or None if there is none."""
    value: Any = item
    for token in column.split("."):
        value = value.get(token) if isinstance(value, dict) else None
    return value


def select_columns(item: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return the given columns of an item, with None for a missing value."""
    return {column: value_at(item, column) for column in columns}


def cell_text(operation: Operation, column: str, value: Any) -> str:
    """Return the text of a table cell: local time, and no control characters."""
    if value is None:
        return ""
    if isinstance(value, str):
        is_time = operation.fields.get(column, {}).get("format") == "date-time"
        return printable(to_local(value) if is_time else value)
    return printable(to_text(value))


def to_text(value: Any) -> str:
    """Convert a JSON value to one text: lists joined with semicolons, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(to_text, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict) else str(value)


def printable(text: str) -> str:
    """Escape control characters, including those that reverse the text direction."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\u200d" else ascii(each)[1:-1] for each in text)
