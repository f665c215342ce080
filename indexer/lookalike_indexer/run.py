"""One run: what is known is skipped, the rest is read, told from copies, sent and noted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lookalike.errors import ImageError, UnknownImage, error_for
from lookalike_indexer.journal import Entry, Journal, Known, details
from lookalike_indexer.pipeline import (
    READERS,
    Loaded,
    Outcome,
    Spread,
    Task,
    read_ahead,
    send,
    threads,
)
from lookalike_indexer.report import FileFailure, IndexReport
from lookalike_indexer.sources.item import Item, Source
from lookalike_indexer.targets import Target

Duplicates = Literal["once", "each"]
Found = Iterator[tuple[str, Item | FileFailure]]
"""What sources give, each with the source's key."""
Confirm = Callable[[int, int], bool]
"""Whether to delete so many images, of so many that the sources gave once."""

_DELETED_AT_ONCE = 1000


@dataclass
class Run:
    """The work on one collection; `report` counts it, and `tell` is called as it goes on."""

    target: Target
    journal: Journal
    report: IndexReport
    tell: Callable[[], None]
    duplicates: Duplicates
    recheck: bool
    spread: Spread | None = None
    """What reads and indexes; None is this process."""
    complete: bool = True
    """Every source could be listed to its end."""
    failed: set[str] = field(default_factory=set)
    """Ids of images that were not indexed."""
    copies: set[str] = field(default_factory=set)
    """Ids that were found to be copies in this run."""
    again: set[str] = field(default_factory=set)
    """Ids of copies of what failed for a reason of its own, to be tried themselves."""
    in_flight: dict[str, list[Loaded]] = field(default_factory=dict)
    """Hashes that are being sent, each with the copies met meanwhile, without their bytes."""

    def index(self, found: Found, only: set[str] | None = None) -> None:
        """Index what is found, or only these ids of it, whether they are known or not."""
        tasks = self._tasks(found, only)
        if self.spread is None:
            self._index_here(tasks)
        else:
            self._index_elsewhere(tasks, self.spread)
        assert not self.in_flight, "whatever is sent is settled"  # noqa: S101

    def _index_here(self, tasks: Iterator[Task]) -> None:
        with threads(READERS, "read") as readers, threads(self.target.at_once, "send") as senders:
            loaded = read_ahead(tasks, readers, self.target.stages)
            for outcomes in send(self.target, self._fresh(loaded), senders):
                self._settle(outcomes)
                self.tell()

    def _index_elsewhere(self, tasks: Iterator[Task], spread: Spread) -> None:
        """Copies are told only now, and are stored; as all come in order, it is the first that is kept."""
        for outcomes in spread.index(tasks):
            for outcome in outcomes:
                one = Loaded(outcome.task, b"", outcome.sha256)
                if outcome.status is None or not (self._is_touched(one) or self._is_copy(one)):
                    self._settle([outcome])
            self.tell()

    def prune(self, keys: Sequence[str], confirm: Confirm) -> int:
        """Delete what these sources gave once and give no more; how many were left as that was refused."""
        gone, known = self.journal.gone(keys)
        if not gone:
            return 0
        if not self.complete or not confirm(len(gone), known):
            return len(gone)
        for start in range(0, len(gone), _DELETED_AT_ONCE):
            some = gone[start : start + _DELETED_AT_ONCE]
            self.target.delete(some)
            self.journal.forget(some)
            self.report.pruned += len(some)
        return 0

    def index_orphans(self, sources: Iterable[Source]) -> int:
        """Index copies whose image is not stored; how many are left, which other sources have."""
        orphans = self.journal.orphans() - self.failed
        if not (orphans or self.again):
            return 0
        left = orphans | self.again
        while left:  # each time the first copy of an image is tried, and at times fails
            self.journal.forget_seen()
            self.index(((s.key, item) for s in sources for item in s.items()), left)
            left = set() if self.again == left else set(self.again)
        return len(self.journal.orphans() - self.failed)

    def write_sources(self) -> None:
        """Store with each image the sources of its copies."""
        for id, sources in self.journal.sources_due():
            try:
                self.target.update(id, {"sources": sources or None})
            except UnknownImage:  # deleted by someone else meanwhile
                self.journal.forget([id])
            else:
                self.journal.sources_written(id)

    # -- before reading

    def _tasks(self, found: Found, only: set[str] | None) -> Iterator[Task]:
        for key, item in found:
            if isinstance(item, FileFailure):
                if only is None:
                    self.journal.keep(item.path)
                    self._fail(item)
            elif only is not None:
                if item.id in only and self.journal.first_seen(item) is None:
                    self._count_again(item.id)
                    yield Task(item, key)
            elif self._is_first(item):
                known = None if self.recheck else self.journal.known(item.id)
                if known is None or not self._is_same(known, item, key):
                    yield Task(item, key, known)
            self.tell()

    def _count_again(self, id: str) -> None:
        """Take back what was counted of a copy, which is indexed once more."""
        if id in self.again:
            self.again.discard(id)
        elif id in self.copies:
            self.copies.discard(id)
            self.report.duplicates -= 1
        else:
            self.report.skipped -= 1

    def _is_first(self, item: Item) -> bool:
        former = self.journal.first_seen(item)
        if former is None:
            return True
        if former != item.source and not _is_same_file(former, item.source):
            self._fail(
                FileFailure(
                    item.source,
                    "duplicate_id",
                    f"{former} has the same id, '{item.id}'; index a folder that holds both, name a column "
                    "of ids, or index them into collections of their own.",
                )
            )
        return False

    def _is_same(self, known: Known, item: Item, key: str) -> bool:
        """Whether nothing changed, as far as can be told without reading."""
        if not item.stamp or known.stamp != item.stamp or not self._is_still(known, item):
            return False
        self.report.skipped += 1
        if known.source_key != key:
            self.journal.record([Entry(item, key, known.sha256, known.stored_as)])
        return True

    def _is_still(self, known: Known, item: Item) -> bool:
        """Whether what is stored beside the bytes is what it is to be."""
        is_copy = known.stored_as != item.id
        return known.details == details(item) and not (is_copy and self.duplicates == "each")

    # -- after reading

    def _fresh(self, loaded: Iterable[Loaded | Outcome]) -> Iterator[Loaded]:
        """What must be sent."""
        for one in loaded:
            if isinstance(one, Outcome):
                self._settle([one])
            elif not (self._is_touched(one) or self._is_copy(one)):
                yield one

    def _is_touched(self, one: Loaded) -> bool:
        """Whether it was known with the same bytes; then the journal knows better how to tell."""
        task = one.task
        if task.known is None or task.known.sha256 != one.sha256:
            return False
        if not self._is_still(task.known, task.item):
            return False
        self.journal.record([Entry(task.item, task.source_key, one.sha256, task.known.stored_as)])
        self.report.skipped += 1
        return True

    def _is_copy(self, one: Loaded) -> bool:
        """Whether an image with the same bytes is stored, or about to be, under another id."""
        if self.duplicates == "each":
            return False
        without_bytes = Loaded(one.task, b"", one.sha256)
        if one.sha256 in self.in_flight:
            self.in_flight[one.sha256].append(without_bytes)
            return True
        stored = self.journal.stored(one.sha256, preferred=one.task.item.id)
        if stored is not None and stored != one.task.item.id:
            self._record_copies([without_bytes], stored)
            return True
        self.in_flight[one.sha256] = []
        return False

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Note and count what was acknowledged, and what failed, with their copies."""
        entries = []
        for outcome in outcomes:
            task = outcome.task
            if outcome.error is not None:
                self._fail_item(task.item, outcome)
            elif outcome.status is not None:
                entries.append(Entry(task.item, task.source_key, outcome.sha256, task.item.id))
                setattr(self.report, outcome.status, getattr(self.report, outcome.status) + 1)
        self.journal.record(entries)
        for outcome in outcomes:
            copies = self.in_flight.pop(outcome.sha256, [])
            if outcome.error is None:
                self._record_copies(copies, outcome.task.item.id)
            elif isinstance(error_for(outcome.error.code, ""), ImageError):
                for copy in copies:
                    self._fail_item(copy.task.item, outcome)
            else:  # such as for its metadata
                self.again.update(copy.task.item.id for copy in copies)

    def _record_copies(self, copies: Sequence[Loaded], stored_as: str) -> None:
        if not copies:
            return
        # One may have been stored itself, before it became a copy.
        self.target.delete([copy.task.item.id for copy in copies])
        self.journal.record(
            Entry(copy.task.item, copy.task.source_key, copy.sha256, stored_as) for copy in copies
        )
        self.report.duplicates += len(copies)
        self.copies.update(copy.task.item.id for copy in copies)

    def _fail_item(self, item: Item, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.failed.add(item.id)
            error = outcome.error
            self._fail(FileFailure(item.source, error.code, error.detail))

    def _fail(self, why: FileFailure) -> None:
        self.complete = self.complete and why.code != "unreadable_source"
        self.report.failures.append(why)


def _is_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file; what is no path of a file leads nowhere."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 - no path objects of what may be URLs
    except (OSError, ValueError):
        return False
