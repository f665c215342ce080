"""Trainings of encoders and heads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, Name, Wire


class AutoencoderRequest(Wire):
    """How to train an autoencoder on a collection's pictures."""

    kind: Literal["autoencoder"]
    name: Name = Field("autoencoder", description="A model is never replaced: delete it first.")
    dim: int = Field(150, ge=1, le=2048, description="Numbers that a picture is drawn anew from.")
    size: int = Field(
        128, ge=16, le=256, multiple_of=8, description="Side of what it sees, pixels."
    )
    epochs: int = Field(30, ge=1, le=10_000, description="Most passes over the pictures.")
    patience: int = Field(
        5, ge=1, description="Stop after so many epochs that did not lower the held-out loss."
    )
    held_out: float = Field(0.1, gt=0, le=0.5, description="Share of pictures not trained on.")
    batch_size: int = Field(64, ge=2, le=1024)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    filter: FilterJson | None = None
    seed: int = Field(0, ge=0, lt=2**32)


class HeadRequest(Wire):
    """How to train a projection head on a collection's vectors and one metadata field's labels."""

    kind: Literal["head"]
    name: Name = Field("head", description="A model is never replaced: delete it first.")
    field: str = Field(
        description="Where the labels are.", pattern=r"^metadata\.\S+$", examples=["metadata.label"]
    )
    form: Literal["linear", "mlp"] = "linear"
    dim: int = Field(128, ge=2, le=2048, description="Length of the new embedding.")
    epochs: int = Field(100, ge=1, le=10_000, description="Passes over the labelled images.")
    temperature: float = Field(
        0.1,
        ge=0.01,
        le=10,
        description="Of the supervised contrastive loss: lower heeds the nearest more.",
    )
    held_out: float = Field(0.2, gt=0, le=0.5, description="Share of each class not trained on.")
    learning_rate: float = Field(3e-3, gt=0, le=1)
    filter: FilterJson | None = None
    seed: int = Field(0, ge=0, lt=2**32)


TrainingRequest = Annotated[AutoencoderRequest | HeadRequest, Field(discriminator="kind")]


class TrainingEpoch(Wire):
    """One pass over what is trained on."""

    epoch: int
    training_loss: float
    held_out_loss: float | None = Field(description="Null for a head: nothing is chosen by it.")


class UnusedImage(Wire):
    """An image that played no part, and why."""

    id: str
    code: str
    detail: str


class Training(Wire):
    """A trained model."""

    name: str
    kind: Literal["autoencoder", "head"]
    model: str = Field(description="Its encoder spec.")
    parameters: dict[str, Any]
    points: int = Field(description="Images it was trained on or measured with.")
    from_originals: int | None = Field(
        description="Of these, pictures read in full; the others are thumbnails. Null for a head."
    )
    unused: int = Field(description="Images that played no part.")
    unused_images: list[UnusedImage] = Field(description="The first 100 of them.")
    curve: list[TrainingEpoch]
    best_epoch: int = Field(description="The epoch whose weights are kept.")
    stopped_early: bool
    resumed_after: int = Field(
        description="The epoch it went on from when it was killed; 0 if not."
    )
    measures: dict[str, float] = Field(
        description="Autoencoder: `mse`, over held-out pictures, and `mse_of_mean_picture` to compare it "
        "with. Head: `recall_at_1` and `knn_accuracy` of held-out images, `_before` and `_after`."
    )
    created_at: str
    seconds: float


class Trainings(Wire):
    """All models trained on a collection."""

    trainings: list[Training]
