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

MADE_FROM = "made_from"
"""Payload key of points whose vector is of the image's `thumbnail`, not of the image itself."""
THUMBNAIL = "thumbnail"
"""Payload key of an image's thumbnail, which is read only when asked for."""
_NAMESPACE = uuid.UUID("6f2d7a52-6c8b-5c0e-9d43-1f0a7c1be7a1")


def point_id(key: str) -> str:
    """The UUIDv5 under which a caller's id or a content hash is stored."""
    return str(uuid.uuid5(_NAMESPACE, key))


@dataclass(frozen=True, slots=True)
class OtherSpace:
    """The points of a collection in a second space, while it is being migrated.

    `leaving`: they are being dropped, and nobody reads or writes them any more.
    """

    space: Space
    stored_as: str
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's description as stored with it.

    `space` is the one that answers. `stored_as`: the engine's collection with its points, "" for the
    one of the same name. `other`: see `Store.add_space`.
    """

    name: str
    space: Space
    created_at: str
    indexes: Mapping[str, FieldType] = field(default_factory=dict)
    """Payload fields with an index, such as {"metadata.label": "keyword"}: declared, or discovered."""
    fields: Mapping[str, Sequence[FieldType]] = field(default_factory=dict)
    """Metadata fields that were ever written, with the types of their values."""
    stored_as: str = ""
    other: OtherSpace | None = None

    @property
    def pinned(self) -> str:
        """A name for reads that go on in this space when another has become the current one."""
        return pinned(self.name, self.space.id)

    @property
    def spaces(self) -> tuple[Space, ...]:
        """The spaces that are written to, the current one first."""
        other = self.other
        return (self.space,) if other is None or other.leaving else (self.space, other.space)


def pinned(name: str, space_id: str) -> str:
    """A name for reads of a collection's points in one of its spaces."""
    return f"{name}@{space_id}"


@dataclass(frozen=True, slots=True)
class Point:
    """A vector with its payload, as written; `other` is its vector in the collection's other space."""

    id: str
    vector: Vector
    payload: Mapping[str, Any]
    other: Vector | None = None


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
    """Collections of points with one space each, and documents for everything else that must last.

    While a collection is migrated it has two spaces. What reads points (`retrieve` to `vectors`, and
    `stats`, `loading`) takes its name for the current one, or `Collection.pinned` for one of them,
    and then raises SpaceMismatch once the collection has it no more.
    """

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

    # -- a second space, see docs/migration.md

    def add_space(self, name: str, space: Space) -> None:
        """Give the collection a second space, without points yet; from now on both are written to.

        Repeating it is harmless. Raises CollectionExists if it has another second space,
        InvalidField if it is the collection's own.
        """

    def lacking(self, name: str, space_id: str, ids: Sequence[str]) -> list[str]:
        """Which of the current space's points the other space lacks, of these ids.

        The others' payloads are brought in line; what is in the other space alone is deleted there.
        Raises SpaceMismatch if `space_id` is not the collection's other space.
        """

    def fill(self, name: str, space_id: str, points: Sequence[Point]) -> int:
        """Write points into the other space alone; how many were written.

        Their payload is the current one's, with what is given here added. Left out is what the other
        space has already, and what was deleted or replaced meanwhile: then `sha256`, which must be
        given, is another. Raises SpaceMismatch as `lacking`, WrongDimension, InvalidVector.
        """

    def switch_space(self, name: str, space_id: str) -> Collection:
        """Make the other space the current one, at once for all readers; labels stay.

        Repeating it is harmless. Raises SpaceMismatch if the collection has no such space.
        """

    def drop_space(self, name: str, space_id: str) -> None:
        """Drop the other space with its points; repeating it is harmless.

        Raises SpaceMismatch if it is the current one.
        """

    # -- points

    def upsert(
        self, name: str, points: Sequence[Point], *, made_for: Collection | None = None
    ) -> None:
        """Write or replace; acknowledged means it survives kill -9.

        A metadata field that is new gets an index, up to a bound: see `fields`. What is replaced loses
        its labels too. Payload keys `clusters` and `confidences` are left out: see `write_labels`.
        A point without a vector for the collection's other space is removed from that.

        `made_for`: the description that the vectors were made by; raises SpaceMismatch if the
        collection has other spaces by now. Raises WrongDimension, InvalidVector, InvalidField
        (payload that is not JSON). Then nothing is written.
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
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        """Set `clusters.<clustering>` of each id; deleted ids are skipped.

        Others keep theirs, or with `replace` lose them.
        A call reads the labels of a clustering as they were before or as they are after, never a
        mix; so does whoever opens the store after a crash in the middle.
        """

    def drop_labels(self, name: str, clustering: str) -> None:
        """Remove `clusters.<clustering>` everywhere."""

    # -- documents: runs, jobs and the like

    def put_document(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write or replace one JSON document."""

    def add_document(self, kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write a document unless there is one; the one that is there then.

        Of several processes that add it at the same time, all get the same one.
        """

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
