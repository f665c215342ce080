"""Models trained on one collection, described once for both clients."""

from __future__ import annotations

from typing import Any, Literal

from lookalike import results
from lookalike.call import Call, content, nothing, record, records
from lookalike.fields import Filter, collection_path, present


def train_autoencoder(
    collection: str,
    *,
    name: str | None = None,
    dim: int | None = None,
    size: int | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    held_out: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start training an autoencoder on the pictures; what is left out is the service's default.

    `name`, by default "autoencoder", must be free; see `training` for the encoder it gives. Raises
    UnknownCollection, InvalidParameters, InvalidField, TrainingExists.
    """
    options = present(
        name=name,
        dim=dim,
        size=size,
        epochs=epochs,
        patience=patience,
        held_out=held_out,
        batch_size=batch_size,
        learning_rate=learning_rate,
        filter=filter,
    )
    return _train(collection, {"kind": "autoencoder", "seed": seed} | options)


def train_head(
    collection: str,
    field: str,
    *,
    name: str | None = None,
    form: Literal["linear", "mlp"] | None = None,
    dim: int | None = None,
    epochs: int | None = None,
    temperature: float | None = None,
    held_out: float | None = None,
    learning_rate: float | None = None,
    filter: Filter | None = None,
    seed: int = 0,
) -> Call[results.JobStatus]:
    """Start training a projection head that brings images with the same label in `field` together.

    `field` is such as "metadata.label". `name`, by default "head", must be free; see `training` for the
    encoder it gives. Raises UnknownCollection, InvalidParameters, InvalidField, TrainingExists.
    """
    options = present(
        name=name,
        form=form,
        dim=dim,
        epochs=epochs,
        temperature=temperature,
        held_out=held_out,
        learning_rate=learning_rate,
        filter=filter,
    )
    return _train(collection, {"kind": "head", "field": field, "seed": seed} | options)


def _train(collection: str, body: dict[str, Any]) -> Call[results.JobStatus]:
    return Call(
        "POST",
        collection_path(collection, "trainings"),
        record(results.JobStatus),
        json=body,
        repeat="unless_received",
    )


def trainings(collection: str) -> Call[list[results.Training]]:
    """All models trained on the collection. Raises UnknownCollection."""
    return Call(
        "GET", collection_path(collection, "trainings"), records(results.Training, "trainings")
    )


def training(collection: str, name: str) -> Call[results.Training]:
    """One trained model; `model` is its encoder spec. Raises UnknownTraining."""
    return Call("GET", collection_path(collection, "trainings", name), record(results.Training))


def training_image(collection: str, name: str) -> Call[bytes]:
    """Held-out pictures above what an autoencoder made of them, as PNG.

    Raises UnknownTraining, NotAcceptable for a head.
    """
    return Call("GET", collection_path(collection, "trainings", name), content, accept="image/png")


def delete_training(collection: str, name: str) -> Call[None]:
    """Delete a trained model. Raises UnknownTraining, and Conflict while a collection is made with it."""
    path = collection_path(collection, "trainings", name)
    return Call("DELETE", path, nothing, repeat="unless_received")
