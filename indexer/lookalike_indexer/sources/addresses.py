"""Files at fsspec addresses: s3://, gs://, az://, memory:// and whatever else has a driver."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lookalike.errors import InvalidInput
from lookalike.results import FieldType
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import (
    FOLDER_FIELDS,
    Item,
    Unreadable,
    checked_id,
    failure,
    folder_metadata,
    is_image,
)

_CHANGES = ("mtime", "LastModified", "last_modified", "updated", "ETag", "etag", "created")
"""What drivers call that which changes with a file; the first that is there is taken."""


def filesystem(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it. Raises InvalidInput."""
    try:
        fsspec: Any = importlib.import_module("fsspec")
    except ImportError as error:
        raise InvalidInput(
            f"{address} is read through fsspec: pip install 'lookalike[indexer]'."
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise InvalidInput(f"{address} cannot be read: {error}") from error
    return system, path


@dataclass(frozen=True, slots=True)
class RemoteBytes:
    """A file at an address, as it was when it was looked at."""

    system: Any
    path: str
    size: int | None
    stamp: str

    @classmethod
    def at(cls, address: str) -> RemoteBytes:
        """Raises OSError if there is none or it cannot be asked for, InvalidInput as `filesystem`."""
        system, path = filesystem(address)
        try:
            return cls.of(system, system.info(path))
        except OSError:
            raise
        except Exception as error:  # drivers raise what their libraries do
            raise OSError(f"{type(error).__name__}: {error}") from error

    @classmethod
    def of(cls, system: Any, info: Mapping[str, Any]) -> RemoteBytes:
        """As a listing describes it."""
        size = info.get("size")
        change = next((info[name] for name in _CHANGES if info.get(name) is not None), None)
        stamp = "" if change is None else f"{size}-{change}"
        return cls(system, info["name"], size, stamp)

    def read(self) -> bytes:
        """Its bytes. Raises OSError, Unreadable."""
        try:
            data: bytes = self.system.cat_file(self.path)
        except OSError:
            raise
        except Exception as error:  # drivers raise what their libraries do
            raise Unreadable(f"{type(error).__name__}: {error}") from error
        return data


class Address:
    """Image files below an address, or what a glob there matches; ids and metadata as in a folder."""

    fields: Mapping[str, FieldType] = FOLDER_FIELDS

    def __init__(self, address: str) -> None:
        self.key = address
        self._system, self._path = filesystem(address)
        self._scheme = address.partition("://")[0]

    def count(self) -> int | None:
        """See `Source`; listing a bucket twice would cost more than it tells."""
        return None

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`."""
        try:
            yield from self._found()
        except InvalidInput:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise what their libraries do
            yield failure(self.key, error, "unreadable_source")

    def close(self) -> None:
        """See `Source`."""

    def _found(self) -> Iterator[Item | FileFailure]:
        parts = PurePosixPath(self._path).parts
        wild = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), None)
        if wild is not None:
            root = PurePosixPath(*parts[:wild])
            matched = self._system.glob(self._path, detail=True)
            for name in sorted(matched):
                if matched[name]["type"] == "file":
                    yield self._item(root, matched[name])
        elif self._system.isfile(self._path):
            yield self._item(PurePosixPath(self._path).parent, self._system.info(self._path))
        elif self._system.isdir(self._path):
            yield from self._walk()
        else:
            raise InvalidInput(f"There is nothing at {self.key}.")

    def _walk(self) -> Iterator[Item | FileFailure]:
        root = PurePosixPath(self._path)
        for _, subfolders, files in self._system.walk(self._path, detail=True, on_error="raise"):
            for name in [name for name in subfolders if name.startswith(".")]:
                del subfolders[name]
            for name in sorted(files):
                if is_image(name):
                    yield self._item(root, files[name])

    def _item(self, root: PurePosixPath, info: Mapping[str, Any]) -> Item | FileFailure:
        found = RemoteBytes.of(self._system, info)
        source = f"{self._scheme}://{found.path.lstrip('/')}"
        # Drivers disagree on whether paths begin with a slash.
        path = PurePosixPath("/", found.path).relative_to(PurePosixPath("/", root))
        try:
            id = checked_id(str(path))
        except ValueError as error:
            return failure(source, error)
        metadata = folder_metadata(path)
        return Item(id, source, found.read, metadata, found.stamp, found.size)
