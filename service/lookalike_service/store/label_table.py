"""Labels of the embedded store: one SQLite table, `labels.db` in the data folder.

Not a shard of the engine: the binding answers one call at a time, so searches would wait for every
batch of labels. SQLite's write-ahead log lets all processes read the old labels while new ones
are written, and a transaction makes them the current ones at once.
"""

# ruff: noqa: S608 - values are always bound; what is put into a text is fixed or question marks
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from lookalike_service.errors import StoreUnavailable
from lookalike_service.store.filters import (
    FieldCondition,
    IsEmpty,
    IsNull,
    Match,
    MatchAny,
    MatchExcept,
    Range,
    Where,
    concerns_labels,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS clustering (
    key INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, UNIQUE (collection, name));
CREATE TABLE IF NOT EXISTS label (
    clustering INTEGER NOT NULL, id TEXT NOT NULL, label INTEGER NOT NULL,
    PRIMARY KEY (clustering, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS label_of ON label (clustering, label);
"""
_MOST_VARIABLES = 10_000
_ROWS_AT_ONCE = 5_000
_WAIT_SECONDS = 60.0

Versions = dict[str, tuple[int, int]]


class LabelTable:
    """Implements `Labels` on a database file; several processes may have it open."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._lock = threading.Lock()
        self._writes = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[tuple[int, int] | None, dict[int, int]]] = {}
        self._reader, self._writer = _connection(path), _connection(path)
        # NORMAL survives kill -9; FULL, a sync per transaction, survives power loss too.
        self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._writer.executescript(_SCHEMA)

    def close(self) -> None:
        """See `Labels`."""
        with self._writes, self._lock:
            self._reader.close()
            self._writer.close()

    # -- reading

    def view(self, name: str) -> TableView:
        """See `Labels`."""
        return TableView(self, name)

    def versions(self, name: str) -> Versions:
        """{clustering: what changes with every write}."""
        with self._reading() as reader:
            return _versions(reader, name)

    def of(self, name: str, ids: Sequence[str]) -> tuple[dict[str, dict[str, int]], Versions]:
        """{id: {clustering: label}}, and the versions they are of."""
        found: dict[str, dict[str, int]] = {}
        with self._reading() as reader:
            versions = _versions(reader, name)
            if not versions:
                return {}, {}
            for at in range(0, len(ids), _MOST_VARIABLES):
                some = ids[at : at + _MOST_VARIABLES]
                rows = reader.execute(
                    "SELECT id, name, label FROM label JOIN clustering ON key = clustering "
                    f"WHERE collection = ? AND id IN ({_marks(some)})",
                    (name, *some),
                )
                for id, clustering, label in rows:
                    found.setdefault(id, {})[clustering] = label
        return found, versions

    def counts(self, name: str, clustering: str) -> tuple[dict[int, int], Versions]:
        """How many points hold each label, and the versions they are of. Kept until they change."""
        with self._reading() as reader:
            versions = _versions(reader, name)
            version = versions.get(clustering)
            known, counts = self._counts.get((name, clustering), (None, {}))
            if version is None or version != known:
                rows = reader.execute(
                    "SELECT label, count(*) FROM label JOIN clustering ON key = clustering "
                    "WHERE collection = ? AND name = ? GROUP BY label",
                    (name, clustering),
                )
                counts = dict(rows)
                self._counts[name, clustering] = version, counts
            return counts, versions

    def matching(self, name: str, clustering: str, condition: FieldCondition) -> set[str]:
        """The ids whose label meets the condition; of IsEmpty, those that have a label at all."""
        test, values = _test(condition)
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT id FROM label JOIN clustering ON key = clustering "
                f"WHERE collection = ? AND name = ? AND ({test})",
                (name, clustering, *values),
            )
            return {id for (id,) in rows}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the database throughout."""
        with self._lock:
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    # -- writing

    def write(
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        """See `Labels`. In the order of ids, which is several times as fast for the tree.

        Sorted by numpy and handed over as JSON, a statement for thousands of rows: both let other threads
        run meanwhile, where a statement for each row would wrestle with them for the interpreter.
        """
        order = np.argsort(np.asarray(ids), kind="stable").tolist()
        values = labels.tolist()
        with self._writing() as writer:
            ((key,),) = writer.execute(
                "INSERT INTO clustering (collection, name, version) VALUES (?, ?, 1) ON CONFLICT "
                "(collection, name) DO UPDATE SET version = version + 1 RETURNING key",
                (name, clustering),
            )
            if replace:
                writer.execute(
                    "DELETE FROM label WHERE clustering = ? AND id NOT IN "
                    "(SELECT value FROM json_each(?))",
                    (key, orjson.dumps(list(ids)).decode()),
                )
            for at in range(0, len(order), _ROWS_AT_ONCE):
                rows = {ids[i]: values[i] for i in order[at : at + _ROWS_AT_ONCE]}
                writer.execute(
                    "INSERT INTO label SELECT ?, key, value FROM json_each(?) WHERE true "
                    "ON CONFLICT DO UPDATE SET label = excluded.label WHERE label != excluded.label",
                    (key, orjson.dumps(rows).decode()),
                )

    def drop(self, name: str, clustering: str) -> None:
        """See `Labels`."""
        self._drop("collection = ? AND name = ?", (name, clustering))

    def drop_collection(self, name: str) -> None:
        """See `Labels`."""
        self._drop("collection = ?", (name,))

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """See `Labels`."""
        if not self.of(name, ids)[0]:
            return
        with self._writing() as writer:
            gone = writer.executemany(
                "DELETE FROM label WHERE id = ? AND clustering IN "
                "(SELECT key FROM clustering WHERE collection = ?)",
                [(id, name) for id in ids],
            )
            if gone.rowcount:
                writer.execute(
                    "UPDATE clustering SET version = version + 1 WHERE collection = ?", (name,)
                )

    def _drop(self, which: str, values: tuple[str, ...]) -> None:
        with self._writing() as writer:
            some = f"(SELECT key FROM clustering WHERE {which})"
            writer.execute(f"DELETE FROM label WHERE clustering IN {some}", values)
            writer.execute(f"DELETE FROM clustering WHERE {which}", values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._writes:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise StoreUnavailable(f"labels cannot be written: {error}") from error
                raise


class TableView:
    """Implements `LabelView`: the engine, which has the table open too, applies the filter."""

    def __init__(self, table: LabelTable, name: str) -> None:
        self._table = table
        self._name = name
        self._seen: Versions | None = None

    def where(self, where: Where) -> Where:
        """See `LabelView`."""
        if self._seen is None and concerns_labels(where):
            self._seen = self._table.versions(self._name)
        return where

    def of(self, ids: Sequence[str]) -> dict[str, dict[str, int]] | None:
        """See `LabelView`."""
        found, versions = self._table.of(self._name, ids)
        return None if self._seen not in (None, versions) else found

    def counts(self, clustering: str) -> dict[int, int]:
        """See `LabelView`."""
        counts, versions = self._table.counts(self._name, clustering)
        if self._seen is None:
            self._seen = versions
        return counts


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _versions(reader: sqlite3.Connection, name: str) -> Versions:
    rows = reader.execute("SELECT name, key, version FROM clustering WHERE collection = ?", (name,))
    return {clustering: (key, version) for clustering, key, version in rows}


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _integers(values: Sequence[object]) -> list[float]:
    return [value for value in values if isinstance(value, int)]


def _test(condition: FieldCondition) -> tuple[str, list[float]]:
    """SQL for a label that is there; labels are integers, so text and booleans equal none."""
    match condition:
        case IsEmpty():
            return "TRUE", []
        case Match(value=int(value)) if not isinstance(value, bool):
            return "label = ?", [value]
        case MatchAny(values=values):
            integers = _integers(values)
            return f"label IN ({_marks(integers)})", integers
        case MatchExcept(values=values):
            integers = _integers(values)
            return f"label NOT IN ({_marks(integers)})", integers
        case Range(_, gt, gte, lt, lte):
            bounds = {"label > ?": gt, "label >= ?": gte, "label < ?": lt, "label <= ?": lte}
            given = {test: value for test, value in bounds.items() if value is not None}
            return " AND ".join(given), list(given.values())
        case Match() | IsNull():
            return "FALSE", []
