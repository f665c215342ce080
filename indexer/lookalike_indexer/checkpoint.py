"""What was indexed already, so that a run goes on where the last one was stopped.

An SQLite file in the user's cache folder for each service, collection and creation of it: a
collection that was dropped and made again starts anew. A row is written after the service has
acknowledged the file, so that killing a run loses at most work, never truth; deleting the file only
costs time, as the service knows unchanged images by their hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import InvalidInput
from lookalike.results import CollectionInfo
from lookalike_indexer.sources import SourceFile

_TABLE = """
CREATE TABLE IF NOT EXISTS indexed (
    path TEXT, id TEXT, size INTEGER, mtime_ns INTEGER, sha256 TEXT, PRIMARY KEY (path, id)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was when it was indexed."""

    size: int
    mtime_ns: int
    sha256: str

    def is_still(self, file: SourceFile) -> bool:
        """Whether size and time of change are the same."""
        return (self.size, self.mtime_ns) == (file.size, file.mtime_ns)


def checkpoint_path(url: str, collection: CollectionInfo) -> Path:
    """Where the checkpoint of a collection lies: below XDG_CACHE_HOME, else ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    identity = [url.rstrip("/"), collection.name, collection.space, collection.created_at]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return Path(cache, "lookalike", f"{collection.name}-{digest[:16]}.sqlite")


class Checkpoint:
    """The checkpoint file; use it in `with`, from one thread. Raises InvalidInput if it is unusable."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            # Written ahead, a commit survives the process's death without a sync for each batch.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(_TABLE)
        except sqlite3.Error as error:
            self._db.close()
            raise _unusable(path, error) from error

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def known(self, file: SourceFile) -> Known | None:
        """The file as it was indexed under its id, if it was."""
        row = self._db.execute(
            "SELECT size, mtime_ns, sha256 FROM indexed WHERE path = ? AND id = ?",
            (_absolute(file), file.id),
        ).fetchone()
        return Known(*row) if row else None

    def record(self, indexed: Iterable[tuple[SourceFile, str]]) -> None:
        """Note files that the service acknowledged, each with its SHA-256."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO indexed VALUES (?, ?, ?, ?, ?)",
                [(_absolute(f), f.id, f.size, f.mtime_ns, sha256) for f, sha256 in indexed],
            )


def _unusable(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"The checkpoint {path} cannot be used ({error}). Delete the file, which costs only time, "
        "or set XDG_CACHE_HOME to a folder that can be written."
    )


def _absolute(file: SourceFile) -> str:
    return str(file.path.absolute())
