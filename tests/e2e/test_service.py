"""The service as users run it, driven by the SDK: real weights, real store, real processes."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from examples.demo.server import LiveService
from lookalike import Lookalike
from lookalike.errors import UnknownCollection
from tests.e2e.live import live_service
from tests.pictures import broken, encoded, photograph

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="module")
def client(service: LiveService) -> Iterator[Lookalike]:
    with Lookalike(service.url) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Overlapping tiles of four photographs, a folder each, and one broken file."""
    root = tmp_path_factory.mktemp("pictures")
    for name in PHOTOS:
        pixels = photograph(name)
        height, width = (int(side * 0.6) for side in pixels.shape[:2])
        (root / name).mkdir()
        for i in range(9):
            top = (i // 3) * (pixels.shape[0] - height) // 2
            left = (i % 3) * (pixels.shape[1] - width) // 2
            tile = pixels[top : top + height, left : left + width]
            (root / name / f"{i}.jpg").write_bytes(encoded(tile, "jpeg", quality=90))
    (root / "broken.jpg").write_bytes(broken()["truncated jpeg"].data)
    return root


@pytest.fixture(scope="module")
def indexed(client: Lookalike, folder: Path) -> str:
    report = client.collection("tiles").index(folder, progress=None)
    assert (report.created, report.failed) == (36, 1)
    return "tiles"


def test_indexing_again_changes_nothing(client: Lookalike, indexed: str, folder: Path) -> None:
    report = client.collection(indexed).index(folder, progress=None, recheck=True)
    assert (report.created, report.updated, report.unchanged) == (0, 0, 36)
    assert client.collection(indexed).describe().points == 36


def test_the_neighbours_of_a_tile_are_of_its_photograph(client: Lookalike, indexed: str) -> None:
    collection = client.collection(indexed)
    right = []
    for image in collection.images():
        hits = collection.search(id=image.id, limit=3)
        right += [hit.metadata["label"] == image.metadata["label"] for hit in hits]
    assert np.mean(right) > 0.95


def test_a_filter_restricts_the_hits(client: Lookalike, indexed: str, folder: Path) -> None:
    only = {"must": [{"key": "metadata.label", "match": {"value": "coffee"}}]}
    query = folder / "chelsea" / "0.jpg"
    hits = client.collection(indexed).search(query, filter=only, limit=20)
    assert len(hits) == 9
    assert {hit.metadata["label"] for hit in hits} == {"coffee"}


def test_concurrent_single_images_reach_the_model_as_batches(
    service: LiveService, folder: Path
) -> None:
    images = [path.read_bytes() for path in sorted(folder.glob("*/*.jpg"))]
    before, accepted = _batches(service), _accepted(service)
    with httpx.Client(base_url=service.url) as http, ThreadPoolExecutor(32) as pool:

        def post(data: bytes) -> int:
            headers = {"content-type": "image/jpeg"}
            return http.post("/v1/embed", content=data, headers=headers).status_code

        assert set(pool.map(post, images * 6)) == {200}
    after = _batches(service)
    count, images_seen = after[0] - before[0], after[1] - before[1]
    assert _accepted(service) - accepted == len(images) * 6
    canaries = (
        images_seen - len(images) * 6
    )  # which the service embeds past the queue, to see if it can
    assert 0 <= canaries <= 5
    assert images_seen / count > 2, f"{images_seen} images in {count} passes"


def _batches(service: LiveService) -> tuple[float, float]:
    """Passes of the model, and images in them, so far."""
    text = httpx.get(f"{service.url}/metrics").text
    values = re.findall(r"^lookalike_batch_size_(?:count|sum) (\S+)$", text, re.MULTILINE)
    return float(values[0]), float(values[1])


def _accepted(service: LiveService) -> float:
    """Images that had their turns so far."""
    text = httpx.get(f"{service.url}/metrics").text
    name = r"lookalike_queue_wait_seconds_count\{[^}]*\}"
    return sum(map(float, re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)))


