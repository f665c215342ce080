"""Indexing from end to end: open the sources, run over them, prune, report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO, Literal

from lookalike.client import Collection
from lookalike.errors import CollectionExists, InvalidInput, UnknownCollection
from lookalike.results import FieldType
from lookalike_indexer.journal import Journal, journal_path
from lookalike_indexer.pipeline import READERS, Spread
from lookalike_indexer.report import IndexProgress, IndexReport
from lookalike_indexer.run import Confirm, Duplicates, Found, Run
from lookalike_indexer.sources.item import Source
from lookalike_indexer.sources.manifests import Columns
from lookalike_indexer.sources.opening import STANDARD_INPUT, open_sources
from lookalike_indexer.targets import Described, ServiceTarget, Target
from lookalike_indexer.telling import Report, Telling


def index(
    collection: Collection,
    paths: str | Path | Iterable[str | Path],
    *,
    progress: Report | Literal["bar"] | None = "bar",
    model: str | None = None,
    indexes: Mapping[str, FieldType] | None = None,
    recheck: bool = False,
    duplicates: Duplicates = "once",
    prune: bool = False,
) -> IndexReport:
    """Index into a collection of a service; see `Collection.index`."""
    return index_into(
        ServiceTarget(collection),
        [paths] if isinstance(paths, (str, Path)) else list(paths),
        progress=progress,
        model=model,
        indexes=indexes,
        recheck=recheck,
        duplicates=duplicates,
        prune=(lambda _gone, _known: True) if prune else None,
    )


def index_into(
    target: Target,
    given: Sequence[str | Path],
    *,
    columns: Columns | None = None,
    progress: Report | Literal["bar"] | None = "bar",
    model: str | None = None,
    indexes: Mapping[str, FieldType] | None = None,
    recheck: bool = False,
    duplicates: Duplicates = "once",
    prune: Confirm | None = None,
    errors: Path | None = None,
    spread: Spread | None = None,
) -> IndexReport:
    """Index what is given into a target; running it again goes on where it was stopped.

    `prune` is asked before images are deleted that the sources have no more; None deletes none. `spread`
    reads and indexes in place of this process, into the same collection. `errors` is where failures are
    listed; by default beside the journal. Raises InvalidInput if there is nothing to index, CollectionExists
    if the collection has another model, and what concerns all images, such as ConnectionFailed.
    """
    start = time.monotonic()
    if prune and STANDARD_INPUT in map(str, given):
        raise InvalidInput("What is gone cannot be told from standard input: use a list in a file.")
    with ExitStack() as stack:
        sources = open_sources(given, columns)
        for source in sources:
            stack.callback(source.close)
        found = _begun(sources)
        report = IndexReport()
        info = _prepare(target, model, _fields(sources, indexes), report)
        journal = stack.enter_context(Journal(journal_path(target.place, info)))
        path = errors or journal.path.with_suffix(".errors.jsonl")
        report.errors_path = str(path)
        listed = stack.enter_context(path.open("w", encoding="utf-8"))
        say = stack.enter_context(_callback(progress))
        workers = spread.workers if spread else lambda: {"read": READERS, **target.workers}
        say_all = [_lister(listed), say]
        telling = Telling(report, _total(sources), start, target, workers, say_all)
        run = Run(target, journal, report, telling.now_and_then, duplicates, recheck, spread)
        telling.now()
        run.index(found)
        if prune:
            report.kept = run.prune([source.key for source in sources], prune)
        report.orphans = run.index_orphans(sources)
        run.write_sources()
        last = telling.now()
    report.seconds = time.monotonic() - start
    report.batch_size, report.busy = last.batch_size, dict(last.busy)
    return report


def _begun(sources: Sequence[Source]) -> Found:
    """What the sources give. Raises InvalidInput if that is nothing."""
    found = ((source.key, item) for source in sources for item in source.items())
    first = next(found, None)
    if first is None:
        raise InvalidInput("No images were found there.")
    return chain([first], found)


def _total(sources: Sequence[Source]) -> int | None:
    counts = [source.count() for source in sources]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _fields(
    sources: Sequence[Source], indexes: Mapping[str, FieldType] | None
) -> dict[str, FieldType]:
    wanted: dict[str, FieldType] = {}
    for source in sources:
        wanted |= source.fields
    return wanted | dict(indexes or {})


def _prepare(
    target: Target, model: str | None, indexes: Mapping[str, FieldType], report: IndexReport
) -> Described:
    """The collection, created if it is missing. Raises CollectionExists if it has another model."""
    try:
        info = target.describe()
    except UnknownCollection:
        target.create(model=model, indexes=indexes)
        return target.describe()
    if model is not None:
        target.create(model=model, indexes=info.indexes)
    missing = {field: kind for field, kind in indexes.items() if info.indexes.get(field) != kind}
    if missing:
        try:
            target.create(model=info.model, indexes={**info.indexes, **missing})
        except CollectionExists:
            report.unindexed_fields = sorted(missing)
    return info


def _lister(file: IO[str]) -> Report:
    """Writes each failure as soon as it is known."""

    def listed(progress: IndexProgress) -> None:
        for failure in progress.new_failures:
            file.write(json.dumps(asdict(failure)) + "\n")
        if progress.new_failures:
            file.flush()

    return listed


def _callback(progress: Report | Literal["bar"] | None) -> AbstractContextManager[Report]:
    if callable(progress):
        return nullcontext(progress)
    if progress == "bar" and sys.stderr.isatty() and find_spec("rich"):
        from lookalike_indexer.bars import index_bar  # noqa: PLC0415 - rich is optional here

        return index_bar()
    return nullcontext(lambda _: None)
