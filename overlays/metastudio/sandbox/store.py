"""The items of one list operation, in a SQLite database of its own in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from metastudio.sandbox.listing import Listing, StoreColumn, values_at
from metastudio.sandbox.query import StoreQuery, stored

_MAX_CACHED_COUNTS, _NOTHING = 256, (None,)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Store:
    """The items of one list operation, in insertion order.

    The table `items` has a column for each property that the list is filtered or sorted by. Thread-safe: the next
    request sees a change.
    """

    def __init__(self, listing: Listing, items: Iterable[Mapping[str, Any]] = ()) -> None:
        self._listing = listing
        self._lock = threading.RLock()
        self._counts: dict[tuple[Any, ...], int] = {}
        self._next = 1
        self._single = [each for each in listing.columns.values() if not each.many]
        self._many = [each for each in listing.columns.values() if each.many]
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # Without this, Python warns about the open connection of a store that was not closed.
        weakref.finalize(self, self._database.close)
        names = [each.name for each in self._single]
        self._database.execute(f"CREATE TABLE items (seq INTEGER PRIMARY KEY, {', '.join(names)}, body TEXT NOT NULL)")
        for column in self._many:
            self._database.execute(f"CREATE TABLE {column.name} (seq INTEGER NOT NULL, value)")
        self.add(*items)
        self._index()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def add(self, *items: Mapping[str, Any]) -> None:
        """Append items."""
        with self._change():
            self._put(zip(range(self._next, self._next + len(items)), items, strict=True))
            self._next += len(items)

    def replace(self, identity: Any, item: Mapping[str, Any]) -> None:
        """Replace the item with this identity, at its position. Raises KeyError if there is none."""
        with self._change():
            self._put([(self._delete(identity), item)])

    def remove(self, identity: Any) -> None:
        """Remove the item with this identity. Raises KeyError if there is none."""
        with self._change():
            self._delete(identity)

    def items(self) -> list[dict[str, Any]]:
        """Return all items of all projects, in insertion order."""
        with self._lock:
            return [json.loads(body) for (body,) in self._database.execute("SELECT body FROM items ORDER BY seq")]

    def select(self, query: StoreQuery) -> tuple[list[dict[str, Any]], int]:
        """Return the items of a page and the number of matching items on all pages."""
        where = " AND ".join(f"({each.sql})" for each in query.conditions) or "1"
        arguments = [value for each in query.conditions for value in each.arguments]
        page = f"SELECT body FROM items WHERE {where} ORDER BY {query.order} LIMIT ? OFFSET ?"  # noqa: S608
        with self._lock:
            rows = self._database.execute(page, [*arguments, query.window.take, query.window.skip])
            return [json.loads(body) for (body,) in rows], self._count(where, arguments)

    def _count(self, where: str, arguments: list[Any]) -> int:
        key = (where, *arguments)
        if key not in self._counts:
            if len(self._counts) >= _MAX_CACHED_COUNTS:
                self._counts.clear()
            rows = self._database.execute(f"SELECT count(*) FROM items WHERE {where}", arguments)  # noqa: S608
            self._counts[key] = rows.fetchone()[0]
        return self._counts[key]

    @contextmanager
    def _change(self) -> Generator[None]:
        """Lock the items and run the change as one transaction."""
        with self._lock, self._database:
            self._database.execute("BEGIN")
            yield
            self._counts.clear()

    def _put(self, numbered: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        elements: dict[str, list[tuple[int, Any]]] = {column.name: [] for column in self._many}

        def row(seq: int, item: Mapping[str, Any]) -> list[Any]:
            for column in self._many:
                elements[column.name] += [(seq, value) for value in self._stored(column, item) if value is not None]
            return [seq, *((self._stored(column, item) or _NOTHING)[0] for column in self._single), _JSON.encode(item)]

        marks = ", ".join("?" * (len(self._single) + 2))
        rows = (row(seq, item) for seq, item in numbered)
        self._database.executemany(f"INSERT INTO items VALUES ({marks})", rows)  # noqa: S608
        for name, each in elements.items():
            self._database.executemany(f"INSERT INTO {name} VALUES (?, ?)", each)  # noqa: S608

    def _stored(self, column: StoreColumn, item: Mapping[str, Any]) -> list[Any]:
        return [stored(column, value) for value in values_at(item, column.pointer)]

    def _delete(self, identity: Any) -> int:
        column = self._listing.columns[self._listing.rules.identity or ""]
        found = self._database.execute(f"SELECT seq FROM items WHERE {column.name} = ?", (stored(column, identity),))  # noqa: S608
        row = found.fetchone()
        if row is None:
            raise KeyError(identity)
        for table in ("items", *(each.name for each in self._many)):
            self._database.execute(f"DELETE FROM {table} WHERE seq = ?", row)  # noqa: S608
        return int(row[0])

    def _index(self) -> None:
        rules = self._listing.rules
        names = {pointer: each.name for pointer, each in self._listing.columns.items()}
        scope = [names[pointer] for pointer in rules.scope.values()]
        keys = set(rules.order.keys.values()) if rules.order else set[str]()
        for column in self._single:
            # With the identity after the sort key, SQLite need not sort a page.
            names_in_index = [*scope, column.name] + ([names[rules.identity or ""]] if column.pointer in keys else [])
            columns = ", ".join(dict.fromkeys(names_in_index))
            self._database.execute(f"CREATE INDEX items_{column.name} ON items ({columns})")
        for column in self._many:
            self._database.execute(f"CREATE INDEX {column.name}_value ON {column.name} (value, seq)")
        self._database.execute("ANALYZE")
