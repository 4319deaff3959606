"""Which columns a list can have, which of them a table shows, and what stands in a cell."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.rules import column_of, identity_column, required_columns, rules_of, state_column
from metastudio.cli.times import local
from metastudio.redaction import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metastudio.contract.operation import Operation


def chosen_columns(operation: Operation, text: str) -> list[str]:
    """Read a list of columns, separated by commas; `owner.name` looks into an object.

    Raises:
        click.UsageError: a column is not known.
    """
    columns = [column.strip() for column in text.split(",") if column.strip()]
    known = list(operation.fields)
    for column in columns:
        if column.partition(".")[0] not in known:
            close = difflib.get_close_matches(column, known, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise click.UsageError(f"there is no column {column!a}; {meant}There are {', '.join(known)}")
    if not columns:
        raise click.UsageError(f"name at least one column of {', '.join(known)}")
    return columns


def table_columns(operation: Operation) -> list[str]:
    """Return what a table shows if there is room, most important first: ID, what every item has, state, the rest.

    What is personal, the same for all items, or an object is left out.
    """
    state = state_column(operation)
    first = [identity_column(operation), *required_columns(operation), *([state] if state else [])]
    left_out = {column_of(pointer) for pointer in rules_of(operation).scope.values()}
    left_out |= {name for name, field in operation.fields.items() if field["type"] == "object" or is_sensitive(name)}
    return [column for column in dict.fromkeys([*first, *operation.fields]) if column not in left_out]


def value_at(item: Mapping[str, Any], column: str) -> Any:
    """Return what an item as sent has in a column, or None."""
    value: Any = item
    for token in column.split("."):
        value = value.get(token) if isinstance(value, dict) else None
    return value


def only(item: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return these columns of an item, None where it has nothing."""
    return {column: value_at(item, column) for column in columns}


def cell(operation: Operation, column: str, value: Any) -> str:
    """Put a value into a cell of a table: times in this machine's zone, nothing that moves a terminal's cursor."""
    if value is None:
        return ""
    if isinstance(value, str):
        is_time = operation.fields.get(column, {}).get("format") == "date-time"
        return printable(local(value) if is_time else value)
    return printable(flat(value))


def flat(value: Any) -> str:
    """Put a value into one text: lists joined, objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(flat, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict) else str(value)


def printable(text: str) -> str:
    """Spell out characters that a terminal obeys instead of showing, among them those that turn text round."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\u200d" else ascii(each)[1:-1] for each in text)
