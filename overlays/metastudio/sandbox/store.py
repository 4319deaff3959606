"""The items of one list operation in a SQLite table, and the rules of `x-list` as SQL.

An item is a row with its JSON; each property that the list is filtered or sorted by is a column.
A filter compares the value at a JSON pointer into the item; if the pointer has a `*`, one matching element is enough.
An item without the value matches no comparison, only `exists: false`. Several values in one parameter mean any of them;
for `ne`, none of them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metastudio.contract.instants import parse_instant
from metastudio.contract.json_pointer import values_at
from metastudio.contract.operation import Filter, ListRules, Order
from metastudio.sandbox.http import JSON
from metastudio.sandbox.listing import Listing, StoreColumn

_ANY = "EXISTS (SELECT 1 FROM json_each(?) AS given WHERE "
_TESTS = {
    "eq": "{} IN (SELECT value FROM json_each(?))",
    "ne": "{} NOT IN (SELECT value FROM json_each(?))",
    "ge": _ANY + "{} >= given.value)",
    "gt": _ANY + "{} > given.value)",
    "le": _ANY + "{} <= given.value)",
    "lt": _ANY + "{} < given.value)",
    "substring": _ANY + "instr({}, given.value) >= 1)",
    "prefix": _ANY + "instr({}, given.value) = 1)",
}
"""The SQL of each comparison. The given values are one argument, in JSON, because SQLite limits the number of them."""
_LARGEST = 2**63 - 1
Columns = Mapping[str, StoreColumn]
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """A part of a WHERE clause, and the arguments of its placeholders."""

    sql: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class PageWindow:
    """A page of a list: `skip` items are skipped, then at most `take` are returned."""

    skip: int
    take: int


def condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
    """Return the condition of a filter, or None if it matches everything.

    A filter whose comparison is `unstated` compares as its `sandbox` key says, and matches everything without one.
    """
    op = rule.op if rule.op != "unstated" else rule.sandbox
    if op is None or column is None:
        return None
    if op != "exists":
        return _of_any(column, _TESTS[op], (JSON(compared(column, values)),))
    found, wanted = _of_any(column, "{} IS NOT NULL"), {value is not False for value in values}
    return Condition("1") if len(wanted) == 2 else found if True in wanted else Condition(f"NOT ({found.sql})")


def scope(rules: ListRules, columns: Columns, path: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions that select the items of the path, such as those of its project."""
    return [equal(columns[pointer], path[parameter]) for parameter, pointer in rules.scope.items()]


def equal(column: StoreColumn, value: Any) -> Condition:
    """Return the condition that selects the items with one value, by the column's index."""
    return Condition(f"{column.name} = json_extract(?, '$[0]')", (JSON(compared(column, [value])),))


def order(rules: Order | None, columns: Columns, identity: StoreColumn | None, key: Any, direction: Any) -> str:
    """Return an ORDER BY clause.

    Items with equal keys are sorted by their identity, so that the same request always gets the same response. Without
    a known key the list is in insertion order, whatever the direction.

    Args:
        rules: Order rules of the list, if it can be ordered.
        columns: Columns of the store, by JSON pointer.
        identity: Column of the item's identity, if it has one.
        key: Value of the sort key parameter, None if it is absent.
        direction: Value of the sort direction parameter, None if it is absent.
    """
    pointer = rules.keys.get(key) if rules else None
    if rules is None or pointer is None or columns[pointer].many:
        return "seq"
    descending = direction == rules.desc if direction is not None else rules.default == "desc"
    word = "DESC" if descending else "ASC"
    return f"{columns[pointer].name} {word}, {identity.name if identity else 'seq'} {word}"


def window(offset: int | None, limit: int | None, listing: Listing) -> PageWindow:
    """Return the page of the paging parameters, which are None if they are absent."""
    return PageWindow(min(offset or 0, _LARGEST), min(listing.default_limit if limit is None else limit, _LARGEST))


def compared(column: StoreColumn, values: Iterable[Any]) -> list[Any]:
    """Return values of a parameter or an item in the form in which they are compared: one that SQLite has."""
    return [_sortable(each) if column.time else _finite(each) for each in values]


def _finite(value: Any) -> Any:
    """Replace infinity, which JSON does not have, by the largest number."""
    return max(-sys.float_info.max, min(value, sys.float_info.max)) if isinstance(value, float) else value


def _sortable(time: Any) -> Any:
    """Convert an RFC 3339 time to a sortable text, because the integers of SQLite end in the year 2262."""
    if isinstance(time, int | float):
        return _finite(time)
    nanoseconds = parse_instant(time) if isinstance(time, str) else None
    return None if nanoseconds is None else f"{nanoseconds + 10**20:021d}"


def _of_any(column: StoreColumn, test: str, arguments: tuple[Any, ...] = ()) -> Condition:
    if column.many:
        return Condition(f"seq IN (SELECT seq FROM {column.name} WHERE {test.replace('{}', 'value')})", arguments)  # noqa: S608
    return Condition(f"({test.replace('{}', column.name)})", arguments)


class DataFileError(Exception):
    """The file for the items cannot be used."""


