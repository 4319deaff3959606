"""The items of one list operation, in a SQLite table."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metastudio.sandbox.listing import Listing, StoreColumn, table_name, values_at
from metastudio.sandbox.query import Condition, StoreQuery, stored

_MAX_CACHED_COUNTS, _NOTHING = 256, (None,)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class DataFileError(Exception):
    """The file for the items cannot be used."""


class Store:
    """The items of one list operation, in insertion order.

    The table has a column for each property that the list is filtered or sorted by. Thread-safe: the next request
    sees a change.

    Args:
        listing: The list operation.
        items: Returns the first items. Not called if the file already has items of this list.
        file: SQLite file that keeps the items; None keeps them in memory.

    Raises:
        DataFileError: The file cannot be used.
    """

    def __init__(
        self,
        listing: Listing,
        items: Callable[[], Iterable[Mapping[str, Any]]] = tuple,
        file: Path | str | None = None,
    ) -> None:
        self._listing = listing
        self._lock = threading.RLock()
        self._counts: dict[tuple[Any, ...], int] = {}
        self._next = 1
        self._single = [each for each in listing.columns.values() if not each.many]
        self._many = [each for each in listing.columns.values() if each.many]
        self._table = table_name(listing.operation.id)
        try:
            self._database = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
            # Without this, Python warns about the open connection of a store that was not closed.
            weakref.finalize(self, self._database.close)
            self._create(items)
        except sqlite3.Error as error:
            raise DataFileError(f"cannot keep the items in {file}: {error}; name another file") from None

    def _create(self, items: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Create the tables. The columns follow the contract, so those of an existing file are made again."""
        tables = self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        kept = self.items() if (self._table,) in tables else items()
        with self._database:
            self._database.execute("BEGIN")
            for (name,) in tables:
                if name == self._table or name.startswith(f"{self._table}_c"):
                    self._database.execute(f"DROP TABLE {name}")
            names = [each.name for each in self._single]
            columns = ", ".join(["seq INTEGER PRIMARY KEY", *names, "body TEXT NOT NULL"])
            self._database.execute(f"CREATE TABLE {self._table} ({columns})")
            for column in self._many:
                self._database.execute(f"CREATE TABLE {column.name} (seq INTEGER NOT NULL, value)")
            self._append(kept)
            self._index()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def add(self, *items: Mapping[str, Any]) -> None:
        """Append items."""
        with self._change():
            self._append(items)

    def replace(self, identity: Any, item: Mapping[str, Any]) -> None:
        """Replace the item with this identity, at its position. Raises KeyError if there is none."""
        self.replace_at(self._position(identity), item)

    def remove(self, identity: Any) -> None:
        """Remove the item with this identity. Raises KeyError if there is none."""
        self.remove_at(self._position(identity))

    def find(self, conditions: Sequence[Condition]) -> tuple[int, dict[str, Any]] | None:
        """Return the position of the first matching item and the item, or None."""
        where, arguments = _where(conditions)
        with self._lock:
            found = f"SELECT seq, body FROM {self._table} WHERE {where} LIMIT 1"  # noqa: S608
            row = self._database.execute(found, arguments).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def replace_at(self, position: int, item: Mapping[str, Any]) -> None:
        """Replace the item at a position."""
        with self._change():
            self._delete(position)
            self._put([(position, item)])

    def remove_at(self, position: int) -> None:
        """Remove the item at a position."""
        with self._change():
            self._delete(position)

    def identity_is(self, identity: Any) -> Condition:
        """Return the condition that selects the item with an identity."""
        column = self._listing.columns[self._listing.rules.identity or ""]
        return Condition(f"{column.name} = ?", (stored(column, identity),))

    def items(self) -> list[dict[str, Any]]:
        """Return all items of all projects, in insertion order."""
        return [item for _, item in self.positions()]

    def positions(self) -> list[tuple[int, dict[str, Any]]]:
        """Return all items with their positions, in insertion order."""
        with self._lock:
            rows = self._database.execute(f"SELECT seq, body FROM {self._table} ORDER BY seq")  # noqa: S608
            return [(position, json.loads(body)) for position, body in rows]

    def select(self, query: StoreQuery) -> tuple[list[dict[str, Any]], int]:
        """Return the items of a page and the number of matching items on all pages."""
        where, arguments = _where(query.conditions)
        page = f"SELECT body FROM {self._table} WHERE {where} ORDER BY {query.order} LIMIT ? OFFSET ?"  # noqa: S608
        with self._lock:
            rows = self._database.execute(page, [*arguments, query.window.take, query.window.skip])
            return [json.loads(body) for (body,) in rows], self._count(where, arguments)

    def _count(self, where: str, arguments: list[Any]) -> int:
        key = (where, *arguments)
        if key not in self._counts:
            if len(self._counts) >= _MAX_CACHED_COUNTS:
                self._counts.clear()
            rows = self._database.execute(f"SELECT count(*) FROM {self._table} WHERE {where}", arguments)  # noqa: S608
            self._counts[key] = rows.fetchone()[0]
        return self._counts[key]

    @contextmanager
    def _change(self) -> Generator[None]:
        """Lock the items and run the change as one transaction."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            yield
            self._counts.clear()

    def _append(self, items: Iterable[Mapping[str, Any]]) -> None:
        added = list(items)
        self._put(zip(range(self._next, self._next + len(added)), added, strict=True))
        self._next += len(added)

    def _put(self, numbered: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        elements: dict[str, list[tuple[int, Any]]] = {column.name: [] for column in self._many}

        def row(seq: int, item: Mapping[str, Any]) -> list[Any]:
            for column in self._many:
                elements[column.name] += [(seq, value) for value in self._stored(column, item) if value is not None]
            return [seq, *((self._stored(column, item) or _NOTHING)[0] for column in self._single), _JSON.encode(item)]

        marks = ", ".join("?" * (len(self._single) + 2))
        rows = (row(seq, item) for seq, item in numbered)
        self._database.executemany(f"INSERT INTO {self._table} VALUES ({marks})", rows)  # noqa: S608
        for name, each in elements.items():
            self._database.executemany(f"INSERT INTO {name} VALUES (?, ?)", each)  # noqa: S608

    def _stored(self, column: StoreColumn, item: Mapping[str, Any]) -> list[Any]:
        return [stored(column, value) for value in values_at(item, column.pointer)]

    def _position(self, identity: Any) -> int:
        found = self.find([self.identity_is(identity)])
        if found is None:
            raise KeyError(identity)
        return found[0]

    def _delete(self, position: int) -> None:
        for table in (self._table, *(each.name for each in self._many)):
            self._database.execute(f"DELETE FROM {table} WHERE seq = ?", (position,))  # noqa: S608

    def _index(self) -> None:
        rules = self._listing.rules
        names = {pointer: each.name for pointer, each in self._listing.columns.items()}
        scope = [names[pointer] for pointer in rules.scope.values()]
        keys = set(rules.order.keys.values()) if rules.order else set[str]()
        for column in self._single:
            # With the identity after the sort key, SQLite need not sort a page.
            last = [names[rules.identity]] if rules.identity and column.pointer in keys else []
            columns = ", ".join(dict.fromkeys([*scope, column.name, *last]))
            self._database.execute(f"CREATE INDEX {column.name}_order ON {self._table} ({columns})")
        for column in self._many:
            self._database.execute(f"CREATE INDEX {column.name}_value ON {column.name} (value, seq)")
        self._database.execute("ANALYZE")


def _where(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    sql = " AND ".join(f"({each.sql})" for each in conditions) or "1"
    return sql, [value for each in conditions for value in each.arguments]
