"""Images in archives: zip, and tar, whose members beside an image describe it as in WebDataset."""

from __future__ import annotations

import json
import tarfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import Any

from lookalike.errors import InvalidInput
from lookalike.results import FieldType
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import (
    FOLDER_FIELDS,
    IMAGE_SUFFIXES,
    MAX_FILE_BYTES,
    Item,
    Unreadable,
    checked_id,
    failure,
    folder_metadata,
    is_image,
    printable,
)
from lookalike_indexer.sources.rows import Opener, opener, plain

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_BROKEN_TAR = (tarfile.TarError, zlib.error, EOFError)


class Zip:
    """Images of a zip file. Ids are ARCHIVE/PATH without the archive's suffix; metadata as in a folder."""

    fields: Mapping[str, FieldType] = FOLDER_FIELDS

    def __init__(self, key: str, address: str) -> None:
        self.key, self._address = key, address
        self._opened, self._opening = ExitStack(), threading.Lock()
        weakref.finalize(self, self._opened.close)
        self._archive: zipfile.ZipFile | None = None

    def __reduce__(self) -> tuple[Callable[[str, str], Zip], tuple[str, str]]:
        """In another process it is opened there, once for all its members."""
        return _zip_of_this_process, (self.key, self._address)

    def count(self) -> int | None:
        """See `Source`."""
        return len(self._images(self._file()))

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`."""
        for info in self._images(self._file()):
            # A member's checksum is in the directory: nothing need be read to see that it is the same.
            stamp = f"{info.file_size}-{info.CRC:08x}"
            read = partial(self.read, info)
            yield _Member(info.filename, read, info.file_size, stamp).item(self.key)

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """A member's bytes. Raises Unreadable."""
        try:
            # Thread-safe, and bounded by the size that was checked.
            return self._file().read(info)
        except _BROKEN_ZIP as error:
            raise Unreadable(f"The archive's member is broken: {error}.") from error
        except InvalidInput as error:  # only where another process reads what this one listed
            raise Unreadable(error.detail) from error

    def close(self) -> None:
        """See `Source`."""
        self._opened.close()
        self._archive = None

    def _file(self) -> zipfile.ZipFile:
        with self._opening:
            if self._archive is None:
                try:
                    file = self._opened.enter_context(opener(self._address)())
                    self._archive = self._opened.enter_context(zipfile.ZipFile(file))
                except (OSError, *_BROKEN_ZIP) as error:
                    raise InvalidInput(f"{self.key} cannot be read: {error}.") from error
            return self._archive

    def _images(self, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        found = [info for info in archive.infolist() if not info.is_dir()]
        return [info for info in found if is_image(info.filename)]


@lru_cache(maxsize=16)
def _zip_of_this_process(key: str, address: str) -> Zip:
    return Zip(key, address)


class Tar:
    """Images of a tar file, also compressed, in their order; ids are as those of `Zip`.

    Consecutive members of one name up to its first dot are a sample, as in WebDataset (Aizman et al., "High
    Performance I/O For Large Scale Deep Learning", 2019): `.json` is metadata, `.cls` the label, `.txt` the
    text. It is read once from end to end: the bytes of an image are held until it is indexed.
    """

    fields: Mapping[str, FieldType] = FOLDER_FIELDS

    def __init__(self, key: str, open_file: Opener) -> None:
        self.key = key
        self._open = open_file

    def count(self) -> int | None:
        """See `Source`."""
        return None

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`. An archive that breaks off is a failure after what could be read of it."""
        try:
            with self._open() as file, tarfile.open(fileobj=file, mode="r|*") as archive:
                sample = _Sample(self.key, "", self._open)
                for info in archive:
                    if not info.isfile():
                        continue
                    stem = _stem(info.name)
                    if stem != sample.stem:
                        yield from sample.items()
                        sample = _Sample(self.key, stem, self._open)
                    sample.add(archive, info)
                yield from sample.items()
        except (OSError, *_BROKEN_TAR) as error:
            yield failure(self.key, error, "unreadable_source")

    def close(self) -> None:
        """See `Source`."""


class _Sample:
    """Members of one name: images, and what is said about them."""

    def __init__(self, archive: str, stem: str, open_file: Opener) -> None:
        self.stem = stem
        self._archive, self._open = archive, open_file
        self._images: list[tuple[str, _Held, int]] = []
        self._metadata: dict[str, Any] = {}
        self._failures: list[FileFailure] = []

    def add(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        """Read a member; what is neither an image nor about one is passed over."""
        suffix = PurePosixPath(info.name).suffix.lower()
        wanted = suffix in {".json", ".cls", ".txt"} or is_image(info.name)
        if not wanted:
            return
        file = archive.extractfile(info) if info.size <= MAX_FILE_BYTES else None
        data = file.read() if file is not None else None
        if suffix in IMAGE_SUFFIXES:
            plain_tar = getattr(archive.fileobj, "comptype", None) == "tar" and not info.issparse()
            place = _Place(self._open, info.offset_data, info.size) if plain_tar else None
            self._images.append((info.name, _Held(data, place), info.size))
        elif data is not None:
            try:
                self._metadata |= _said(suffix, data)
            except ValueError as error:
                source = f"{self._archive}/{printable(info.name)}"
                self._failures.append(FileFailure(source, "invalid_row", str(error)))

    def items(self) -> Iterator[Item | FileFailure]:
        """The images, with all that is said about them."""
        if self._images:
            yield from self._failures
        for name, held, size in self._images:
            yield _Member(name, held, size, metadata=self._metadata).item(self._archive)


def _said(suffix: str, data: bytes) -> dict[str, Any]:
    """What a member says about its sample. Raises ValueError."""
    if suffix == ".json":
        values = json.loads(data)
        if not isinstance(values, dict):
            raise ValueError("Not a JSON object.")
        said = {name: plain(value) for name, value in values.items()}
        return {name: value for name, value in said.items() if value is not None}
    text = data.decode().strip()
    if suffix == ".txt":
        return {"text": text}
    return {"label": int(text) if text.isdecimal() and text.isascii() else text}


@dataclass(frozen=True, slots=True)
class _Place:
    """Bytes within a file that can be read from anywhere."""

    open_file: Opener
    offset: int
    size: int

    def __call__(self) -> bytes:
        with self.open_file() as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True, slots=True)
class _Held:
    """A member's bytes, None if they are too many; pickled it is where they are, if that can be said."""

    data: bytes | None
    place: _Place | None

    def __call__(self) -> bytes:
        if self.data is None:
            raise Unreadable(f"The member has more than the {MAX_FILE_BYTES} bytes that are read.")
        return self.data

    def __reduce__(self) -> tuple[Callable[..., Callable[[], bytes]], tuple[Any, ...]]:
        if self.data is None or self.place is None:
            return _Held, (self.data, None)
        return _Place, (self.place.open_file, self.place.offset, self.place.size)


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.parent / path.name.partition(".")[0])


@dataclass(frozen=True, slots=True)
class _Member:
    """An image in an archive; the fields are those of `Item`."""

    name: str
    read: Callable[[], bytes]
    size: int
    stamp: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def item(self, archive: str) -> Item | FileFailure:
        """As an item, unless its name cannot be an id."""
        path = PurePosixPath(self.name)
        source = f"{archive}/{printable(self.name)}"
        try:
            id = checked_id(f"{archive_name(archive)}/{path}")
        except ValueError as error:
            return failure(source, error)
        metadata = {**folder_metadata(path), **self.metadata}
        return Item(id, source, self.read, metadata, self.stamp, self.size)


def archive_name(archive: str) -> str:
    """The archive's name without folder and suffixes."""
    name = PurePosixPath(archive).name
    suffix = next((s for s in (*TAR_SUFFIXES, *ZIP_SUFFIXES) if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]