class Store:
    """The items of one list operation, in insertion order.

    Thread-safe: the next request sees a change.

    Args:
        listing: The list operation; an attribute as well.
        items: Returns the first items. Not called if the file already has items of this list.
        file: SQLite file that keeps the items; None keeps them in memory.

    Raises:
        DataFileError: The file cannot be used.
    """

    def __init__(self, listing: Listing, items: Callable[[], Iterable[Item]], file: Path | str | None = None) -> None:
        self.listing = listing
        self._table, self._columns = listing.table, listing.columns.values()
        values = [f"json_extract(given, '$[{number}]')" for number in range(len(self._columns))]
        rows = f"SELECT {', '.join(['?1', '?2', *values])} FROM (SELECT ?3 AS given)"  # noqa: S608
        self._write = f"REPLACE INTO {self._table} {rows}"
        self._lock = threading.RLock()
        try:
            self._database = sqlite3.connect(file or ":memory:", check_same_thread=False)
            # Without this, Python warns about the open connection of a store that was not closed.
            weakref.finalize(self, self._database.close)
            self._create(items)
        except sqlite3.Error as error:
            raise DataFileError(f"cannot keep the items in {file}: {error}; name another file") from None

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def add(self, *items: Item) -> None:
        """Append items."""
        with self._lock, self._database as database:
            database.executemany(self._write, (self._row(each) for each in items))

    def replace(self, identity: Any, item: Item) -> None:
        """Replace the item with this identity, at its position. Raises KeyError if there is none."""
        self.put(self.find(identity)[0], item)

    def remove(self, identity: Any) -> None:
        """Remove the item with this identity. Raises KeyError if there is none."""
        self.put(self.find(identity)[0], None)

    def put(self, position: int, item: Item | None) -> None:
        """Replace the item at a position, or remove it if None."""
        with self._lock, self._database as database:
            if item is None:
                database.execute(f"DELETE FROM {self._table} WHERE seq = ?", [position])  # noqa: S608
            else:
                database.execute(self._write, self._row(item, position))

    def items(self) -> list[dict[str, Any]]:
        """Return all items of all projects, in insertion order."""
        return [item for _, item in self.positions()]

    def positions(self, *conditions: Condition) -> list[tuple[int, dict[str, Any]]]:
        """Return the items that match all conditions with their positions, in insertion order."""
        return [(row[0], json.loads(row[1])) for row in self._rows("seq, body", conditions, "ORDER BY seq")]

    def find(self, identity: Any, *conditions: Condition) -> tuple[int, dict[str, Any]]:
        """Return the item with an identity that matches all conditions, and its position. Raises KeyError."""
        column = self.listing.columns[self.listing.rules.identity or ""]
        for found in self.positions(equal(column, identity), *conditions):
            return found
        raise KeyError(identity)

    def select(
        self, conditions: Sequence[Condition], order: str, window: PageWindow
    ) -> tuple[list[dict[str, Any]], int]:
        """Return the items of a page and the number of matching items on all pages."""
        with self._lock:
            page = self._rows("body", conditions, f"ORDER BY {order} LIMIT ? OFFSET ?", window.take, window.skip)
            return [json.loads(body) for (body,) in page], self._rows("count(*)", conditions)[0][0]

    def _rows(self, what: str, conditions: Sequence[Condition], rest: str = "", *arguments: Any) -> list[Any]:
        where = " AND ".join(f"({each.sql})" for each in conditions) or "1"
        values = [value for each in conditions for value in each.arguments]
        with self._lock:
            sql = f"SELECT {what} FROM {self._table} WHERE {where} {rest}"  # noqa: S608
            return self._database.execute(sql, [*values, *arguments]).fetchall()

    def _row(self, item: Item, position: int | None = None) -> tuple[int | None, str, str]:
        """Return the arguments that write an item: the columns are one argument, so that SQLite converts all alike."""
        columns: list[Any] = []
        for column in self._columns:
            values = compared(column, (each for each in values_at(item, column.pointer) if each is not None))
            columns.append(values if column.many else next(iter(values), None))
        return position, JSON(item), JSON(columns)

    def _create(self, items: Callable[[], Iterable[Item]]) -> None:
        """Create the table. The columns follow the contract, so that of an existing file is made again."""
        known = self._database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [self._table]).fetchall()
        kept = self.items() if known else items()
        columns, rules, table = self.listing.columns, self.listing.rules, self._table
        first = [columns[each].name for each in rules.scope.values()]
        last = [columns[rules.identity].name] if rules.identity else []
        keys = rules.order.keys.values() if rules.order else ()
        with self._database as database:
            database.execute("BEGIN")
            database.execute(f"DROP TABLE IF EXISTS {table}")
            names = ", ".join(each.name for each in self._columns)
            database.execute(f"CREATE TABLE {table} (seq INTEGER PRIMARY KEY, body TEXT{names and ', '}{names})")
            for pointer, column in columns.items():
                if column.many:
                    rows = f"SELECT seq, value FROM {table}, json_each({table}.{column.name})"  # noqa: S608
                    database.execute(f"CREATE TEMP VIEW {column.name} AS {rows}")
                else:  # after an index with the scope before and the identity after it, SQLite need not sort a page
                    indexed = [*first, column.name, *last] if pointer in keys else [*first, column.name]
                    names = ", ".join(dict.fromkeys(indexed))
                    database.execute(f"CREATE INDEX {column.name}_order ON {table} ({names})")
            database.executemany(self._write, map(self._row, kept))
            database.execute("ANALYZE")
