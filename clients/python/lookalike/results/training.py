"""Models that were trained on collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TrainingEpoch:
    """One pass over what is trained on; `held_out_loss` is None for a head."""

    epoch: int
    training_loss: float
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class UnusedImage:
    """An image that played no part in a training, and why."""

    id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model; `model` is its encoder spec.

    `from_originals` counts the pictures that were read in full, the others being thumbnails; None for a head.
    `measures` of an autoencoder: `mse` over held-out pictures, and `mse_of_mean_picture` to compare it with;
    of a head: `recall_at_1` and `knn_accuracy` of held-out images, each `_before` and `_after`.
    """

    name: str
    kind: Literal["autoencoder", "head"]
    model: str
    parameters: dict[str, Any]
    points: int
    from_originals: int | None
    unused: int
    unused_images: list[UnusedImage]
    curve: list[TrainingEpoch]
    best_epoch: int
    stopped_early: bool
    resumed_after: int
    measures: dict[str, float]
    created_at: str
    seconds: float
