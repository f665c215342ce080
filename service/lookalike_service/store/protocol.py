"""What a store does. Both engines answer alike; the contract suite holds them to it.

Methods block: callers run them in threads. Implementations are thread-safe.
Ids are UUID strings. Vectors are float32 of shape (dim,), unit L2 norm, in the collection's one space.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike_service.spaces import Space

Vector = NDArray[np.float32]
FieldType = Literal["keyword", "integer", "float", "bool"]
Filter = Mapping[str, Any]
"""Qdrant's filter JSON: must / should / must_not / min_should over field conditions and has_id."""

_NAMESPACE = uuid.UUID("6f2d7a52-6c8b-5c0e-9d43-1f0a7c1be7a1")


def point_id(key: str) -> str:
    """The UUIDv5 under which a caller's id or a content hash is stored."""
    return str(uuid.uuid5(_NAMESPACE, key))


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's description as stored with it."""

    name: str
    space: Space
    created_at: str
    indexes: Mapping[str, FieldType] = field(default_factory=dict)
    """Payload fields with an index, such as {"metadata.label": "keyword"}."""


@dataclass(frozen=True, slots=True)
class Point:
    """A vector with its payload, as written."""

    id: str
    vector: Vector
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A stored point as read; `vector` only when asked for."""

    id: str
    payload: dict[str, Any]
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result; `score` is the cosine in [-1, 1]."""

    id: str
    score: float
    payload: dict[str, Any]
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One search of a batch: nearest to `vector` by cosine.

    `exact`: compare with every point that matches. `ef`: how many candidates the HNSW search
    keeps, its effort; None lets the planner choose. Where no graph is built, search is exact.
    """

    vector: Vector
    limit: int = 10
    offset: int = 0
    filter: Filter | None = None
    score_threshold: float | None = None
    vectors: bool = False
    exact: bool = False
    ef: int | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """How much of a collection its HNSW graph holds; the rest is searched exactly."""

    points: int
    indexed: int
    building: bool
    """A new graph is being built; the old one answers meanwhile."""


class Store(Protocol):
    """Collections of points with one space each, and documents for everything else that must last."""

    kind: str
    """`embedded` or `qdrant`."""

    def check(self) -> None:
        """Return if the store answers; raise StoreUnavailable otherwise."""

    def close(self) -> None:
        """Flush and release everything."""

    # -- collections

    def create_collection(self, collection: Collection) -> bool:
        """Create; False if an equal one exists. Raises CollectionExists if it differs in space."""

    def collection(self, name: str) -> Collection:
        """Describe. Raises UnknownCollection, naming the closest."""

    def collections(self) -> list[Collection]:
        """All collections, by name."""

    def delete_collection(self, name: str) -> None:
        """Drop with all points. Raises UnknownCollection."""

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        """Index a payload field; repeating it is harmless."""

    def stats(self, name: str) -> Stats:
        """Points and how many of them the graph holds. Raises UnknownCollection."""

    def loading(self, name: str) -> AbstractContextManager[None]:
        """Put off building the graph while a large load goes on inside; searches still answer."""

    # -- points

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write or replace; acknowledged means it survives kill -9.

        What is replaced loses its labels too. Payload key `clusters` is left out: see `write_labels`.

        Raises WrongDimension, InvalidVector, InvalidField (payload that is not JSON); then nothing
        is written.
        """

    def retrieve(
        self, name: str, ids: Sequence[str], *, vectors: bool = False, thumbnails: bool = False
    ) -> list[Record]:
        """The records of these ids in their order; missing ones are left out.

        Payload key `thumbnail` (base64 JPEG) is read here alone, and only when asked for.
        """

    def delete(self, name: str, ids: Sequence[str]) -> int:
        """Delete by id; how many existed."""

    def delete_matching(self, name: str, filter: Filter) -> int:
        """Delete all that match; how many. Raises InvalidFilter."""

    def set_payload(self, name: str, id: str, payload: Mapping[str, Any]) -> None:
        """Replace the given top-level payload keys of one point; None removes. Raises UnknownImage."""

    def count(self, name: str, filter: Filter | None = None) -> int:
        """How many points match. Exact."""

    def scroll(
        self,
        name: str,
        *,
        filter: Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Record], str | None]:
        """A page of records in id order, and the cursor of the next page, None at the end.

        Raises InvalidField for a cursor that is none, InvalidFilter.
        """

    def query(
        self,
        name: str,
        vector: Vector,
        *,
        limit: int = 10,
        offset: int = 0,
        filter: Filter | None = None,
        score_threshold: float | None = None,
        vectors: bool = False,
        exact: bool = False,
        ef: int | None = None,
    ) -> list[Hit]:
        """Nearest by cosine, best first; equal scores (to six decimals) in id order.

        The keywords are those of `Query`. Raises WrongDimension, InvalidVector, InvalidFilter,
        InvalidField (limit, offset, ef).
        """

    def query_batch(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """The hits of each query, in their order; as `query` gives them."""

    def facets(
        self, name: str, field: str, *, filter: Filter | None = None, limit: int = 100
    ) -> list[tuple[str | int | bool, int]]:
        """How many matching points hold each value of a field: exact, the most frequent first.

        The field is `clusters.<name>` or one with a keyword, integer or bool index; otherwise
        raises InvalidField. Values in a list count each.
        """

    def vectors(
        self, name: str, *, filter: Filter | None = None, batch: int = 256
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Stream all vectors: (ids, array (n, dim)) in id order, without payloads.

        Each batch is filtered by the labels of its moment.
        """

    def write_labels(
        self, name: str, clustering: str, ids: Sequence[str], labels: NDArray[np.int64]
    ) -> None:
        """Set `clusters.<clustering>` of each id; others keep theirs, deleted ids are skipped.

        A call reads the labels of a clustering as they were before or as they are after, never a
        mix; so does whoever opens the store after a crash in the middle.
        """

    def drop_labels(self, name: str, clustering: str) -> None:
        """Remove `clusters.<clustering>` everywhere."""

    # -- documents: runs, jobs and the like

    def put_document(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write or replace one JSON document."""

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """One document, or None."""

    def documents(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """All (key, body) of a kind, by key."""

    def delete_document(self, kind: str, key: str) -> None:
        """Delete a document and its arrays; a missing one is fine."""

    def put_arrays(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write or replace the arrays beside a document (any dtype but object)."""

    def arrays(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays beside a document, or None."""
