"""The items of one list operation, in a SQLite database of its own in memory."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from metastudio.sandbox.listing import Column, Listing, values_at
from metastudio.sandbox.query import Selection, stored

_COUNTS, _NOTHING = 256, (None,)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Store:
    """The items of one list operation: a table `items` with a column for each property that the list is asked by.

    Items keep the order in which they came. Safe to use from several threads: a change is seen by the next request.
    """

    def __init__(self, listing: Listing, items: Iterable[Mapping[str, Any]] = ()) -> None:
        self._listing = listing
        self._lock = threading.RLock()
        self._counts: dict[tuple[Any, ...], int] = {}
        self._next = 1
        self._single = [each for each in listing.columns.values() if not each.many]
        self._many = [each for each in listing.columns.values() if each.many]
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # Whoever forgets a store has closed it: Python warns of a connection that is forgotten open.
        weakref.finalize(self, self._database.close)
        names = [each.name for each in self._single]
        self._database.execute(f"CREATE TABLE items (seq INTEGER PRIMARY KEY, {', '.join(names)}, body TEXT NOT NULL)")
        for column in self._many:
            self._database.execute(f"CREATE TABLE {column.name} (seq INTEGER NOT NULL, value)")
        self.add(*items)
        self._index()

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def add(self, *items: Mapping[str, Any]) -> None:
        """Append items."""
        with self._change():
            self._put(zip(range(self._next, self._next + len(items)), items, strict=True))
            self._next += len(items)

    def replace(self, identity: Any, item: Mapping[str, Any]) -> None:
        """Put another item into the place of the one with this identity. Raises KeyError."""
        with self._change():
            self._put([(self._delete(identity), item)])

    def remove(self, identity: Any) -> None:
        """Take an item out. Raises KeyError."""
        with self._change():
            self._delete(identity)

    def items(self) -> list[dict[str, Any]]:
        """Return all items of all projects, in the order in which they came."""
        with self._lock:
            return [json.loads(body) for (body,) in self._database.execute("SELECT body FROM items ORDER BY seq")]

    def select(self, selection: Selection) -> tuple[list[dict[str, Any]], int]:
        """Return the items of a page, and how many there are on all pages together."""
        where = " AND ".join(f"({each.sql})" for each in selection.conditions) or "1"
        arguments = [value for each in selection.conditions for value in each.arguments]
        page = f"SELECT body FROM items WHERE {where} ORDER BY {selection.order} LIMIT ? OFFSET ?"  # noqa: S608
        with self._lock:
            rows = self._database.execute(page, [*arguments, selection.window.take, selection.window.skip])
            return [json.loads(body) for (body,) in rows], self._count(where, arguments)

    def _count(self, where: str, arguments: list[Any]) -> int:
        key = (where, *arguments)
        if key not in self._counts:
            if len(self._counts) >= _COUNTS:
                self._counts.clear()
            rows = self._database.execute(f"SELECT count(*) FROM items WHERE {where}", arguments)  # noqa: S608
            self._counts[key] = rows.fetchone()[0]
        return self._counts[key]

    @contextmanager
    def _change(self) -> Generator[None]:
        """Lock the items, and keep all of a change or nothing."""
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

    def _stored(self, column: Column, item: Mapping[str, Any]) -> list[Any]:
        return [stored(column, value) for value in values_at(item, column.pointer)]

    def _delete(self, identity: Any) -> int:
        column = self._listing.columns[self._listing.rules.identity]
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
            # The identity behind a sort key spares the sorting of a page.
            parts = [*scope, column.name] + ([names[rules.identity]] if column.pointer in keys else [])
            columns = ", ".join(dict.fromkeys(parts))
            self._database.execute(f"CREATE INDEX items_{column.name} ON items ({columns})")
        for column in self._many:
            self._database.execute(f"CREATE INDEX {column.name}_value ON {column.name} (value, seq)")
        self._database.execute("ANALYZE")
