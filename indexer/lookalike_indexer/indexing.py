"""Indexing from end to end: find files, skip what is known, send the rest, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lookalike.client import Collection
from lookalike.errors import CollectionExists, InvalidInput, UnknownCollection
from lookalike.results import CollectionInfo, FieldType
from lookalike_indexer.checkpoint import Checkpoint, checkpoint_path
from lookalike_indexer.pipeline import Outcome, Task, upload
from lookalike_indexer.report import FileFailure, IndexProgress, IndexReport
from lookalike_indexer.sources import FIELDS, SourceFile, find, printable

Report = Callable[[IndexProgress], None]


def index(
    collection: Collection,
    paths: str | Path | Iterable[str | Path],
    *,
    progress: Report | Literal["bar"] | None = "bar",
    model: str | None = None,
    indexes: Mapping[str, FieldType] | None = None,
    recheck: bool = False,
) -> IndexReport:
    """Index folders, globs and files into a collection; see `Collection.index` and `sources`.

    Raises InvalidInput if there is nothing to index, CollectionExists if the collection has another
    model, and what concerns all files, such as ConnectionFailed. Running it again goes on.
    """
    start = time.monotonic()
    sources = find([paths] if isinstance(paths, (str, Path)) else paths)
    if not sources.files and not sources.failures:
        raise InvalidInput("No images were found there.")
    report = IndexReport(failures=list(sources.failures))
    wanted: dict[str, FieldType] = {**dict.fromkeys(FIELDS, "keyword"), **(indexes or {})}
    info = _prepare(collection, model, wanted, report)
    path = checkpoint_path(collection.client.url, info)
    with _callback(progress) as tell, Checkpoint(path) as checkpoint:
        _run(collection, sources.files, checkpoint, report, tell, recheck=recheck)
    report.seconds = time.monotonic() - start
    return report


def _prepare(
    collection: Collection,
    model: str | None,
    indexes: Mapping[str, FieldType],
    report: IndexReport,
) -> CollectionInfo:
    """The collection, created if it is missing. Raises CollectionExists if it has another model."""
    client, name = collection.client, collection.name
    try:
        info = collection.describe()
    except UnknownCollection:
        client.create_collection(name, model=model, indexes=indexes)
        return collection.describe()
    if model is not None:
        client.create_collection(name, model=model, indexes=info.indexes)
    missing = {field: kind for field, kind in indexes.items() if info.indexes.get(field) != kind}
    if missing:
        try:
            client.create_collection(name, model=info.model, indexes=info.indexes | missing)
        except CollectionExists:
            report.unindexed_fields = sorted(missing)
    return info


def _run(
    collection: Collection,
    files: Sequence[SourceFile],
    checkpoint: Checkpoint,
    report: IndexReport,
    tell: Report,
    *,
    recheck: bool,
) -> None:
    total = len(files) + report.failed
    tell(IndexProgress(report.total, total, report.failed, tuple(report.failures)))

    def tasks() -> Iterator[Task]:
        for file in files:
            known = None if recheck else checkpoint.known(file)
            if known and known.is_still(file):
                report.skipped += 1
            else:
                yield Task(file, known.sha256 if known else None)

    for outcomes in upload(collection, tasks()):
        checkpoint.record((o.file, o.sha256) for o in outcomes if o.error is None)
        failures = _count(outcomes, report)
        tell(IndexProgress(report.total, total, report.failed, failures))
    tell(IndexProgress(report.total, total, report.failed))


def _count(outcomes: Sequence[Outcome], report: IndexReport) -> list[FileFailure]:
    """Add outcomes to the report; the failures among them."""
    failures = []
    for outcome in outcomes:
        if outcome.error is not None:
            path = printable(outcome.file.path)
            failures.append(FileFailure(path, outcome.error.code, outcome.error.detail))
        elif outcome.status is not None:
            setattr(report, outcome.status, getattr(report, outcome.status) + 1)
    report.failures += failures
    return failures


def _callback(progress: Report | Literal["bar"] | None) -> AbstractContextManager[Report]:
    if callable(progress):
        return nullcontext(progress)
    if progress == "bar" and sys.stderr.isatty() and find_spec("rich"):
        from lookalike_indexer.bars import index_bar  # noqa: PLC0415 - rich is optional here

        return index_bar()
    return nullcontext(lambda _: None)
