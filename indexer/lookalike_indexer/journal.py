"""What was acknowledged, so that a run goes on where the last one was stopped.

An SQLite file in the user's state folder for each service or store, collection and creation of it: a
collection that was dropped and made again starts anew. A row is written after the target has acknowledged
the image, so that killing a run loses at most work, never truth. Deleting the file costs time, as the target
knows unchanged images by their hash; what is gone from a source meanwhile is then no longer known to be.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import InvalidInput
from lookalike_indexer.sources.item import Item
from lookalike_indexer.targets import Described

_TABLES = """
CREATE TABLE IF NOT EXISTS image (
    id TEXT PRIMARY KEY, source_key TEXT, source TEXT, stamp TEXT, sha256 TEXT, details TEXT,
    stored_as TEXT NOT NULL, sources_due INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_hash ON image (sha256) WHERE stored_as = id;
CREATE INDEX IF NOT EXISTS by_stored ON image (stored_as) WHERE stored_as <> id;
CREATE INDEX IF NOT EXISTS by_source ON image (source);
CREATE INDEX IF NOT EXISTS due ON image (sources_due) WHERE sources_due;
CREATE TEMP TABLE seen (id TEXT PRIMARY KEY, source TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Known:
    """An image as it was when it was acknowledged.

    `details`: a hash of metadata and source. `stored_as`: its own id, or that of the image it is a copy of.
    """

    source_key: str
    stamp: str
    sha256: str
    details: str
    stored_as: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An image to note as acknowledged; the fields are those of `Known`."""

    item: Item
    source_key: str
    sha256: str
    stored_as: str


def journal_path(place: str, collection: Described) -> Path:
    """Where the journal of a collection lies: below XDG_STATE_HOME, else ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    identity = [place, collection.name, collection.created_at]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return Path(state, "lookalike", f"{collection.name}-{digest[:16]}.sqlite")


def details(item: Item) -> str:
    """A hash of what is stored of an item besides its bytes."""
    said = json.dumps([item.metadata, item.source], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


class Journal:
    """The journal file; use it in `with`, from one thread. Raises InvalidInput if it is unusable."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        self.path = path
        try:
            # Written ahead, a commit survives the process's death without a sync for each batch.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            self._db.close()
            raise _unusable(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def known(self, id: str) -> Known | None:
        """The image as it was acknowledged under this id, if it was."""
        row = self._db.execute(
            "SELECT source_key, stamp, sha256, details, stored_as FROM image WHERE id = ?", (id,)
        ).fetchone()
        return Known(*row) if row else None

    def stored(self, sha256: str, *, preferred: str) -> str | None:
        """The id under which an image of this hash is stored: the preferred one, else the first."""
        row = self._db.execute(
            "SELECT id FROM image WHERE sha256 = ? AND stored_as = id ORDER BY id <> ?, id LIMIT 1",
            (sha256, preferred),
        ).fetchone()
        return None if row is None else str(row[0])

    def record(self, entries: Iterable[Entry]) -> None:
        """Note images that the target acknowledged, or that are copies of such."""
        with self._transaction():
            for entry in entries:
                self._mark_due(entry.item.id)
                self._db.execute(
                    """INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, 0)
                       ON CONFLICT (id) DO UPDATE SET source_key = excluded.source_key,
                       source = excluded.source, stamp = excluded.stamp, sha256 = excluded.sha256,
                       details = excluded.details, stored_as = excluded.stored_as""",
                    (
                        entry.item.id,
                        entry.source_key,
                        entry.item.source,
                        entry.item.stamp,
                        entry.sha256,
                        details(entry.item),
                        entry.stored_as,
                    ),
                )
                self._mark_due(entry.item.id)

    def _mark_due(self, id: str) -> None:
        """Have `metadata.sources` written anew of what the image is, or was, stored as, if it has copies."""
        self._db.execute(
            """UPDATE image SET sources_due = 1
               WHERE id = (SELECT stored_as FROM image WHERE id = ?)
               AND EXISTS (SELECT 1 FROM image AS copy
                           WHERE copy.stored_as = image.id AND copy.id <> image.id)""",
            (id,),
        )

    # -- of this run

    def first_seen(self, item: Item) -> str | None:
        """Note that the run came by an item; the source of an earlier one of the same id, if there was."""
        added = self._db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)", (item.id, item.source)
        ).rowcount
        if added:
            return None
        row = self._db.execute("SELECT source FROM seen WHERE id = ?", (item.id,)).fetchone()
        return str(row[0])

    def keep(self, source: str) -> None:
        """Note that what was once indexed from here is not gone, though it cannot be had now."""
        self._db.execute(
            "INSERT OR IGNORE INTO seen SELECT id, source FROM image WHERE source = ?", (source,)
        )

    def forget_seen(self) -> None:
        """Begin another pass over the sources."""
        self._db.execute("DELETE FROM seen")

    def gone(self, source_keys: Sequence[str]) -> tuple[list[str], int]:
        """Ids that these sources gave once and the run did not come by; and how many they gave in all."""
        marks = ", ".join("?" * len(source_keys))
        rows = self._db.execute(
            f"SELECT id, id IN (SELECT id FROM seen) FROM image WHERE source_key IN ({marks})",  # noqa: S608 - question marks
            list(source_keys),
        ).fetchall()
        return [id for id, is_seen in rows if not is_seen], len(rows)

    def forget(self, ids: Iterable[str]) -> None:
        """Take images out that were deleted."""
        with self._transaction():
            for id in ids:
                self._mark_due(id)
                self._db.execute("DELETE FROM image WHERE id = ?", (id,))

    def orphans(self) -> set[str]:
        """Copies whose image is stored no more, or is another by now."""
        rows = self._db.execute(
            """SELECT copy.id FROM image AS copy LEFT JOIN image AS kept
               ON kept.id = copy.stored_as AND kept.stored_as = kept.id AND kept.sha256 = copy.sha256
               WHERE copy.stored_as <> copy.id AND kept.id IS NULL"""
        )
        return {id for (id,) in rows}

    def sources_due(self) -> Iterator[tuple[str, list[str]]]:
        """Stored images whose copies changed, each with all its sources; [] where it has no copies now."""
        due = self._db.execute("SELECT id FROM image WHERE sources_due").fetchall()
        for (id,) in due:
            rows = self._db.execute(
                "SELECT source FROM image WHERE stored_as = ? ORDER BY id <> stored_as, id", (id,)
            ).fetchall()
            sources = list(dict.fromkeys(source for (source,) in rows))
            yield id, sources if len(sources) > 1 else []

    def sources_written(self, id: str) -> None:
        """Note that the sources of an image are stored."""
        self._db.execute("UPDATE image SET sources_due = 0 WHERE id = ?", (id,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # Immediate: one that begins by reading may find that another run has written when it comes to write.
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error


def _unusable(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"The journal {path} cannot be used ({error}). Delete the file, which costs only time, "
        "or set XDG_STATE_HOME to a folder that can be written."
    )
