"""Indexing without a service stores what the service would, in a folder that no service has open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookalike import Lookalike, errors
from lookalike.results import FieldType
from lookalike_indexer.indexing import index_into
from lookalike_indexer.stages import Stages
from lookalike_indexer.targets import Target, open_direct
from lookalike_service.direct.engine import DirectEngine
from lookalike_service.direct.target import DirectTarget, open_target
from lookalike_service.encoders.pixels import PixelEncoder
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import StoreUnavailable
from lookalike_service.settings import Settings, get_settings
from lookalike_service.store.factory import open_store
from lookalike_service.store.protocol import Record
from tests.fakes.service import fake_server
from tests.fakes.store import FakeStore
from tests.pictures import broken, jpeg

MODEL = "pixels:8x8-grey"
FIELDS: dict[str, FieldType] = {"metadata.age": "integer"}


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("LOOKALIKE_MODEL", MODEL)
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "data"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seventy pictures in two folders, a copy, and a broken file."""
    root = tmp_path / "photos"
    for i in range(70):
        path = root / f"class{i % 2}" / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed=i))
    (root / "copy.jpg").write_bytes(jpeg(seed=3))
    (root / "broken.jpg").write_bytes(broken()["truncated jpeg"].data)
    return root


def faked(settings: Settings, store: FakeStore, name: str = "photos") -> DirectTarget:
    """A target on a store in memory."""
    stages = Stages()
    return DirectTarget(name, settings, store, DirectEngine(settings, store, stages), stages)


def test_a_folder_goes_into_an_embedded_store_and_a_second_run_reads_nothing(
    photos: Path, tmp_path: Path
) -> None:
    target: Target = open_target("photos", data=None, qdrant_url=None, model=None, stages=Stages())
    report = index_into(target, [photos], indexes=FIELDS)
    assert (report.created, report.duplicates, report.failed, report.total) == (70, 1, 1, 72)
    assert report.failures[0].code == "truncated_image"
    assert target.describe().indexes["metadata.age"] == "integer"
    assert set(report.busy) == {"read", "decode", "model", "store"}
    assert report.batch_size > 1
    target.close()
    store = open_store(get_settings())
    assert store.count("photos") == 70
    store.close()
    target = open_direct("photos", data=str(tmp_path / "data"))
    again = index_into(target, [photos])
    assert (again.skipped, again.failed, again.total) == (71, 1, 72)
    target.close()


def test_what_is_stored_is_what_the_service_stores(photos: Path, settings: Settings) -> None:
    served, direct = FakeStore(), FakeStore()
    encoder = PixelEncoder(EncoderSpec.parse(MODEL))
    with fake_server(encoder=encoder, store=served) as url, Lookalike(url) as client:
        client.collection("photos").index(photos, progress=None)
    target = faked(settings, direct)
    index_into(target, [photos])
    target.close()
    assert contents(direct) == contents(served)
    assert len(contents(served)) == 70


def contents(store: FakeStore) -> dict[str, tuple[str, list[float]]]:
    """Payload but for the time, and vector, of every point, by id."""
    records: list[Record] = store.scroll("photos", limit=1000)[0]
    ids = [record.id for record in records]
    whole = store.retrieve("photos", ids, vectors=True, thumbnails=True)
    return {
        record.id: (
            json.dumps(
                {k: v for k, v in record.payload.items() if k != "indexed_at"}, sort_keys=True
            ),
            [round(float(x), 5) for x in record.vector if record.vector is not None],
        )
        for record in whole
        if record.vector is not None
    }


def test_a_folder_that_a_service_has_open_is_refused_with_its_process_named(
    settings: Settings,
) -> None:
    store = open_store(settings)
    try:
        with pytest.raises(errors.StoreLocked) as caught:
            open_direct("photos")
    finally:
        store.close()
    assert str(settings.data) in caught.value.detail
    assert "in use by process" in caught.value.detail
    assert "without --direct" in caught.value.detail


def test_another_model_than_the_collections_is_refused(settings: Settings) -> None:
    target = faked(settings, FakeStore())
    target.create(model=None, indexes={})
    target.create(model=MODEL, indexes=FIELDS)
    assert target.describe().indexes == FIELDS
    with pytest.raises(errors.CollectionExists, match="is of encoder"):
        target.create(model="pixels:16x16-rgb", indexes={})
    target.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "no/name"}, "no/name"),
        ({"data": "a", "qdrant_url": "http://b"}, "two stores"),
    ],
)
def test_what_cannot_be_opened_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidInput, match=words):
        open_direct(**{"name": "photos", **arguments})


def test_unknown_collections_and_images_are_the_clients_errors(settings: Settings) -> None:
    target = faked(settings, FakeStore())
    with pytest.raises(errors.UnknownCollection):
        target.describe()
    target.create(model=None, indexes={})
    with pytest.raises(errors.UnknownImage):
        target.update("none", {})
    assert target.delete(["none"]) == 0
    target.close()


def test_a_store_that_is_away_for_a_moment_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky(FakeStore):
        failures = 2

        def retrieve(self, *args: object, **kwargs: object) -> list[Record]:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("away", retry_after=1)
            return super().retrieve(*args, **kwargs)  # type: ignore[arg-type] # passed on

    slept: list[float] = []
    monkeypatch.setattr("lookalike_service.direct.target.time.sleep", slept.append)
    store = Flaky()
    target = faked(settings, store)
    target.create(model=None, indexes={})
    result = target.add([jpeg()], ids=["a"], metadata=[{}], sources=["a.jpg"])
    assert result.created == 1
    assert len(slept) == 2
    store.failures = 100
    with pytest.raises(errors.StoreUnavailable):
        target.add([jpeg()], ids=["a"], metadata=[{}], sources=["a.jpg"])
    target.close()


def test_neither_analyses_nor_torch_are_imported_until_they_are_needed() -> None:
    script = "import sys, lookalike_service.direct.target; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not {b"torch", b"scipy", b"sklearn", b"numba"} & set(done.stdout.split())
