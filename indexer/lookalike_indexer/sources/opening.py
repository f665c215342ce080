"""Which kind of source something is: by its name, or by what lies there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from lookalike.errors import InvalidInput
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources import rows
from lookalike_indexer.sources.addresses import Address
from lookalike_indexer.sources.archives import TAR_SUFFIXES, ZIP_SUFFIXES, Tar, Zip
from lookalike_indexer.sources.item import Source, printable
from lookalike_indexer.sources.local import Files, Folder
from lookalike_indexer.sources.manifests import Columns, Manifest, TextList
from lookalike_indexer.sources.references import is_web

STANDARD_INPUT = "-"

_WILDCARD = re.compile(r"[*?\[]")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")


def open_sources(
    given: Sequence[str | Path], columns: Columns | None = None, stdin: IO[str] | None = None
) -> list[Source]:
    """The sources of these paths, globs, addresses, or "-" for standard input.

    Raises InvalidInput for what does not exist, and for columns that a source has not.
    """
    wanted = columns or Columns()
    found = [source for one in given for source in _opened(str(one), wanted, stdin or sys.stdin)]
    if wanted != Columns() and wanted != Columns(label="folder"):
        for source in found:
            if not isinstance(source, Manifest):
                raise InvalidInput(
                    f"{source.key} has no columns: they are for manifests (CSV, JSON lines, Parquet)."
                )
    return found


def _opened(given: str, columns: Columns, stdin: IO[str]) -> Iterator[Source]:
    if given == STANDARD_INPUT:
        yield _standard_input(list(stdin), columns)
    elif is_web(given):
        yield TextList(given, "", lambda: iter([given]), columns.label)
    elif "://" in given:
        yield _container(given, columns) or Address(given)
    else:
        yield from _local(given, columns)


def _local(given: str, columns: Columns) -> Iterator[Source]:
    path = Path(given)
    if path.is_dir():
        yield Folder(path)
        return
    if path.exists():
        yield _container(given, columns) or Files(str(path.absolute()), path.parent, [path])
        return
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), None)
    if wild is None:
        raise InvalidInput(f"There is no file or folder '{path}'.")
    root, pattern = Path(*parts[:wild]), str(Path(*parts[wild:]))
    matched = sorted(found for found in root.glob(pattern) if not found.is_dir())
    archives = [found for found in matched if _is_archive(found.name)]
    yield from (archive for found in archives if (archive := _container(str(found), columns)))
    files = [found for found in matched if not _is_archive(found.name)]
    if files or not archives:
        yield Files(str(path.absolute()), root, files)


def _is_archive(name: str) -> bool:
    return name.lower().endswith((*ZIP_SUFFIXES, *TAR_SUFFIXES))


def _container(given: str, columns: Columns) -> Source | None:
    """A manifest, list or archive, by its suffix; None for another file."""
    local = "://" not in given
    if not local and _WILDCARD.search(given):
        return None
    place, name = (str(Path(given).absolute()) if local else given), given.lower()
    key = printable(place)
    if name.endswith(ZIP_SUFFIXES):
        return Zip(key, place)
    if name.endswith(TAR_SUFFIXES):
        return Tar(key, rows.opener(given))
    base = str(Path(given).parent) if local else given.rpartition("/")[0]
    return _table(given, key, base, columns)


def _table(given: str, key: str, base: str, columns: Columns) -> Source | None:
    """A manifest or list, by its suffix; None for another file."""
    suffix, opener = PurePosixPath(given).suffix.lower(), rows.opener(given)
    lines = partial(_lines, opener, given)
    if suffix == ".txt":
        return TextList(key, base, lines, columns.label)
    if suffix in _JSON_LINES:
        return _json_manifest(key, base, lines, given, columns)
    if suffix == ".parquet":
        read = partial(rows.parquet_rows, opener, given)
        return Manifest(key, base, read, partial(rows.parquet_count, opener, given), columns)
    if suffix in _DELIMITERS:
        delimiter = _DELIMITERS[suffix]
        read = partial(rows.csv_rows, opener, given, delimiter)
        count = partial(rows.csv_count, opener, given, delimiter)
        return Manifest(key, base, read, count, columns)
    return None


def _lines(opener: rows.Opener, name: str) -> Iterator[str]:
    with rows.as_text(opener, name) as text:
        yield from text


def _json_manifest(key: str, base: str, lines: rows.Lines, name: str, columns: Columns) -> Source:
    def read() -> Iterator[rows.Row | FileFailure]:
        return rows.json_rows(lines(), name)

    def count() -> int:
        return sum(1 for line in lines() if line.strip())

    return Manifest(key, base, read, count, columns)


def _standard_input(lines: list[str], columns: Columns) -> Source:
    """JSON lines if the first line begins as an object does, else paths, one a line."""
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("{"):
        return _json_manifest(STANDARD_INPUT, "", lambda: iter(lines), "standard input", columns)
    return TextList(STANDARD_INPUT, "", lambda: iter(lines), columns.label)
