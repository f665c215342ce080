"""Manifests: CSV, JSON lines or Parquet with a column that refers to images; the others are metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lookalike.errors import InvalidInput
from lookalike.results import FieldType
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import Item, failure
from lookalike_indexer.sources.references import References
from lookalike_indexer.sources.rows import Row

PATH_COLUMNS = ("path", "file", "file_name", "filename", "image", "url")
"""Names of the column that refers to images, where none is given: the first that there is."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns say what. `label` may also be "folder": the name of the folder the image is in."""

    path: str | None = None
    id: str | None = None
    label: str | None = None


class Manifest:
    """Images that rows refer to; what is relative is below `base`.

    An id is the reference as it is written, or the value of the column that `columns` names. `rows` reads
    them anew with each call.
    """

    fields: Mapping[str, FieldType] = {}

    def __init__(
        self,
        key: str,
        base: str,
        rows: Callable[[], Iterator[Row | FileFailure]],
        count: Callable[[], int],
        columns: Columns,
    ) -> None:
        self.key = key
        self._rows, self._count, self._columns = rows, count, columns
        self._references = References(base)

    def count(self) -> int | None:
        """See `Source`."""
        return self._count()

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`. Raises InvalidInput if a column that is needed is not in the first row."""
        columns: Columns | None = None
        for row in self._rows():
            if isinstance(row, FileFailure):
                yield row
                continue
            columns = columns or self._settled(row)
            yield self._item(row, columns)

    def close(self) -> None:
        """See `Source`."""
        self._references.close()

    def _settled(self, first: Row) -> Columns:
        """The columns to go by, looked up in the first row."""
        given, there = self._columns, list(first.values)
        path = given.path or next((name for name in PATH_COLUMNS if name in there), None)
        label = None if given.label == "folder" else given.label
        if path is None:
            raise InvalidInput(
                f"{self.key} has no column {', '.join(PATH_COLUMNS[:-1])} or {PATH_COLUMNS[-1]}; say which "
                f"refers to the images, of {_named(there)}."
            )
        for name in (path, given.id, label):
            if name is not None and name not in there:
                raise InvalidInput(f"{self.key} has no column '{name}'; it has {_named(there)}.")
        return Columns(path, given.id, given.label)

    def _item(self, row: Row, columns: Columns) -> Item | FileFailure:
        reference = row.values.get(str(columns.path))
        if not isinstance(reference, str) or not reference:
            return FileFailure(row.place, "invalid_row", f"'{columns.path}' refers to no image.")
        metadata = {
            name: value
            for name, value in row.values.items()
            if name not in (columns.path, columns.id) and value is not None
        }
        metadata |= label_of(reference, columns.label, row.values)
        id = reference if columns.id is None else row.values.get(columns.id)
        try:
            if id is None:
                raise ValueError(f"{row.place} has no '{columns.id}' to be its id.")
            return self._references.resolve(reference).item(str(id), metadata)
        except (OSError, ValueError, InvalidInput) as error:
            return failure(self._references.source(reference), error)


class TextList:
    """Images that lines refer to, by path, URL or address; ids are the lines. Blank lines are skipped."""

    fields: Mapping[str, FieldType] = {}

    def __init__(
        self, key: str, base: str, lines: Callable[[], Iterator[str]], label: str | None
    ) -> None:
        self.key = key
        self._lines, self._label = lines, label
        self._references = References(base)

    def count(self) -> int | None:
        """See `Source`."""
        return sum(1 for _ in self._stripped())

    def items(self) -> Iterator[Item | FileFailure]:
        """See `Source`."""
        for line in self._stripped():
            try:
                yield self._references.resolve(line).item(line, label_of(line, self._label, {}))
            except (OSError, ValueError, InvalidInput) as error:
                yield failure(self._references.source(line), error)

    def close(self) -> None:
        """See `Source`."""
        self._references.close()

    def _stripped(self) -> Iterator[str]:
        return (line.strip() for line in self._lines() if line.strip())


def label_of(reference: str, label: str | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata `label` by `Columns.label`; nothing where there is none."""
    value = PurePosixPath(reference).parent.name if label == "folder" else values.get(label or "")
    return {} if label is None or value in (None, "") else {"label": value}


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in columns) or "none"
