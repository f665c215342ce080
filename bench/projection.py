"""Maps against the libraries that people use: UMAP, placing a point, PCA, neighbours of all points.

Each UMAP runs in a process of its own, so that imports and compilation count: umap-learn with its defaults,
and ours twice, the second time to see what the first one paid for being the first.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

START = time.perf_counter()  # before what a library's import takes

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from bench.vectors import clustered, nearest, recall  # noqa: E402

POINTS, DIM = 80_000, 512
PCA_DIM = 1280
NEIGHBOURS = 15
PLACED = 20
SEARCHED = 4_000
"""For so many of the points faiss is asked; its time grows with their number."""

Points = NDArray[np.float32]


def run() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        figures = _umap(Path(folder))
    return {**figures, **_pca(), **_neighbours()}


def _umap(folder: Path) -> dict[str, float]:
    from lookalike_service.analysis.projection.quality import measure  # noqa: PLC0415

    points = clustered(POINTS, DIM)
    np.save(folder / "points", points)
    for which in ("theirs", "ours"):
        subprocess.run([sys.executable, "-m", "bench.projection", which, str(folder)], check=True)
    found = {path.stem: dict(np.load(path)) for path in folder.glob("*.npz")}
    figures: dict[str, float] = {}
    for name in ("umap", "umap_learn"):
        quality = measure(points, found[name]["places"])
        assert quality is not None
        figures |= {
            f"{name}_trustworthiness": quality.trustworthiness,
            f"{name}_continuity": quality.continuity,
            f"{name}_kept": quality.kept,
        }
    seconds = {name: float(of["seconds"]) for name, of in found.items()}
    return figures | {
        "umap_s": seconds["umap"],
        "umap_again_s": seconds["umap_again"],
        "umap_learn_s": seconds["umap_learn"],
        "umap_ratio": seconds["umap"] / seconds["umap_learn"],
        "place_ms": seconds["placing"] * 1e3,
        "umap_learn_transform_ms": seconds["umap_learn_placing"] * 1e3,
        "first_place_s": seconds["first_placing"],
        "umap_learn_first_transform_s": seconds["umap_learn_first_placing"],
        "place_times_faster": seconds["umap_learn_placing"] / seconds["placing"],
    }


def ours(points: Points, folder: Path) -> None:
    """As a job does it: reduced where that is good enough, and laid out."""
    from lookalike_service.analysis.progress import silent  # noqa: PLC0415
    from lookalike_service.analysis.projection.before import reduce_before  # noqa: PLC0415
    from lookalike_service.analysis.projection.methods import project  # noqa: PLC0415
    from lookalike_service.analysis.projection.placing import (  # noqa: PLC0415
        anchor_arrays,
        load_placer,
    )

    for name, start in (("umap", START), ("umap_again", None)):
        begun = start or time.perf_counter()
        reduced, before, _ = reduce_before(points, "auto", seed=0, progress=silent)
        # Another number of neighbours the second time, or they would be remembered.
        places = project(reduced, "umap", {"n_neighbors": 15 if start else 16}).coordinates
        np.savez(folder / name, seconds=time.perf_counter() - begun, places=places)
    arrays = anchor_arrays(reduced, places, before, seed=0)
    begun = time.perf_counter()
    placer = load_placer(arrays)
    placer.place(points[:1] + np.float32(0.001))
    np.savez(folder / "first_placing", seconds=time.perf_counter() - begun)
    np.savez(folder / "placing", seconds=_each(points, placer.place))


def theirs(points: Points, folder: Path) -> None:
    from umap import UMAP  # noqa: PLC0415

    model = UMAP()
    places = model.fit_transform(points)
    np.savez(folder / "umap_learn", seconds=time.perf_counter() - START, places=places)
    start = time.perf_counter()
    model.transform(points[:1] + np.float32(0.001))
    np.savez(folder / "umap_learn_first_placing", seconds=time.perf_counter() - start)
    np.savez(folder / "umap_learn_placing", seconds=_each(points, model.transform))


def _each(points: Points, place: Callable[[Points], object]) -> float:
    """Seconds for one new point, of twenty, after one that is not counted."""
    new = points[: PLACED + 1] + np.float32(0.001)
    place(new[:1])
    start = time.perf_counter()
    for row in range(1, PLACED + 1):
        place(new[row : row + 1])
    return (time.perf_counter() - start) / PLACED


def _pca() -> dict[str, float]:
    from lookalike_service.analysis.projection.methods import project  # noqa: PLC0415

    points = clustered(POINTS, PCA_DIM)
    start = time.perf_counter()
    project(points, "pca", {})
    return {"pca_s": time.perf_counter() - start}


def _neighbours() -> dict[str, float]:
    import faiss  # noqa: PLC0415

    from lookalike_service.analysis.neighbour_graph import nearest_neighbours  # noqa: PLC0415

    points = clustered(POINTS, DIM)
    nearest_neighbours(points[:1000], NEIGHBOURS)
    start = time.perf_counter()
    graph = nearest_neighbours(points, NEIGHBOURS)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    _, found = faiss.knn(points[:SEARCHED], points, NEIGHBOURS + 1)
    faiss_seconds = (time.perf_counter() - start) * POINTS / SEARCHED
    wanted = nearest(points, points[:SEARCHED:40], NEIGHBOURS + 1)
    itself = np.arange(SEARCHED)[:, None]
    with_itself = np.hstack([itself, graph.indices[:SEARCHED]])
    return {
        "neighbours_s": seconds,
        "neighbours_faiss_s": faiss_seconds,
        "neighbours_ratio": seconds / faiss_seconds,
        "neighbours_recall": recall(with_itself[::40].tolist(), wanted),
        "neighbours_faiss_recall": recall(found[::40].tolist(), wanted),
    }


if __name__ == "__main__":
    {"ours": ours, "theirs": theirs}[sys.argv[1]](
        np.load(Path(sys.argv[2]) / "points.npy"), Path(sys.argv[2])
    )
