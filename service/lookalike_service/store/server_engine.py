"""A Qdrant server as an engine, through its client."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.local.qdrant_local import QdrantLocal
from qdrant_client.qdrant_remote import QdrantRemote

from lookalike_service.errors import (
    CollectionExists,
    Conflict,
    Internal,
    InvalidFilter,
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
)
from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import EVERYTHING, Where
from lookalike_service.store.grpc_vectors import read_vectors
from lookalike_service.store.options import OVERSAMPLING, Quantization, ServerOptions
from lookalike_service.store.planner import Effort, effort
from lookalike_service.store.protocol import FieldType, Hit, Record, Stats
from lookalike_service.store.server_filters import server_filter

_SCHEMA = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}
_QUANTIZATION: dict[Quantization, models.ScalarQuantization | models.BinaryQuantization | None] = {
    "none": None,
    "scalar": models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, quantile=0.99, always_ram=True
        )
    ),
    "binary": models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
}
_M = 16
_SCROLL_SECONDS = 60
_MOST_VALUES = 100_000
_AWAY = frozenset({408, 429, 500, 502, 503, 504})
_AWAY_GRPC = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
    }
)


class ServerEngine:
    """An `Engine` over a `QdrantClient`. Writes wait until the server has applied them."""

    def __init__(self, client: QdrantClient, options: ServerOptions) -> None:
        self._client = client
        self._options = options
        # The client's in-memory mode, alone, is not thread-safe.
        inner = client._client
        self._local = isinstance(inner, QdrantLocal)
        over_grpc = client.init_options.get("prefer_grpc")
        self._grpc = inner if over_grpc and isinstance(inner, QdrantRemote) else None
        self._guard: AbstractContextManager[Any] = (
            threading.RLock() if self._local else nullcontext()
        )

    def ping(self) -> None:
        """See `Engine`."""
        with self._calling("any"):
            self._client.get_collections()

    def close(self) -> None:
        """See `Engine`."""
        self._client.close()

    # -- collections

    def create(self, name: str, vector: str, dim: int) -> None:
        """See `Engine`."""
        with suppress(Conflict), self._calling(name):  # another replica may be as quick
            if not self._client.collection_exists(name):
                self._client.create_collection(
                    name,
                    vectors_config={
                        vector: models.VectorParams(
                            size=dim,
                            distance=models.Distance.COSINE,
                            on_disk=self._options.vectors_on_disk,
                        )
                    },
                    quantization_config=_QUANTIZATION[self._options.quantization],
                    shard_number=self._options.shards,
                    replication_factor=self._options.replicas,
                    write_consistency_factor=self._options.write_consistency,
                )
        with self._calling(name):
            vectors = self._client.get_collection(name).config.params.vectors
        if not isinstance(vectors, dict) or vector not in vectors:
            raise CollectionExists(
                f"collection {name!r} holds vectors of another space; delete it or choose "
                "another name"
            )

    def drop(self, name: str) -> None:
        """See `Engine`."""
        with self._calling(name):
            self._client.delete_collection(name)

    def create_index(self, name: str, path: str, type: FieldType) -> None:
        """See `Engine`. The client's in-memory mode has none, and answers the same without."""
        if self._local:
            return
        with self._calling(name):
            self._client.create_payload_index(name, path, _SCHEMA[type], wait=True)

    # -- points

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
        """See `Engine`."""
        rows: Sequence[Any] = [{}] * len(ids)
        if vector is not None and vectors is not None:
            rows = [{vector: row} for row in vectors.tolist()]
        points = [
            models.PointStruct(id=id, vector=row, payload=dict(payload))
            for id, row, payload in zip(ids, rows, payloads, strict=True)
        ]
        with self._calling(name):
            mode = models.UpdateMode.INSERT_ONLY if insert_only else None
            self._client.upsert(name, points, wait=True, update_mode=mode)

    def delete(self, name: str, where: Where) -> None:
        """See `Engine`."""
        with self._calling(name):
            self._client.delete(name, models.FilterSelector(filter=server_filter(where)), wait=True)

    def set_payload(
        self, name: str, where: Where, payload: Mapping[str, Any], within: str | None = None
    ) -> None:
        """See `Engine`."""
        with self._calling(name):
            self._client.set_payload(
                name, dict(payload), points=server_filter(where), key=within, wait=True
            )

    def delete_payload(self, name: str, where: Where, path: str) -> None:
        """See `Engine`."""
        with self._calling(name):
            self._client.delete_payload(name, [path], points=server_filter(where), wait=True)

    def count(self, name: str, where: Where) -> int:
        """See `Engine`."""
        with self._calling(name):
            return self._client.count(name, server_filter(where), exact=True).count

    def retrieve(
        self, name: str, ids: Sequence[str], *, vector: str | None, without: Sequence[str]
    ) -> list[Record]:
        """See `Engine`."""
        with self._calling(name):
            found = self._client.retrieve(
                name, list(ids), with_payload=_without(without), with_vectors=_named(vector)
            )
        return [_record(point, vector) for point in found]

    def scroll(
        self, name: str, where: Where, *, limit: int, start: str | None, without: Sequence[str]
    ) -> tuple[list[Record], str | None]:
        """See `Engine`."""
        with self._calling(name):
            found, following = self._client.scroll(
                name,
                server_filter(where),
                limit=limit,
                offset=start,
                with_payload=_without(without),
                with_vectors=False,
            )
        return [_record(point, None) for point in found], _id(following)

    def ids(
        self, name: str, where: Where, *, limit: int, start: str | None
    ) -> tuple[list[str], str | None]:
        """See `Engine`."""
        found, following = self._page(name, where, limit, start, payload=False, vector=None)
        return [str(point.id) for point in found], following

    def vectors(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], NDArray[np.float32], str | None]:
        """See `Engine`."""
        if self._grpc is not None:
            with self._calling(name):
                return read_vectors(
                    *(self._grpc, name, where),
                    vector=vector,
                    dim=dim,
                    limit=limit,
                    start=start,
                    timeout=_SCROLL_SECONDS,
                )
        found, following = self._page(name, where, limit, start, payload=False, vector=vector)
        return [str(point.id) for point in found], _rows(found, vector, dim), following

    def points(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], list[dict[str, Any]], NDArray[np.float32], str | None]:
        """See `Engine`."""
        found, following = self._page(name, where, limit, start, payload=True, vector=vector)
        payloads = [point.payload or {} for point in found]
        return [str(point.id) for point in found], payloads, _rows(found, vector, dim), following

    def _page(
        self,
        name: str,
        where: Where,
        limit: int,
        start: str | None,
        *,
        payload: bool,
        vector: str | None,
    ) -> tuple[list[models.Record], str | None]:
        with self._calling(name):
            found, following = self._client.scroll(
                name,
                server_filter(where),
                limit=limit,
                offset=start,
                with_payload=payload,
                with_vectors=_named(vector),
            )
        return found, _id(following)

    def nearest(
        self, name: str, queries: Sequence[Nearest], *, vector: str, without: Sequence[str]
    ) -> list[list[Hit]]:
        """See `Engine`."""
        requests = [self._request(name, query, vector, without) for query in queries]
        with self._calling(name):
            answers = self._client.query_batch_points(name, requests)
        return [[_hit(point, vector) for point in answer.points] for answer in answers]

    def _request(
        self, name: str, asked: Nearest, vector: str, without: Sequence[str]
    ) -> models.QueryRequest:
        return models.QueryRequest(
            query=asked.query.tolist(),
            using=vector,
            filter=server_filter(asked.where),
            limit=asked.limit,
            with_payload=_without(without),
            with_vector=_named(vector if asked.vectors else None),
            params=None if self._local else self._params(self._effort(name, asked)),
        )

    def _params(self, chosen: Effort) -> models.SearchParams:
        acorn = models.AcornSearchParams(enable=True, max_selectivity=1.0)
        oversampling = OVERSAMPLING.get(self._options.quantization)
        return models.SearchParams(
            hnsw_ef=chosen.ef,
            exact=chosen.exact,
            acorn=acorn if chosen.acorn else None,
            quantization=models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
            if oversampling
            else None,
        )

    def _effort(self, name: str, asked: Nearest) -> Effort:
        """What the planner says; it needs the counts under a filter alone."""
        matching = total = len(asked.query)  # any, as long as they are equal
        if asked.where != EVERYTHING and not asked.exact:
            with self._calling(name):
                total = self._client.count(name, exact=False).count
                matching = self._client.count(name, server_filter(asked.where), exact=False).count
        return effort(
            matching=matching,
            total=total,
            dim=len(asked.query),
            limit=asked.limit,
            exact=asked.exact,
            ef=asked.ef,
        )

    def facets(self, name: str, where: Where, path: str) -> list[tuple[str | int | bool, int]]:
        """See `Engine`."""
        with self._calling(name):
            found = self._client.facet(
                name, path, facet_filter=server_filter(where), limit=_MOST_VALUES, exact=True
            )
        return [(hit.value, hit.count) for hit in found.hits if hit.count]

    def stats(self, name: str) -> Stats:
        """See `Engine`."""
        with self._calling(name):
            info = self._client.get_collection(name)
        building = info.status == models.CollectionStatus.YELLOW
        return Stats(info.points_count or 0, info.indexed_vectors_count or 0, building)

    def hold_index(self, name: str, held: bool) -> None:
        """See `Engine`. A graph of no links is none."""
        with self._calling(name):
            self._client.update_collection(
                name, hnsw_config=models.HnswConfigDiff(m=0 if held else _M)
            )

    @contextmanager
    def _calling(self, name: str) -> Iterator[None]:
        """One call of the client about this collection, its errors in our words."""
        with self._guard:
            try:
                yield
            except ResponseHandlingException as error:
                raise StoreUnavailable(f"the Qdrant server does not answer: {error}") from error
            except UnexpectedResponse as error:
                raise rest_error(name, error) from error
            except grpc.RpcError as error:
                raise grpc_error(name, error) from error
            except ValueError as error:  # the client's in-memory mode
                raise _refused(name, "not found" in str(error).lower(), str(error)) from error


