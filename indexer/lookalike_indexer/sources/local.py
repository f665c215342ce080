"""Folders, globs and single files of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lookalike.results import FieldType
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import (
    FOLDER_FIELDS,
    Item,
    checked_id,
    failure,
    folder_metadata,
    is_image,
    printable,
)


class Folder:
    """Image files of a folder and its sub-folders; hidden ones are left alone.

    An id is the path within the folder; for a/b/x.jpg, metadata `folder` is "a/b" and `label` is "b".
    """

    fields: Mapping[str, FieldType] = FOLDER_FIELDS

    def __init__(self, root: Path) -> None:
        self._root = root
        self.key = printable(root.absolute())

    def count(self) -> int | None:
        """See `Source`."""
        return sum(1 for _ in self._walk())

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`."""
        for path in self._walk():
            yield path if isinstance(path, FileFailure) else described(self._root, path)

    def close(self) -> None:
        """See `Source`."""

    def _walk(self) -> Iterator[Path | FileFailure]:
        problems: list[FileFailure] = []

        def unreadable(error: OSError) -> None:
            problems.append(failure(error.filename, error, "unreadable_source"))

        for folder, subfolders, names in os.walk(self._root, onerror=unreadable):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in sorted(names):
                if is_image(name):
                    yield Path(folder, name)
        yield from problems


class Files:
    """Files that a glob matched, or one that was named, whatever their names are.

    Ids and metadata are as in a folder, whose root is the part of the glob before its first wildcard.
    """

    fields: Mapping[str, FieldType] = FOLDER_FIELDS

    def __init__(self, key: str, root: Path, files: list[Path]) -> None:
        self.key, self._root, self._files = printable(key), root, files

    def count(self) -> int | None:
        """See `Source`."""
        return len(self._files)

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`."""
        return (described(self._root, path) for path in self._files)

    def close(self) -> None:
        """See `Source`."""


@dataclass(frozen=True, slots=True)
class LocalBytes:
    """A file as it was when it was looked at."""

    path: Path
    size: int
    stamp: str

    @classmethod
    def at(cls, path: Path) -> LocalBytes:
        """Raises OSError if there is no such file, ValueError if it is no regular one."""
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("Not a regular file.")
        return cls(path.absolute(), found.st_size, f"{found.st_size}-{found.st_mtime_ns}")

    def read(self) -> bytes:
        """Its bytes as they are now. Raises OSError."""
        return self.path.read_bytes()


def described(root: Path, path: Path) -> Item | FileFailure:
    """A file below its root as an item."""
    relative = PurePosixPath(path.relative_to(root).as_posix())
    try:
        id = checked_id(str(relative))
        found = LocalBytes.at(path)
    except (OSError, ValueError) as error:
        return failure(path, error)
    metadata = folder_metadata(relative)
    return Item(id, printable(path), found.read, metadata, found.stamp, found.size)
