"""What an engine does: the few operations the embedded engine and a Qdrant server have in common.

`PointStore` builds the whole store protocol from these, so that both kinds of store answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike_service.store.filters import Where
from lookalike_service.store.protocol import FieldType, Hit, Record, Stats


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest by cosine to `query`, float32 (dim,), among the points that match."""

    query: NDArray[np.float32]
    where: Where
    limit: int
    vectors: bool = False
    exact: bool = False
    ef: int | None = None


class Engine(Protocol):
    """Collections of points with at most one named vector. Thread-safe; names are trusted.

    Every method raises StoreUnavailable if the engine does not answer, and UnknownCollection if
    there is no collection of this name.
    """

    def ping(self) -> None:
        """Return if the engine answers."""

    def close(self) -> None:
        """Flush and release everything."""

    def create(self, name: str, vector: str, dim: int) -> None:
        """Create with one cosine vector name; harmless if it exists with that name.

        Raises CollectionExists if it exists with other vectors.
        """

    def drop(self, name: str) -> None:
        """Remove with all points; harmless if there is none."""

    def create_index(self, name: str, path: str, type: FieldType) -> None:
        """Index a payload path; repeating it is harmless, another type replaces the index."""

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        payloads: Sequence[Mapping[str, Any]],
        vector: str | None = None,
        vectors: NDArray[np.float32] | None = None,
        *,
        insert_only: bool = False,
    ) -> None:
        """Write or replace points; `vectors` is float32 (n, dim) of the vector name `vector`.

        `insert_only`: points that exist stay as they are.

        Raises SpaceMismatch if the collection has no vector of this name.
        """

    def delete(self, name: str, where: Where) -> None:
        """Delete all that match."""

    def set_payload(
        self, name: str, where: Where, payload: Mapping[str, Any], within: str | None = None
    ) -> None:
        """Replace the given keys of the payload, or of the object at path `within`; null removes."""

    def delete_payload(self, name: str, where: Where, path: str) -> None:
        """Remove what is at the path from the payload of all that match."""

    def count(self, name: str, where: Where) -> int:
        """How many match. Exact."""

    def retrieve(
        self, name: str, ids: Sequence[str], *, vector: str | None, without: Sequence[str]
    ) -> list[Record]:
        """The points of these ids in any order, with `vector` if named, less payload `without`."""

    def scroll(
        self, name: str, where: Where, *, limit: int, start: str | None, without: Sequence[str]
    ) -> tuple[list[Record], str | None]:
        """Up to `limit` points in id order from id `start` on, and the id that follows."""

    def vectors(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], NDArray[np.float32], str | None]:
        """Like `scroll`, but ids and their vectors, float32 (n, dim), without payloads."""

    def nearest(
        self, name: str, queries: Sequence[Nearest], *, vector: str, without: Sequence[str]
    ) -> list[list[Hit]]:
        """The nearest of each query, best first, ties in any order; `planner` chooses the effort.

        Raises SpaceMismatch if the collection has no vector of this name.
        """

    def ids(
        self, name: str, where: Where, *, limit: int, start: str | None
    ) -> tuple[list[str], str | None]:
        """Like `scroll`, but ids alone."""

    def points(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], list[dict[str, Any]], NDArray[np.float32], str | None]:
        """Like `vectors`, with the payloads."""

    def facets(self, name: str, where: Where, path: str) -> list[tuple[str | int | bool, int]]:
        """Every value at an indexed path and how many matching points hold it. Exact."""

    def stats(self, name: str) -> Stats:
        """Points, and how many of them are in a graph."""

    def hold_index(self, name: str, held: bool) -> None:
        """Build no graph from now on while held; build again when not."""