def test_an_explanation_shows_both_sides(client: Lookalike, folder: Path) -> None:
    pair = folder / "chelsea" / "0.jpg", folder / "chelsea" / "1.jpg"
    explanation = client.explain(*pair)
    assert explanation.target == "similarity"
    assert explanation.reference_map is not None
    assert not explanation.map.empty
    assert np.max(explanation.map.grid) == 1
    png = client.explain(*pair, as_png=True)
    assert Image.open(io.BytesIO(png)).format == "PNG"


def test_clusters_come_back_with_hits(client: Lookalike, indexed: str) -> None:
    collection = client.collection(indexed)
    status = collection.cluster("kmeans", {"k": 4}).wait(timeout=120)
    assert status.result is not None
    run = collection.clustering("kmeans")
    assert sum(cluster.size for cluster in run.clusters) == 36
    images = {image.id: image for image in collection.images()}
    assert {cluster.medoid for cluster in run.clusters} <= set(images)
    by_label = {name: set[int]() for name in PHOTOS}
    for image in images.values():
        by_label[image.metadata["label"]].add(image.clusters["kmeans"])
    assert sum(len(found) == 1 for found in by_label.values()) >= 3, by_label
    cluster = {"must": [{"key": "clusters.kmeans", "match": {"value": run.clusters[0].label}}]}
    assert len(list(collection.images(filter=cluster))) == run.clusters[0].size


def test_a_map_is_drawn_and_new_images_are_placed_on_it(
    client: Lookalike, indexed: str, folder: Path
) -> None:
    collection = client.collection(indexed)
    collection.project("umap").wait(timeout=240)
    run = collection.projection("umap")
    assert len(run.ids) == len(run.coordinates) == 36
    png = collection.projection_image("umap", color="metadata.label")
    assert Image.open(io.BytesIO(png)).format == "PNG"
    place = dict(zip(run.ids, run.coordinates, strict=True))
    answer = collection.place("umap", [folder / "rocket" / "4.jpg", folder / "coffee" / "4.jpg"])
    found = np.array([item.coordinates for item in answer])
    wanted = np.array([place["rocket/4.jpg"], place["coffee/4.jpg"]])
    np.testing.assert_allclose(found, wanted, atol=0.2)


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, folder: Path) -> None:
    with live_service(tmp_path) as started, Lookalike(started.url) as client:
        client.collection("kept").index(folder, progress=None)
        job = client.collection("kept").project("umap")
        started.process.send_signal(signal.SIGKILL)
        started.process.wait()
    with live_service(tmp_path) as started, Lookalike(started.url) as client:
        assert client.collection("kept").describe().points == 36
        assert client.job(job.id).wait(timeout=240).state == "succeeded"
        assert len(client.collection("kept").projection("umap").ids) == 36


def test_a_dropped_collection_takes_its_runs_along(client: Lookalike, folder: Path) -> None:
    collection = client.create_collection("short-lived")
    collection.add([folder / "coffee" / f"{i}.jpg" for i in range(4)])
    collection.cluster("kmeans", {"k": 2}).wait(timeout=120)
    client.delete_collection("short-lived")
    with pytest.raises(UnknownCollection):
        collection.describe()
    client.create_collection("short-lived")
    assert not list(collection.clusterings())


def test_sigterm_ends_the_service_and_its_processes(tmp_path: Path) -> None:
    import psutil

    with live_service(tmp_path) as started:
        family = psutil.Process(started.process.pid).children(recursive=True)
        os.kill(started.process.pid, signal.SIGTERM)
        # uvicorn shuts down, then ends by the signal it was given.
        assert started.process.wait(30) in (0, -signal.SIGTERM)
        assert "Application shutdown complete" in started.log.read_text()
        _, alive = psutil.wait_procs(family, timeout=15)
        assert not alive