def rest_error(name: str, error: UnexpectedResponse) -> LookalikeError:
    """What an answer over REST that is not a success means to the caller."""
    detail = error.content.decode(errors="replace") or error.reason_phrase
    if error.status_code in _AWAY:
        return StoreUnavailable(f"the Qdrant server failed: {error.status_code} {detail}")
    if error.status_code == 409:
        return CollectionExists(detail)
    return _refused(name, error.status_code == 404, detail)


def grpc_error(name: str, error: grpc.RpcError) -> LookalikeError:
    """What a failed call over gRPC means to the caller."""
    if not isinstance(error, grpc.Call):
        return StoreUnavailable(f"the Qdrant server does not answer: {error}")
    code, detail = error.code(), error.details() or ""
    if code in _AWAY_GRPC:
        return StoreUnavailable(f"the Qdrant server does not answer: {code.name} {detail}")
    if code == grpc.StatusCode.ALREADY_EXISTS:
        return CollectionExists(detail)
    return _refused(name, code == grpc.StatusCode.NOT_FOUND, detail)


def _refused(name: str, missing: bool, detail: str) -> LookalikeError:
    if "vector name" in detail or ("ector" in detail and "is not found" in detail):
        return SpaceMismatch(f"collection {name!r} holds vectors of another space")
    if "Index required" in detail:  # strict mode
        return InvalidFilter(f"this Qdrant server filters by indexed fields alone: {detail}")
    if missing:
        return UnknownCollection(f"there is no collection {name!r}")
    return Internal(f"the Qdrant server refused: {detail}")


def _without(keys: Sequence[str]) -> models.PayloadSelectorExclude:
    return models.PayloadSelectorExclude(exclude=list(keys))


def _named(vector: str | None) -> bool | list[str]:
    return False if vector is None else [vector]


def _id(id: object) -> str | None:
    return None if id is None else str(id)


def _record(point: models.Record, vector: str | None) -> Record:
    return Record(
        id=str(point.id),
        payload=point.payload or {},
        vector=None if vector is None else _vector(point.vector, vector),
    )


def _hit(point: models.ScoredPoint, vector: str) -> Hit:
    return Hit(
        id=str(point.id),
        score=point.score,
        payload=point.payload or {},
        vector=None if point.vector is None else _vector(point.vector, vector),
    )


def _rows(found: Sequence[models.Record], vector: str, dim: int) -> NDArray[np.float32]:
    rows = np.empty((len(found), dim), np.float32)
    for row, point in zip(rows, found, strict=True):
        row[:] = _vector(point.vector, vector)
    return rows


def _vector(vectors: object, name: str) -> NDArray[np.float32]:
    if not isinstance(vectors, dict) or name not in vectors:
        raise Internal(f"a stored point has no vector {name!r}")
    return np.asarray(vectors[name], np.float32)
