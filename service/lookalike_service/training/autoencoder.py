"""A convolutional autoencoder learns to draw pictures anew from a few numbers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookalike_service.analysis.progress import Progress
from lookalike_service.encoders.autoencoder import Architecture, ConvAutoencoder, save_autoencoder
from lookalike_service.training.checkpoint import CheckpointFile
from lookalike_service.training.fit import Plan, Rows, fit
from lookalike_service.training.models_folder import CHECKPOINT

_SHOWN = 10
_GAP = 4


def train(
    arrays: dict[str, NDArray[Any]], parameters: dict[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Train on `pictures`, uint8 (n, size, size, 3), RGB, and save the best epoch in `folder`.

    The loss is binary cross-entropy, whose least value for a picture of greys is above 0. Also measured, over
    the held-out pictures, is the mean squared error of samples in [0, 1], and what it would be if each
    was drawn as the mean of the training pictures.

    Returns `sheet`, uint8 RGB (height, width, 3), held-out pictures above what was drawn of them.
    """
    pictures, folder = arrays["pictures"], Path(parameters["folder"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(parameters["seed"])
    architecture = Architecture(
        dim=parameters["dim"], size=pictures.shape[1], channels=tuple(parameters["channels"])
    )
    model = ConvAutoencoder(architecture).to(device)
    kept, held_out = split(len(pictures), parameters["held_out"], parameters["seed"])
    size = parameters["batch_size"]

    def samples(rows: Rows) -> Tensor:
        # Sorted: the array is a file, read in order. Which picture is which in a batch is no matter.
        batch = torch.from_numpy(pictures[np.sort(rows)]).to(device)
        return batch.permute(0, 3, 1, 2) / 255

    def loss(rows: Rows) -> Tensor:
        batch = samples(rows)
        return nn.functional.binary_cross_entropy(model(batch), batch)

    def held_out_loss() -> float:
        parts = [loss(rows).item() * len(rows) for rows in in_batches(held_out, size)]
        return sum(parts) / len(held_out)

    plan = Plan(
        epochs=parameters["epochs"],
        patience=parameters["patience"],
        learning_rate=parameters["learning_rate"],
        batches=lambda epoch: in_batches(_shuffled(kept, parameters["seed"], epoch), size),
        loss=loss,
        held_out_loss=held_out_loss,
    )
    file = CheckpointFile(folder / CHECKPOINT)
    fitted = fit(model, plan, file, progress)
    progress("drawing pictures anew", 0, None)
    with torch.inference_mode():
        mean = _mean(pictures, in_batches(np.sort(kept), size))
        errors = {"mse": 0.0, "mse_of_mean_picture": 0.0}
        for rows in in_batches(held_out, size):
            batch = samples(rows)
            share = len(rows) / len(held_out)
            errors["mse"] += share * (model(batch) - batch).square().mean().item()
            errors["mse_of_mean_picture"] += share * (
                (mean.to(device) - batch).square().mean().item()
            )
        shown = samples(held_out[:_SHOWN])
        sheet = draw_sheet(shown, model(shown))
    save_autoencoder(model, folder)
    return {"sheet": sheet}, asdict(fitted) | {"measures": errors}


def split(count: int, held_out: float, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on, and those held out: this share of all, at least one."""
    order = np.random.default_rng(seed).permutation(count)
    number = max(1, round(count * held_out))
    return order[number:], order[:number]


def in_batches(rows: Rows, size: int) -> list[Rows]:
    """The rows in runs of this size; the last may be shorter."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _shuffled(rows: Rows, seed: int, epoch: int) -> Rows:
    return np.random.default_rng((seed, epoch)).permutation(rows)


def _mean(pictures: NDArray[np.uint8], batches: list[Rows]) -> Tensor:
    """The mean picture, float32 (3, size, size), in [0, 1]."""
    total = sum(pictures[rows].sum(axis=0, dtype=np.float64) for rows in batches)
    mean = np.asarray(total / sum(map(len, batches)) / 255, np.float32)
    return torch.from_numpy(mean).permute(2, 0, 1)


def draw_sheet(originals: Tensor, reconstructions: Tensor) -> NDArray[np.uint8]:
    """Pictures in a row above what was drawn of them, on white: uint8 RGB (height, width, 3).

    Both float32 (n, 3, size, size), RGB in [0, 1].
    """
    pairs = torch.stack([originals, reconstructions]).cpu()  # (2, n, 3, size, size)
    framed = nn.functional.pad(pairs, (_GAP, 0, _GAP, 0), value=1.0)
    rows, columns, _, height, width = framed.shape
    sheet = framed.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    sheet = nn.functional.pad(sheet, (0, 0, 0, _GAP, 0, _GAP), value=1.0)
    drawn: NDArray[np.uint8] = (sheet * 255).round().to(torch.uint8).numpy()
    return drawn
