"""A collection of fifty images in two blobs, and jobs on it that compute in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.progress import silent
from lookalike_service.jobs.runner import Task
from lookalike_service.jobs.worker_process import compute
from lookalike_service.schemas.clusterings import ClusteringOut, ClusteringRequest
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.workflows import clustering
from tests.clouds import blobs
from tests.fakes.store import FakeStore

NAME, DIM = "c", 8
SPACE = Space("fake:m", "w", "avg", "p", DIM)
CLOUD = blobs(30, 20)
ONLY_A = {"must": [{"key": "metadata.label", "match": {"value": "a"}}]}


def point(key: str, vector: NDArray[np.float32], **metadata: Any) -> Point:
    payload = {"key": key, "source": None, "width": 1, "height": 1, "metadata": metadata}
    return Point(point_id(key), vector, payload)


class Meanwhile(FakeStore):
    """A store in which something happens once the vectors of a run are read."""

    def __init__(self) -> None:
        super().__init__()
        self.before_vectors: Callable[[], object] = lambda: None

    def vectors(
        self, name: str, *, filter: Any = None, batch: int = 1000
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        self.before_vectors()
        yield from super().vectors(name, filter=filter, batch=min(batch, 16))


def two_blobs() -> Meanwhile:
    """Fifty images in two blobs, labelled a and b in their metadata, keyed by their row."""
    opened = Meanwhile()
    opened.create_collection(Collection(NAME, SPACE, "2025-01-01T00:00:00+00:00"))
    labels = ["ab"[blob] for blob in CLOUD.truth]
    opened.upsert(
        NAME,
        [
            point(str(i), vector, label=label, i=i, few=i % 3 - 1, nested={"x": i})
            for i, (vector, label) in enumerate(zip(CLOUD.points, labels, strict=True))
        ],
    )
    return opened


def numbered(root: Path) -> Iterator[Path]:
    for i in itertools.count():
        (root / str(i)).mkdir()
        yield root / str(i)


def task(
    store: FakeStore,
    parameters: Mapping[str, Any],
    folder: Path,
    *,
    progress: Callable[[str, int, int | None], None] = silent,
    before_answer: Callable[[], object] = lambda: None,
) -> Task:
    """A task that computes here, with no process of its own."""

    def here(
        function: str, parameters: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        figures = compute(function, folder, parameters, progress)
        before_answer()
        return {p.stem: np.load(p, mmap_mode="r") for p in (folder / "out").glob("*.npy")}, figures

    return Task(store, NAME, parameters, folder, progress, here)


def clustered(store: FakeStore, folder: Path, **request: Any) -> ClusteringOut:
    body = ClusteringRequest(**{"parameters": {"k": 2}} | request)
    job = task(store, clustering.validate(store, NAME, body), folder)
    return ClusteringOut.model_validate(clustering.run(job))


def labels(store: FakeStore, name: str = "kmeans") -> dict[str, int]:
    records, _ = store.scroll(NAME, limit=1000)
    found = {r.payload["key"]: r.payload.get("clusters", {}) for r in records}
    return {key: of[name] for key, of in found.items() if name in of}
