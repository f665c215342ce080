"""What a source of images gives, whatever its kind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from lookalike.errors import InvalidInput
from lookalike.results import FieldType
from lookalike_indexer.report import FileFailure

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
FOLDER_FIELDS: Mapping[str, FieldType] = {"metadata.folder": "keyword", "metadata.label": "keyword"}
"""Metadata that the place of a file gives, as fields to filter by."""

LONGEST_ID = 512  # the service's limit
MAX_FILE_BYTES = 256 * 2**20
"""The service's default limit on a whole request. A larger file is not even read."""


class Unreadable(Exception):
    """The bytes of an item cannot be had; says why."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image that is not read yet.

    `id`: under which it is stored, the same in every run. `source`: where it lies, as text. `read` gives its
    bytes, from any thread; it raises OSError or Unreadable. It can be pickled, to be read by a process that
    sees the same files. `stamp`: changes when the bytes do, such as size and time of change; "" where nothing
    but the bytes tells. `size` in bytes, where it is known.
    """

    id: str
    source: str
    read: Callable[[], bytes]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stamp: str = ""
    size: int | None = None


class Source(Protocol):
    """Images in an order that is the same in every run, as long as they are the same."""

    key: str
    """Names this source from run to run: what it gave once and gives no more is gone."""
    fields: Mapping[str, FieldType]
    """Fields of its metadata to declare in a new collection."""

    def count(self) -> int | None:
        """How many items there will be, failures included; None where only reading them all tells."""

    def items(self) -> Iterator[Item | FileFailure]:
        """Every image, or why one cannot be had; may be called again.

        A failure with code `unreadable_source` says that there may be more that could not be listed.
        Raises InvalidInput for a source that cannot be read at all.
        """

    def close(self) -> None:
        """Let go of what `items` opened; no item is read afterwards."""


def is_image(name: str) -> bool:
    """Whether a name is that of an image that is not hidden."""
    path = PurePosixPath(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def folder_metadata(path: PurePosixPath) -> dict[str, str]:
    """`folder`, where the file is below its root, and `label`, that folder's own name; else nothing."""
    parent = path.parent
    inside = parent != PurePosixPath()
    return {"folder": parent.as_posix(), "label": parent.name} if inside else {}


def checked_id(id: str) -> str:
    """The id. Raises ValueError if it cannot be one."""
    try:
        id.encode()
    except UnicodeEncodeError as error:
        raise ValueError("The file's name is not valid UTF-8.") from error
    if not id:
        raise ValueError("An empty id names nothing.")
    if len(id) > LONGEST_ID:
        raise ValueError(f"The path is {len(id)} characters long; ids have at most {LONGEST_ID}.")
    return id


def failure(source: str | Path, error: Exception, code: str = "unreadable_file") -> FileFailure:
    """A failure that says what the error says."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, FileNotFoundError):  # fsspec's drivers say the path alone
        reason = os.strerror(errno.ENOENT)
    if isinstance(error, InvalidInput):
        reason = error.detail
    return FileFailure(printable(source), code, reason or type(error).__name__)


def printable(path: str | Path) -> str:
    """The path with what is not UTF-8 in it written as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
