"""The protocol of document 002 on labelled pictures, through the service: index, cluster, judge, save.

As in tests/unit/test_document_002.py, but from files, some of them broken, to the pictures of the cluster of
interest. Photos of clothes stand in for the study's scans.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.encoders import loaded
from tests.fakes.analyses import clustered, numbered
from tests.fakes.service import FakeService, fake_app
from tests.fakes.store import FakeStore

SHARED = Path(os.environ.get("LOOKALIKE_SHARED", Path(__file__).parents[2].parent / "shared"))
PICTURES = SHARED / "data" / "clothing" / "test"
CLASSES = ("shoes", "pants", "longsleeve", "dress")
WANTED, EACH = "shoes", 12

pytestmark = pytest.mark.skipif(not PICTURES.is_dir(), reason="needs the shared pictures")


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    from starlette.testclient import TestClient

    encoder, store = loaded(), FakeStore()
    with TestClient(fake_app(encoder, store, originals=PICTURES), "http://127.0.0.1") as client:
        yield FakeService(client, encoder, store)  # type: ignore[arg-type] # a real one this time


def files() -> list[tuple[str, bytes]]:
    """Source and bytes of so many pictures of each class, and of one that breaks off."""
    found = [
        (str(path.relative_to(PICTURES)), path.read_bytes())
        for name in CLASSES
        for path in sorted((PICTURES / name).iterdir())[:EACH]
    ]
    return [*found, ("shoes/broken.jpg", found[0][1][:2000])]


def test_the_cluster_of_interest_is_found_judged_and_saved(
    service: FakeService, tmp_path: Path
) -> None:
    client, found = service.client, files()
    assert client.put("/v1/collections/c", json={}).is_success
    metadata = [{"label": source.split("/")[0]} for source, _ in found]
    data = {
        "ids": json.dumps([source for source, _ in found]),
        "sources": json.dumps([source for source, _ in found]),
        "metadata": json.dumps(metadata),
    }
    parts = [("images", (source, content)) for source, content in found]
    indexed = client.post("/v1/collections/c/images", files=parts, data=data).json()
    assert indexed["failed"] == 1
    assert indexed["items"][-1]["error"]["code"] == "truncated_image"

    run = clustered(
        service.store,
        next(numbered(tmp_path)),
        parameters={"k": [3, 6]},
        reduction="pca:0.8",
    )
    assert run.diagnostics["hopkins"] is not None
    assert run.diagnostics["hopkins"] > 0.5, "there is structure before anything is fitted"
    asked = {"field": "metadata.label", "value": WANTED, "precision_weight": "0.3"}
    url = "/v1/collections/c/clusterings/kmeans"
    agreement = client.get(f"{url}/agreement", params=asked).json()
    assert agreement["points"] == len(CLASSES) * EACH
    assert agreement["figures"]["rand"] > 0.6
    held = agreement["holding"]
    assert held["quality"] >= 0.9, "as well as people do it by hand"

    labels = {"label": held["clusters"], "format": "zip", "images": "original"}
    with zipfile.ZipFile(io.BytesIO(client.get(f"{url}/export", params=labels).content)) as archive:
        listed = [json.loads(line) for line in archive.read("images.jsonl").splitlines()]
        saved = {row["id"]: archive.read(row["file"]) for row in listed}
    assert saved.items() <= dict(found).items(), "byte for byte"
    hits = sum(source.startswith(WANTED) for source in saved)
    precision, recall = hits / len(saved), hits / EACH
    assert held["quality"] == pytest.approx(0.3 * precision + 0.7 * recall)
