"""A backup: a folder per collection with JSON lines and raw vectors, readable by anything.

    <collection>/collection.json   its description, how many points, the SHA-256 of the other files
    <collection>/points.jsonl      {"id", "payload", "labels"} per line
    <collection>/vectors.f32       little-endian float32, one row per line of points.jsonl
    <collection>/documents.jsonl   {"kind", "key", "body", "arrays"}; arrays name files of .npy
    <collection>/arrays/<n>.npy

It depends on no engine's format. A collection's folder has its name once it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import CollectionExists, InvalidField, UnknownCollection
from lookalike_service.spaces import Space
from lookalike_service.store.contents import Document, Labels
from lookalike_service.store.protocol import Collection, Point

_FORMAT = 1
_BATCH = 256
_NUMBERS = np.dtype("<f4")


class ArchiveTarget:
    """An archive that is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def receiving(self, collection: Collection) -> Iterator[None]:
        """See `Target`."""
        path = self._folder / collection.name
        if path.exists():
            raise CollectionExists(f"there is a backup of {collection.name!r} in {self._folder}")
        self._partial = self._folder / f".{collection.name}.partial"
        shutil.rmtree(self._partial, ignore_errors=True)
        (self._partial / "arrays").mkdir(parents=True)
        self._written = self._arrays = 0
        with (
            (self._partial / "points.jsonl").open("w", encoding="utf-8") as self._points,
            (self._partial / "vectors.f32").open("wb") as self._vectors,
            (self._partial / "documents.jsonl").open("w", encoding="utf-8") as self._documents,
        ):
            yield
        self._describe(collection)
        for written in [*self._partial.rglob("*"), self._partial]:
            _sync(written)
        self._partial.rename(path)

    def put(
        self,
        name: str,  # noqa: ARG002 (the one that is being received)
        points: Sequence[Point],
        labels: Labels,
    ) -> None:
        """See `Target`."""
        for point in points:
            line = {"id": point.id, "payload": point.payload, "labels": labels.get(point.id, {})}
            _write_line(self._points, line)
            self._vectors.write(np.asarray(point.vector, _NUMBERS).tobytes())
        self._written += len(points)

    def put_document(self, document: Document) -> None:
        """See `Target`."""
        names = None if document.arrays is None else self._put_arrays(document.arrays)
        line = {"kind": document.kind, "key": document.key, "body": document.body, "arrays": names}
        _write_line(self._documents, line)

    def _put_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
        """{name: file}."""
        files = {}
        for name, array in arrays.items():
            self._arrays += 1
            files[name] = f"{self._arrays}.npy"
            np.save(self._partial / "arrays" / files[name], array, allow_pickle=False)
        return files

    def _describe(self, collection: Collection) -> None:
        files = sorted(path for path in self._partial.rglob("*") if path.is_file())
        sums = {str(path.relative_to(self._partial)): _sha256(path) for path in files}
        body = {"format": _FORMAT, "points": self._written, "sha256": sums, **asdict(collection)}
        (self._partial / "collection.json").write_text(json.dumps(body, indent=2))


class ArchiveSource:
    """An archive that is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """See `Source`."""
        return sorted(path.parent.name for path in self._folder.glob("[!.]*/collection.json"))

    def describe(self, name: str) -> Collection:
        """See `Source`. Raises InvalidField if the backup is of another format or was damaged."""
        body = self._body(name)
        if body["format"] != _FORMAT:
            raise InvalidField(
                f"the backup of {name!r} has format {body['format']}; this version reads {_FORMAT}"
            )
        for file, wanted in body["sha256"].items():
            path = self._folder / name / file
            if not path.is_file() or _sha256(path) != wanted:
                raise InvalidField(f"the backup of {name!r} is damaged: {file} is not as written")
        space = Space(**body["space"])
        return Collection(body["name"], space, body["created_at"], body["indexes"])

    def batches(self, name: str) -> Iterator[tuple[Sequence[Point], Labels]]:
        """See `Source`."""
        dim = Space(**self._body(name)["space"]).dim
        with (
            (self._folder / name / "points.jsonl").open(encoding="utf-8") as lines,
            (self._folder / name / "vectors.f32").open("rb") as vectors,
        ):
            while batch := [json.loads(line) for line in islice(lines, _BATCH)]:
                data = vectors.read(len(batch) * dim * _NUMBERS.itemsize)
                rows = np.frombuffer(data, _NUMBERS).reshape(len(batch), dim)
                points = [
                    Point(line["id"], row, line["payload"])
                    for line, row in zip(batch, rows, strict=True)
                ]
                yield points, {line["id"]: line["labels"] for line in batch if line["labels"]}

    def documents(self, name: str) -> Iterator[Document]:
        """See `Source`."""
        with (self._folder / name / "documents.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                read = json.loads(line)
                files, arrays = read["arrays"], None
                if files is not None:
                    arrays = {
                        array: np.load(
                            self._folder / name / "arrays" / Path(file).name, allow_pickle=False
                        )
                        for array, file in files.items()
                    }
                yield Document(read["kind"], read["key"], read["body"], arrays)

    def _body(self, name: str) -> dict[str, Any]:
        path = self._folder / name / "collection.json"
        if not path.is_file():
            raise UnknownCollection(f"there is no backup of {name!r} in {self._folder}")
        body: dict[str, Any] = json.loads(path.read_text())
        return body


def _write_line(file: IO[str], line: dict[str, Any]) -> None:
    file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
