"""What a collection consists of, as it travels between stores and archives.

A source gives it in order: its description, batches of points with their labels, the documents of
its runs with their arrays. A target takes it in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import CollectionExists
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Collection, Point

Labels = Mapping[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a run, with the arrays beside it if there are any."""

    kind: str
    key: str
    body: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]] | None


class Source(Protocol):
    """Where collections come from."""

    def names(self) -> list[str]:
        """The collections there are."""

    def describe(self, name: str) -> Collection:
        """Raises UnknownCollection."""

    def batches(self, name: str) -> Iterator[tuple[Sequence[Point], Labels]]:
        """All points, each batch with {id: {clustering: label}}."""

    def documents(self, name: str) -> Iterator[Document]:
        """The documents whose keys begin with the collection's name and a slash."""


class Target(Protocol):
    """Where collections go."""

    def receiving(self, collection: Collection) -> AbstractContextManager[None]:
        """Begin, and on leaving end, one collection. Raises CollectionExists."""

    def put(self, name: str, points: Sequence[Point], labels: Labels) -> None:
        """Take a batch of the collection that is being received."""

    def put_document(self, document: Document) -> None:
        """Take a document."""


class StoreSource:
    """A store as a source. Points written meanwhile may or may not be among them."""

    def __init__(self, store: PointStore) -> None:
        self._store = store

    def names(self) -> list[str]:
        """See `Source`."""
        return [collection.name for collection in self._store.collections()]

    def describe(self, name: str) -> Collection:
        """See `Source`. A migration is left behind: the collection is in its current space."""
        return replace(self._store.collection(name), stored_as="", other=None)

    def batches(self, name: str) -> Iterator[tuple[Sequence[Point], Labels]]:
        """See `Source`."""
        yield from self._store.export(name)

    def documents(self, name: str) -> Iterator[Document]:
        """See `Source`. Jobs and the store's own records have no such keys."""
        for kind, key, body in self._store.every_document():
            if key.startswith(f"{name}/") and not kind.startswith("labels "):
                yield Document(kind, key, body, self._store.arrays(kind, key))


class StoreTarget:
    """A store as a target; collections that are there already are not touched."""

    def __init__(self, store: PointStore) -> None:
        self._store = store

    def receiving(self, collection: Collection) -> AbstractContextManager[None]:
        """See `Target`. The graph is built afterwards."""
        if not self._store.create_collection(collection):
            raise CollectionExists(
                f"the target has a collection {collection.name!r} already; delete it there first"
            )
        return self._store.loading(collection.name)

    def put(self, name: str, points: Sequence[Point], labels: Labels) -> None:
        """See `Target`."""
        self._store.upsert(name, points)
        for clustering in sorted({each for of_point in labels.values() for each in of_point}):
            of_it = {id: of[clustering] for id, of in labels.items() if clustering in of}
            values = np.array(list(of_it.values()), np.int64)
            self._store.write_labels(name, clustering, list(of_it), values)

    def put_document(self, document: Document) -> None:
        """See `Target`."""
        self._store.put_document(document.kind, document.key, document.body)
        if document.arrays is not None:
            self._store.put_arrays(document.kind, document.key, document.arrays)


def copy(source: Source, target: Target, names: Sequence[str] = ()) -> dict[str, int]:
    """Copy these collections, or all; {collection: points}. Memory is bounded by a batch.

    Raises UnknownCollection before anything is written, CollectionExists.
    """
    collections = [source.describe(name) for name in names or source.names()]
    copied: dict[str, int] = {}
    for collection in collections:
        name = collection.name
        copied[name] = 0
        with target.receiving(collection):
            for points, labels in source.batches(name):
                target.put(name, points, labels)
                copied[name] += len(points)
            for document in source.documents(name):
                target.put_document(document)
    return copied
