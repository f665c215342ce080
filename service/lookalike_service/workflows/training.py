"""Trainings: gather pictures or labelled vectors, train in the computing process, keep the model."""

from __future__ import annotations

import hashlib
import io
import json
import time
from datetime import UTC, datetime
from typing import Any

from PIL import Image as Pillow

from lookalike_service.errors import Conflict
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.trainings import AutoencoderRequest, HeadRequest, Training
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Store
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows import runs
from lookalike_service.workflows.training_data import (
    check_enough,
    check_labels,
    gather_labels,
    gather_pictures,
)

_CHANNELS = (128, 64, 32)
"""Of the autoencoder's stages."""


def validate(
    store: Store, settings: Settings, collection: str, request: AutoencoderRequest | HeadRequest
) -> dict[str, Any]:
    """The job's parameters, all filled in.

    Raises InvalidParameters for too few pictures or labels that tell nothing apart, TrainingExists,
    UnknownCollection, InvalidFilter.
    """
    count = runs.point_count(store, collection, request.filter)
    if isinstance(request, HeadRequest):
        check_labels(store, collection, request.field, request.filter)
    else:
        check_enough(count)
    ModelsFolder(settings.models_folder).check_free(collection, request.name)
    return request.model_dump(mode="json")


def run(task: Task) -> dict[str, Any]:
    """Carry out a training job; its result is the training as `GET …/trainings/{name}` answers it.

    A job that was killed goes on from the last epoch, provided that its data are still the same.
    """
    start, parameters = time.monotonic(), task.parameters
    kind, name = parameters["kind"], parameters["name"]
    models = ModelsFolder(task.settings.models_folder)
    gathered = gather_labels(task) if kind == "head" else gather_pictures(task, parameters["size"])
    fingerprint = _fingerprint(task)
    if models.is_of(task.collection, name, fingerprint):
        return models.record(
            task.collection, name
        )  # the service died when all was done but to say so
    models.check_free(task.collection, name)
    folder = models.begin(task.collection, name, fingerprint)
    told = {**parameters, "folder": str(folder)}
    arrays, figures = task.compute(
        f"lookalike_service.training.{kind}:train", told | _told_besides(gathered.space)
    )
    out = Training(
        name=name,
        kind=kind,
        model=models.spec(kind, task.collection, name),
        parameters={key: parameters[key] for key in parameters if key not in ("name", "kind")},
        points=gathered.points,
        from_originals=gathered.from_originals if kind == "autoencoder" else None,
        unused=gathered.unused,
        unused_images=gathered.unused_images,
        **figures,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 3),
    ).model_dump(mode="json")
    sheet = _png(arrays["sheet"]) if "sheet" in arrays else None
    models.finish(task.collection, name, out, sheet)
    return out


def _told_besides(space: Space | None) -> dict[str, Any]:
    """What the computation is told besides what the caller chose; `space` is that of a head's vectors."""
    if space is None:
        return {"channels": _CHANNELS}
    return {"base": space.model, "base_space": space.id}


def _fingerprint(task: Task) -> str:
    """64 hex digits over the parameters and all arrays: equal ones train the same model."""
    digest = hashlib.sha256(json.dumps(dict(task.parameters), sort_keys=True).encode())
    for path in sorted(task.folder.glob("*.npy")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _png(rgb: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def list_trainings(store: Store, settings: Settings, collection: str) -> list[Training]:
    """All models trained on a collection, by name. Raises UnknownCollection."""
    found = ModelsFolder(settings.models_folder).of_collection(collection)
    if not found:
        store.collection(collection)
    return [Training.model_validate(record) for record in found]


def get(store: Store, settings: Settings, collection: str, name: str) -> Training:
    """One trained model, also where its collection is gone. Raises UnknownTraining, UnknownCollection."""
    models = ModelsFolder(settings.models_folder)
    if not models.exists(collection, name):
        store.collection(collection)
    return Training.model_validate(models.record(collection, name))


def sheet(settings: Settings, collection: str, name: str) -> bytes | None:
    """The reconstruction sheet of a trained model, PNG; None for a head."""
    return ModelsFolder(settings.models_folder).sheet(collection, name)


def delete(store: Store, settings: Settings, collection: str, name: str) -> None:
    """Delete a trained model.

    Raises Conflict where a collection's vectors were made by it or a head stands on it, UnknownTraining,
    UnknownCollection.
    """
    model = get(store, settings, collection, name).model
    models = ModelsFolder(settings.models_folder)
    users = [known.name for known in store.collections() if known.space.model == model]
    if users:
        raise Conflict(
            f"Model '{model}' makes the vectors of collection '{users[0]}': delete that first."
        )
    if heads := models.standing_on(model):
        raise Conflict(f"Head '{heads[0]}' stands on model '{model}': delete that first.")
    models.delete(collection, name)
