"""Rows of tables, one at a time: CSV, JSON lines, Parquet; values are what JSON can hold."""

from __future__ import annotations

import csv
import datetime
import decimal
import importlib
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from lookalike.errors import InvalidInput
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.addresses import filesystem

Opener = Callable[[], AbstractContextManager[IO[bytes]]]
Lines = Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """Values by column; `place` is the file and the row's number, for messages."""

    place: str
    values: dict[str, Any]


def opener(address: str) -> Opener:
    """Opens a path or fsspec address for reading, as often as asked. Raises InvalidInput."""
    if "://" not in address:
        return partial(_local, Path(address).absolute())
    return partial(_remote, address)


def _local(path: Path) -> IO[bytes]:
    return path.open("rb")


@contextmanager
def _remote(address: str) -> Iterator[IO[bytes]]:
    system, path = filesystem(address)
    with system.open(path, "rb") as file:
        yield file


@contextmanager
def as_text(open_file: Opener, name: str) -> Iterator[IO[str]]:
    """A file as UTF-8 text, with or without a byte order mark. Raises InvalidInput."""
    try:
        with open_file() as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text: {error}.") from error


def csv_rows(open_file: Opener, name: str, delimiter: str) -> Iterator[Row | FileFailure]:
    """Rows of a CSV file with a header. A column is of the narrowest type that all its values have.

    These are integer, float, bool (true, false) and text; an empty value is left out. The file is read twice.
    Raises InvalidInput.
    """
    possible: dict[str, list[_Type]] = {}
    for row in _csv(open_file, name, delimiter):
        if isinstance(row, Row):
            for column, text in row.values.items():
                types = possible.get(column, _TYPES)
                possible[column] = [each for each in types if not text or each.holds(text)]
    for row in _csv(open_file, name, delimiter):
        if isinstance(row, Row):
            yield Row(row.place, {c: _read(t, possible[c]) for c, t in row.values.items()})
        else:
            yield row


def csv_count(open_file: Opener, name: str, delimiter: str) -> int:
    """How many rows there are. Raises InvalidInput."""
    return sum(1 for _ in _csv(open_file, name, delimiter))


def _csv(open_file: Opener, name: str, delimiter: str) -> Iterator[Row | FileFailure]:
    with as_text(open_file, name) as text:
        reader = csv.DictReader(text, delimiter=delimiter, restval="", strict=True)
        try:
            for values in reader:
                place = f"{name}:{reader.line_num}"
                if None in values:
                    yield FileFailure(place, "invalid_row", "The row is longer than the header.")
                else:
                    yield Row(place, dict(values))
        except csv.Error as error:
            raise InvalidInput(f"{name}:{reader.line_num} is not CSV: {error}.") from error


@dataclass(frozen=True, slots=True)
class _Type:
    """How the values of a column are told and read."""

    holds: Callable[[str], object]
    read: Callable[[str], Any]


_WHOLE = r"(0|[1-9]\d{0,14})"
"""Digits that a float holds exactly; more of them are rather the digits of an id."""
_FLOAT = re.compile(rf"[+-]?({_WHOLE}|(0|[1-9]\d*)?\.\d+|\d+\.)([eE][+-]?\d{{1,3}})?")
_TYPES = [
    _Type(re.compile(r"[+-]?(0|[1-9]\d{0,17})").fullmatch, int),  # 007 is a name
    _Type(lambda text: _FLOAT.fullmatch(text) and math.isfinite(float(text)), float),
    _Type(re.compile("true|false", re.IGNORECASE).fullmatch, lambda text: text.lower() == "true"),
]


def _read(text: str, possible: list[_Type]) -> Any:
    """The value in the first type that is possible, else as text; None for nothing."""
    return (possible[0].read(text) if possible else text) if text else None


def json_rows(lines: Iterable[str], name: str) -> Iterator[Row | FileFailure]:
    """Rows of JSON lines; one that is no object is a failure. Blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            values = json.loads(line)
        except ValueError as error:
            yield FileFailure(place, "invalid_row", f"Not JSON: {error}.")
            continue
        yield _row(place, values)


def parquet_rows(open_file: Opener, name: str) -> Iterator[Row | FileFailure]:
    """Rows of a Parquet file, a batch in memory at a time. Raises InvalidInput."""
    with _parquet(open_file, name) as file:
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for values in batch.to_pylist():
                number += 1
                yield _row(f"{name}:{number}", values)


def parquet_count(open_file: Opener, name: str) -> int:
    """How many rows there are. Raises InvalidInput."""
    with _parquet(open_file, name) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _parquet(open_file: Opener, name: str) -> Iterator[Any]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        arrow: Any = importlib.import_module("pyarrow")
    except ImportError as error:
        raise InvalidInput(
            f"{name} is read by pyarrow: pip install 'lookalike[indexer]'."
        ) from error
    with open_file() as raw:
        try:
            with parquet.ParquetFile(raw) as file:
                yield file
        except arrow.ArrowException as error:
            raise InvalidInput(f"{name} is not a Parquet file: {error}") from error


def _row(place: str, values: Any) -> Row | FileFailure:
    if not isinstance(values, dict):
        return FileFailure(place, "invalid_row", "Not a JSON object.")
    try:
        return Row(place, {name: plain(value) for name, value in values.items()})
    except ValueError as error:
        return FileFailure(place, "invalid_row", str(error))


def plain(value: Any) -> Any:
    """A value as JSON can hold it; times as ISO 8601, NaN and infinity as None. Raises ValueError."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case None | str() | bool() | int():
            return value
        case decimal.Decimal():
            return float(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case list() | tuple():
            return [plain(element) for element in value]
        case dict():
            return {str(name): plain(element) for name, element in value.items()}
    raise ValueError(f"A value of type {type(value).__name__} cannot be metadata.")
