"""What a training is given of a collection, and that one job is one model whatever happens meanwhile."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.analysis.progress import silent
from lookalike_service.errors import InvalidParameters, TrainingExists
from lookalike_service.images import thumbnail
from lookalike_service.jobs.runner import JobRunner, Task
from lookalike_service.jobs.worker_process import compute
from lookalike_service.schemas.trainings import AutoencoderRequest, HeadRequest
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows import training
from lookalike_service.workflows.kinds import JOB_KINDS
from lookalike_service.workflows.training_data import gather_pictures
from tests.fakes.jobs import finished, until
from tests.fakes.store import FakeStore
from tests.pictures import encoded, scene

COUNT = 20
pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = AutoencoderRequest(kind="autoencoder", dim=4, size=16, epochs=3, batch_size=8)


class Killed(Exception):
    """Stands for kill -9."""


@pytest.fixture
def store() -> FakeStore:
    """Twenty pictures, each with its thumbnail, of a source that is not there."""
    opened = FakeStore()
    opened.create_collection(Collection("c", Space("fake:m", "w", "avg", "p", 8), "2025-01-01"))
    vectors = np.random.default_rng(0).normal(size=(COUNT, 8))
    opened.upsert("c", [point(i, vector) for i, vector in enumerate(vectors)])
    return opened


def point(i: int, vector: NDArray[np.float64], **changes: Any) -> Point:
    payload = {
        "key": str(i), "source": f"/nowhere/{i}.png", "sha256": "0" * 64,
        "metadata": {"label": i % 2}, "thumbnail": as_text(scene(seed=i)),
    }  # fmt: skip
    return Point(
        point_id(str(i)), (vector / np.linalg.norm(vector)).astype(np.float32), payload | changes
    )


def as_text(rgb: NDArray[np.uint8]) -> str:
    return base64.b64encode(thumbnail(rgb)).decode()


def task(
    store: FakeStore,
    root: Path,
    request: AutoencoderRequest | HeadRequest = SMALL,
    *,
    progress: Callable[[str, int, int | None], None] = silent,
    **settings: Any,
) -> Task:
    """A task that computes here, in a new folder."""
    folder = root / str(len(list(root.iterdir())))
    folder.mkdir()

    def here(
        function: str, parameters: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        figures = compute(function, folder, parameters, progress)
        return {p.stem: np.load(p) for p in (folder / "out").glob("*.npy")}, figures

    configured = Settings(models_dir=root / "models", **settings)
    parameters = request.model_dump(mode="json")
    return Task(store, "c", parameters, folder, progress, here, configured)


def change(store: FakeStore, i: int, **payload: Any) -> None:
    vector = np.ones(8)
    store.upsert("c", [point(i, vector, **payload)])


# -- pictures


def test_thumbnails_are_read_as_the_encoder_will_see_them(store: FakeStore, tmp_path: Path) -> None:
    job = task(store, tmp_path)
    gathered = gather_pictures(job, 16)
    pictures = np.load(job.folder / "pictures.npy")
    assert (pictures.shape, pictures.dtype) == ((COUNT, 16, 16, 3), np.uint8)
    assert (gathered.points, gathered.from_originals, gathered.unused) == (COUNT, 0, 0)
    first = min(range(COUNT), key=lambda i: point_id(str(i)))
    small = scene(16, 16, seed=first).astype(int)
    assert np.abs(pictures[0].astype(int) - small).mean() < 12


def test_pictures_that_cannot_be_read_are_listed_and_stop_nothing(
    store: FakeStore, tmp_path: Path
) -> None:
    change(store, 3, thumbnail="")
    change(store, 7, thumbnail=base64.b64encode(b"no picture").decode())
    job = task(store, tmp_path)
    gathered = gather_pictures(job, 16)
    assert np.load(job.folder / "pictures.npy").shape[0] == gathered.points == COUNT - 2
    found = {image.id: image.code for image in gathered.unused_images}
    assert found == {"3": "empty_image", "7": "unsupported_image"}


def test_too_few_pictures_that_can_be_read_are_refused(store: FakeStore, tmp_path: Path) -> None:
    for i in range(5):
        change(store, i, thumbnail="")
    with pytest.raises(InvalidParameters, match="15 pictures"):
        gather_pictures(task(store, tmp_path), 16)


def test_an_original_is_read_in_the_allowed_folder_where_its_bytes_are_those_indexed(
    store: FakeStore, tmp_path: Path
) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    for folder in (allowed, other):
        folder.mkdir()
    red = encoded(np.full((64, 64, 3), (255, 0, 0), np.uint8), "png")
    sha256 = hashlib.sha256(red).hexdigest()
    (allowed / "link.png").symlink_to(other / "red.png")
    for file in (allowed / "red.png", other / "red.png"):
        file.write_bytes(red)
    sources = {
        0: (str(allowed / "red.png"), sha256),
        1: ("red.png", sha256),
        2: (str(allowed / "red.png"), "1" * 64),
        3: (str(other / "red.png"), sha256),
        4: ("../other/red.png", sha256),
        5: (str(allowed / "link.png"), sha256),
        6: (str(allowed), sha256),
        7: ("a\0b", sha256),
        8: ("x" * 5000, sha256),
    }
    for i, (source, digest) in sources.items():
        change(store, i, source=source, sha256=digest)
    job = task(store, tmp_path, originals=allowed)
    assert gather_pictures(job, 16).from_originals == 2
    pictures = np.load(job.folder / "pictures.npy")
    assert int((pictures == (255, 0, 0)).all(axis=(1, 2, 3)).sum()) == 2
    assert gather_pictures(task(store, tmp_path), 16).from_originals == 0, "none is allowed"


# -- one job, one model


def test_a_job_killed_in_an_epoch_goes_on_from_the_last_whole_one(
    store: FakeStore, tmp_path: Path
) -> None:
    def kill(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("epoch 3"):
            raise Killed

    with pytest.raises(Killed):
        training.run(task(store, tmp_path, progress=kill))
    models = ModelsFolder(tmp_path / "models")
    assert models.specs() == [], "what is not done is not offered"
    assert training.run(task(store, tmp_path))["resumed_after"] == 2
    assert models.specs() == [f"autoencoder:{tmp_path / 'models' / 'c' / 'autoencoder'}"]
    files = {file.name for file in (tmp_path / "models" / "c" / "autoencoder").iterdir()}
    assert files == {
        "autoencoder.json", "weights.safetensors", "training.json", "reconstructions.png", "fingerprint",
    }  # fmt: skip


def test_what_a_killed_job_left_is_no_start_for_one_of_other_pictures(
    store: FakeStore, tmp_path: Path
) -> None:
    def kill(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("epoch 3"):
            raise Killed

    with pytest.raises(Killed):
        training.run(task(store, tmp_path, progress=kill))
    change(store, 0, thumbnail=as_text(scene(seed=99)))
    assert training.run(task(store, tmp_path))["resumed_after"] == 0


def test_a_job_killed_when_the_model_was_kept_answers_with_it(
    store: FakeStore, tmp_path: Path
) -> None:
    done = training.run(task(store, tmp_path))
    assert training.run(task(store, tmp_path)) == done


def test_a_job_never_replaces_a_model_of_other_pictures(store: FakeStore, tmp_path: Path) -> None:
    training.run(task(store, tmp_path))
    change(store, 0, thumbnail=as_text(scene(seed=99)))
    with pytest.raises(TrainingExists, match="autoencoder"):
        training.run(task(store, tmp_path))


def test_classes_that_are_too_small_leave_nothing_to_train_on(
    store: FakeStore, tmp_path: Path
) -> None:
    for i in range(COUNT):
        change(store, i, metadata={"label": i // 2})
    request = HeadRequest(kind="head", field="metadata.label")
    with pytest.raises(InvalidParameters, match="10 values, 0 of them"):
        training.run(task(store, tmp_path, request))


def test_a_label_that_is_none_is_refused_with_its_image(store: FakeStore, tmp_path: Path) -> None:
    change(store, 4, metadata={"label": 0.5})
    request = HeadRequest(kind="head", field="metadata.label")
    with pytest.raises(InvalidParameters, match=r"Image '4' has 0\.5"):
        training.run(task(store, tmp_path, request))


def test_a_job_whose_service_stopped_goes_on_in_the_next(store: FakeStore, tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path, job_threads=1)
    request = SMALL.model_copy(update={"epochs": 30, "patience": 30})
    parameters = training.validate(store, settings, "c", request)
    first = JobRunner(store, JOB_KINDS, settings)
    first.start()
    id = first.submit("training", "c", parameters).id

    def in_epoch_3() -> bool:
        return first.get(id).progress.stage.startswith("epoch 3")

    until(in_epoch_3, "the third epoch, or one of the thirties", 120)
    first.stop()
    assert first.get(id).state == "queued"
    second = JobRunner(store, JOB_KINDS, settings)
    second.start()
    try:
        result = finished(second, id).result
    finally:
        second.stop()
    assert result is not None
    assert result["resumed_after"] >= 2
    assert [epoch["epoch"] for epoch in result["curve"]] == list(range(1, 31))
