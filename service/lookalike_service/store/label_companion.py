"""Labels of a Qdrant server: in a companion collection with the same ids, `<collection>@labels`.

A point there has the payload {"clusters": {name: label}, "clusters2": {...}}. Each clustering has
its current labels in one of the two and writes new ones into the other; the document of kind
`labels <collection>` says which counts, and changing it is the one switch. The labels before stay
until the next writing, so that who read the document a moment ago still finds what it names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import UnknownCollection
from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import (
    EVERYTHING,
    Condition,
    FieldCondition,
    HasId,
    IsEmpty,
    Where,
    field_path,
    has_ids,
    map_labels,
)

_FIELDS = ("clusters", "clusters2")
_BATCH = 1000
_PAGE = 10_000


class LabelCompanion:
    """Implements `Labels` on an engine."""

    def __init__(self, engine: Engine, documents: Documents) -> None:
        self._engine = engine
        self._documents = documents
        self._writes = threading.Lock()

    def close(self) -> None:
        """See `Labels`. The engine is closed by its owner."""

    def view(self, name: str) -> CompanionView:
        """See `Labels`."""
        return CompanionView(self._engine, companion(name), self._current(name))

    def write(
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        """See `Labels`. A few labels of a clustering that exists are written in place."""
        with self._writes:
            current = self._current(name).get(clustering)
            if current is not None and len(ids) <= _BATCH and not replace:
                self._put(name, clustering, current, ids, labels)
                return
            target = _FIELDS[1] if current == _FIELDS[0] else _FIELDS[0]
            self._begin(name, clustering, target)
            if current is not None and not replace:
                for kept, old in self._others(name, clustering, current, frozenset(ids)):
                    self._put(name, clustering, target, kept, old)
            self._put(name, clustering, target, ids, labels)
            self._documents.put(_kind(name), clustering, {"field": target})

    def drop(self, name: str, clustering: str) -> None:
        """See `Labels`."""
        with self._writes:
            self._documents.delete(_kind(name), clustering)
            with suppress(UnknownCollection):  # nothing was ever labelled
                for field in _FIELDS:
                    self._clear(name, field_path_of(field, clustering))

    def forget(self, name: str, ids: Sequence[str]) -> None:
        """See `Labels`."""
        if self._current(name):
            self._engine.delete(companion(name), has_ids(ids))

    def drop_collection(self, name: str) -> None:
        """See `Labels`."""
        for clustering in self._current(name):
            self._documents.delete(_kind(name), clustering)
        self._engine.drop(companion(name))

    def _current(self, name: str) -> dict[str, str]:
        return {key: body["field"] for key, body in self._documents.of_kind(_kind(name))}

    def _begin(self, name: str, clustering: str, field: str) -> None:
        """Make the companion if need be, and clear what the field held before."""
        path = field_path_of(field, clustering)
        self._engine.create(companion(name), "unused", 1)
        self._engine.create_index(companion(name), path, "integer")
        self._clear(name, path)

    def _clear(self, name: str, path: str) -> None:
        self._engine.delete_payload(companion(name), Where(must_not=(IsEmpty(path),)), path)

    def _put(
        self,
        name: str,
        clustering: str,
        field: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
    ) -> None:
        for at in range(0, len(ids), _BATCH):
            some = ids[at : at + _BATCH]
            self._engine.upsert(companion(name), some, [{}] * len(some), insert_only=True)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            for at in range(0, len(members), _BATCH):
                chosen = has_ids(ids[i] for i in members[at : at + _BATCH])
                self._engine.set_payload(
                    companion(name), chosen, {clustering: int(label)}, within=field
                )

    def _others(
        self, name: str, clustering: str, field: str, written: frozenset[str]
    ) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
        """The labels of all but the ids to be written, by page."""
        where = Where(must_not=(IsEmpty(field_path_of(field, clustering)),))
        start: str | None = None
        while True:
            page, start = self._engine.scroll(
                companion(name), where, limit=_BATCH, start=start, without=()
            )
            kept = [record for record in page if record.id not in written]
            old = [record.payload[field][clustering] for record in kept]
            if kept:
                yield [record.id for record in kept], np.array(old, np.int64)
            if start is None:
                return


class CompanionView:
    """Implements `LabelView`: the fields that were current when it was made."""

    def __init__(self, engine: Engine, companion: str, current: dict[str, str]) -> None:
        self._engine = engine
        self._companion = companion
        self._current = current

    def where(self, where: Where) -> Where:
        """See `LabelView`. Conditions about labels become the ids that meet them."""
        return map_labels(where, self._matching)

    def of(self, ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """See `LabelView`."""
        if not self._current or not ids:
            return {}
        found = self._engine.retrieve(self._companion, list(ids), vector=None, without=())
        labels = {
            record.id: {
                clustering: record.payload[field][clustering]
                for clustering, field in self._current.items()
                if clustering in record.payload.get(field, {})
            }
            for record in found
        }
        return {id: of_point for id, of_point in labels.items() if of_point}

    def counts(self, clustering: str) -> dict[int, int]:
        """See `LabelView`."""
        if clustering not in self._current:
            return {}
        path = field_path_of(self._current[clustering], clustering)
        return {
            int(label): count
            for label, count in self._engine.facets(self._companion, EVERYTHING, path)
        }

    def _matching(self, condition: FieldCondition, clustering: str) -> Condition:
        if clustering not in self._current:  # the field is empty everywhere
            return EVERYTHING if isinstance(condition, IsEmpty) else HasId(())
        path = field_path_of(self._current[clustering], clustering)
        if isinstance(condition, IsEmpty):
            return Where(must_not=(HasId(self._ids(Where(must_not=(IsEmpty(path),)))),))
        return HasId(self._ids(Where(must=(replace(condition, key=path),))))

    def _ids(self, where: Where) -> tuple[str, ...]:
        return tuple(_all_ids(self._engine, self._companion, where))


def companion(name: str) -> str:
    """The collection that holds the labels of a collection; no caller's name has an @."""
    return f"{name}@labels"


def field_path_of(field: str, clustering: str) -> str:
    """The path of a clustering's labels in the companion."""
    return field + field_path(f"clusters.{clustering}").removeprefix("clusters")


def _kind(name: str) -> str:
    return f"labels {name}"


def _all_ids(engine: Engine, name: str, where: Where) -> Iterable[str]:
    start: str | None = None
    while True:
        ids, start = engine.ids(name, where, limit=_PAGE, start=start)
        yield from ids
        if start is None:
            return
