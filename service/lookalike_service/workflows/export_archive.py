"""An export as a zip of pictures, a folder for each cluster, with a list of what is in it and what is not."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Literal, TypeAlias

from lookalike_service.images import Limits
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Record, Store
from lookalike_service.workflows.drain import Drain
from lookalike_service.workflows.export import Export, Row, pages
from lookalike_service.workflows.originals import read_original

Pictures: TypeAlias = Literal["any", "original", "thumbnail"]

LIST = "images.jsonl"
_PAGE = 1_000
_AT_ONCE = 32
_SPOOLED = 2**20
_LONGEST = 120  # of each part of a path, in bytes of UTF-8; file systems take 255
_UNSAFE = re.compile(r'[\\/<>:"|?*\x00-\x1f\x7f]')
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
_NEW = 0o644 << 16


def zip_chunks(
    store: Store, export: Export, settings: Settings, pictures: Pictures
) -> Iterator[bytes]:
    """The pictures, not compressed anew, and at the end `images.jsonl`: a line for each image.

    Beside what a table tells, a line has `file`, null if there is none, and `made_from`: `original`, the
    bytes that were indexed, where `source` names a file with them in the folder that settings allow, or
    `thumbnail`. `pictures`: which of the two are wanted; `any` is the thumbnail where there is no original.
    """
    drain, namer = Drain(), _Namer()
    with tempfile.SpooledTemporaryFile(_SPOOLED) as told:
        with zipfile.ZipFile(drain, "w", zipfile.ZIP_STORED) as archive:
            for page in pages(store, export, size=_PAGE):
                for row, picture in _pictured(store, export, page, settings, pictures):
                    file = None
                    if picture is not None:
                        file = namer.name(row, picture.kind)
                        archive.writestr(_entry(file), picture.data)
                    made_from = None if picture is None else picture.made_from
                    line = row | {"file": file, "made_from": made_from}
                    told.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
                    yield drain.take()
            yield from _listed(archive, told, drain)
        yield drain.take()


@dataclass(frozen=True, slots=True)
class _Picture:
    """What goes into the archive of an image: the bytes, what they were made from and their format."""

    data: bytes
    made_from: Literal["original", "thumbnail"]
    kind: str


def _pictured(
    store: Store,
    export: Export,
    page: Sequence[tuple[Row, Record]],
    settings: Settings,
    pictures: Pictures,
) -> Iterator[tuple[Row, _Picture | None]]:
    """Each image's row and picture. Originals, which may be large, are read one by one."""
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
    for at in range(0, len(page), _AT_ONCE):
        some = page[at : at + _AT_ONCE]
        thumbnails = {} if pictures == "original" else _thumbnails(store, export, some)
        for row, record in some:
            original = None
            if pictures != "thumbnail":
                original = read_original(record, settings, limits)
            if original is not None:
                yield row, _Picture(original, "original", record.payload["format"])
            else:
                thumbnail = thumbnails.get(record.id)
                yield row, _Picture(thumbnail, "thumbnail", "JPEG") if thumbnail else None


def _thumbnails(
    store: Store, export: Export, some: Sequence[tuple[Row, Record]]
) -> dict[str, bytes]:
    ids = [record.id for _, record in some]
    records = store.retrieve(export.collection, ids, thumbnails=True)
    return {record.id: b64decode(record.payload.get("thumbnail", "")) for record in records}


def _listed(archive: zipfile.ZipFile, told: IO[bytes], drain: Drain) -> Iterator[bytes]:
    told.seek(0)
    with archive.open(_entry(LIST), "w", force_zip64=True) as entry:
        while chunk := told.read(_SPOOLED):
            entry.write(chunk)
            yield drain.take()


def _entry(path: str) -> zipfile.ZipInfo:
    """An entry that says nothing of this machine: no time, a plain file's mode."""
    entry = zipfile.ZipInfo(path)
    entry.external_attr = _NEW
    return entry


class _Namer:
    """Paths in the archive: a folder for each cluster, in it the images' ids as names of files."""

    def __init__(self) -> None:
        self._taken = {LIST}

    def name(self, row: Row, kind: str) -> str:
        """A path that no image has yet, on file systems that do not heed case either."""
        folder = "noise" if row["label"] == -1 else str(row["label"])
        if row["cluster"]:
            folder = f"{folder} {_part(row['cluster'])}".strip()
        path = PurePosixPath(folder, _part(row["id"]) or row["sha256"])
        endings = _ENDINGS.get(kind, ())
        if endings and path.suffix.lower() not in endings:
            path = path.with_name(path.name + endings[0])
        return self._free(path)

    def _free(self, path: PurePosixPath) -> str:
        free, count = path, 1
        while str(free).lower() in self._taken:
            count += 1
            free = path.with_name(f"{path.stem} ({count}){path.suffix}")
        self._taken.add(str(free).lower())
        return str(free)


def _part(text: str) -> str:
    """Text as the name of a file or folder on any file system; empty where nothing is left."""
    safe = _UNSAFE.sub("_", text).encode()[-_LONGEST:].decode(errors="ignore")
    return safe.strip(" ").rstrip(".").lstrip(".")
