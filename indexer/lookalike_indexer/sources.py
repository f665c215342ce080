"""Which files to index, under which ids and with what metadata.

A folder is searched at every depth for files with the name of an image; a glob such as
`photos/**/*.jpg` and a file are taken as they are. The id of a file is its path relative to its root:
the folder, the part of the glob before its first wildcard, or the file's own folder. So is its
metadata: for ROOT/a/b/x.jpg, `folder` is "a/b" and `label`, the name of the innermost folder, "b". A
file directly in ROOT has neither.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.errors import InvalidInput
from lookalike_indexer.report import FileFailure

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
FIELDS = ("metadata.folder", "metadata.label")
"""Metadata that indexing gives to images, as fields to filter by."""

_WILDCARD = re.compile(r"[*?\[]")
_LONGEST_ID = 512  # the service's limit


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to index, with its size in bytes and time of change when it was found."""

    path: Path
    id: str
    metadata: dict[str, str]
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Sources:
    """The files found, in order of their roots and paths, and what could not be read."""

    files: list[SourceFile] = field(default_factory=list)
    failures: list[FileFailure] = field(default_factory=list)


def find(paths: Iterable[str | Path]) -> Sources:
    """All files of these folders, globs and files.

    Raises InvalidInput for a path that does not exist, or if two files would get one id.
    """
    sources, by_id = Sources(), dict[str, Path]()
    for given in paths:
        root, found = _expand(given, sources.failures)
        for path in found:
            try:
                source = _describe(root, path)
            except (OSError, ValueError) as error:
                sources.failures.append(_failure(path, error))
                continue
            former = by_id.setdefault(source.id, path)
            if former is path:
                sources.files.append(source)
            elif not former.samefile(path):
                raise InvalidInput(
                    f"{former} and {path} would both get the id '{source.id}'; index a folder "
                    "that holds both, or index them into collections of their own."
                )
    return sources


def _expand(given: str | Path, failures: list[FileFailure]) -> tuple[Path, Iterable[Path]]:
    path = Path(given)
    if path.is_dir():
        return path, _walk(path, failures)
    if path.exists():
        return path.parent, [path]
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), None)
    if wild is None:
        raise InvalidInput(f"There is no file or folder '{path}'.")
    root = Path(*parts[:wild])
    return root, sorted(p for p in root.glob(str(Path(*parts[wild:]))) if not p.is_dir())


def _walk(root: Path, failures: list[FileFailure]) -> Iterator[Path]:
    """Image files of a folder and its sub-folders; hidden ones are left alone."""

    def unreadable(error: OSError) -> None:
        failures.append(_failure(Path(error.filename), error))

    for folder, subfolders, names in os.walk(root, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(folder, name)


def _describe(root: Path, path: Path) -> SourceFile:
    """Raises OSError if there is no such file, ValueError if its name or kind will not do."""
    relative = path.relative_to(root)
    key = relative.as_posix()
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise ValueError("The file's name is not valid UTF-8.") from error
    if len(key) > _LONGEST_ID:
        raise ValueError(f"The path is {len(key)} characters long; ids have at most {_LONGEST_ID}.")
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("Not a regular file.")
    parent = relative.parent
    inside = parent != Path()
    metadata = {"folder": parent.as_posix(), "label": parent.name} if inside else {}
    return SourceFile(path, key, metadata, found.st_size, found.st_mtime_ns)


def _failure(path: Path, error: OSError | ValueError) -> FileFailure:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FileFailure(printable(path), "unreadable_file", reason)


def printable(path: Path) -> str:
    """The path with what is not UTF-8 in it written as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
