"""Vectors over raw gRPC, from a server of this test that speaks Qdrant's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client import grpc as qdrant_grpc

from lookalike_service.errors import Internal, UnknownCollection
from lookalike_service.store.filters import EVERYTHING, has_ids
from lookalike_service.store.options import ServerOptions
from lookalike_service.store.protocol import point_id
from lookalike_service.store.server_engine import ServerEngine
from tests.contract.stores import DIM, vector

IDS = sorted(point_id(str(seed)) for seed in range(10))
ROWS = np.stack([vector(seed) for seed in range(10)])


class Points(qdrant_grpc.PointsServicer):
    """Ten points, one of which may lack its vector; the older of the two wire forms at odd places."""

    def Scroll(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 (protocol)
        if request.collection_name != "c":
            context.abort(grpc.StatusCode.NOT_FOUND, "Collection doesn't exist!")
        assert list(request.with_vectors.include.names) == ["v"]
        assert not request.with_payload.enable
        wanted = set(IDS)
        for condition in request.filter.must:
            wanted &= {id.uuid for id in condition.has_id.has_id}
        begin = IDS.index(request.offset.uuid) if request.HasField("offset") else 0
        matching = [i for i in range(begin, len(IDS)) if IDS[i] in wanted]
        page, rest = matching[: request.limit], matching[request.limit :]
        return qdrant_grpc.ScrollResponse(
            result=[self.point(i) for i in page],
            next_page_offset=qdrant_grpc.PointId(uuid=IDS[rest[0]]) if rest else None,
        )

    @staticmethod
    def point(i: int) -> Any:
        numbers = ROWS[i].tolist()
        stored = (
            qdrant_grpc.VectorOutput(data=numbers)
            if i % 2
            else qdrant_grpc.VectorOutput(dense=qdrant_grpc.DenseVector(data=numbers))
        )
        vectors = qdrant_grpc.NamedVectorsOutput(vectors={"v": stored})
        return qdrant_grpc.RetrievedPoint(
            id=qdrant_grpc.PointId(uuid=IDS[i]), vectors=qdrant_grpc.VectorsOutput(vectors=vectors)
        )


@pytest.fixture(scope="module")
def engine() -> Iterator[ServerEngine]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service = qdrant_grpc.points_service_pb2_grpc
    service.add_PointsServicer_to_server(Points(), server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = QdrantClient(
        host="127.0.0.1", grpc_port=port, prefer_grpc=True, check_compatibility=False
    )
    yield ServerEngine(client, ServerOptions())
    client.close()
    server.stop(None)


def read(engine: ServerEngine, where: Any, limit: int) -> tuple[list[str], list[Any]]:
    ids, rows = list[str](), list[Any]()
    start: str | None = None
    while True:
        page, numbers, start = engine.vectors(
            "c", where, vector="v", dim=DIM, limit=limit, start=start
        )
        ids += page
        rows += list(numbers)
        if start is None:
            return ids, rows


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_all_vectors_come_in_pages(engine: ServerEngine, limit: int) -> None:
    ids, rows = read(engine, EVERYTHING, limit)
    assert ids == IDS
    np.testing.assert_array_equal(np.stack(rows), ROWS)


def test_a_filter_goes_along(engine: ServerEngine) -> None:
    ids, rows = read(engine, has_ids(IDS[3:5]), 10)
    assert ids == IDS[3:5]
    np.testing.assert_array_equal(np.stack(rows), ROWS[3:5])


def test_what_goes_wrong_has_its_usual_name(engine: ServerEngine) -> None:
    with pytest.raises(UnknownCollection, match="'other'"):
        engine.vectors("other", EVERYTHING, vector="v", dim=DIM, limit=1, start=None)


def test_a_point_without_the_vector_is_a_fault(
    engine: ServerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = qdrant_grpc.RetrievedPoint(id=qdrant_grpc.PointId(uuid=IDS[0]))
    monkeypatch.setattr(Points, "point", staticmethod(lambda _: bare))
    with pytest.raises(Internal, match="'v'"):
        engine.vectors("c", EVERYTHING, vector="v", dim=DIM, limit=1, start=None)
