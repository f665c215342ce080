"""A projection head learns, from labels, to bring embeddings of one class together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lookalike_service.analysis.progress import Progress
from lookalike_service.encoders.head import HeadDescription, ProjectionHead, save_head
from lookalike_service.training.checkpoint import CheckpointFile
from lookalike_service.training.fit import Plan, Rows, fit
from lookalike_service.training.models_folder import CHECKPOINT
from lookalike_service.training.retrieval import judge

_CLASSES, _MEMBERS = 32, 8
"""A batch has about so many groups of so many images of one class each, so that all have company."""


def train(
    arrays: dict[str, NDArray[Any]], parameters: dict[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Train on `vectors`, float32 (n, base dim), unit L2 norm, with `labels`, int64 (n,); save in `folder`.

    Rows of label -1 are left out. A share of each class is held out and plays no part in training, not even
    in when it ends: all epochs are run. Measured with it, before and after, is retrieval of training rows.
    """
    labelled = np.flatnonzero(arrays["labels"] >= 0)
    vectors, labels = np.asarray(arrays["vectors"])[labelled], arrays["labels"][labelled]
    folder, seed = Path(parameters["folder"]), parameters["seed"]
    torch.manual_seed(seed)
    description = HeadDescription(
        base=parameters["base"],
        base_space=parameters["base_space"],
        form=parameters["form"],
        base_dim=vectors.shape[1],
        dim=parameters["dim"],
    )
    head = ProjectionHead(description)
    kept, held_out = split_classes(labels, parameters["held_out"], seed)
    inputs, classes = torch.from_numpy(vectors), torch.from_numpy(labels)
    plan = Plan(
        epochs=parameters["epochs"],
        patience=0,
        learning_rate=parameters["learning_rate"],
        batches=lambda epoch: _balanced(kept, labels, np.random.default_rng((seed, epoch))),
        loss=lambda rows: supervised_contrastive(
            head(inputs[rows]), classes[rows], parameters["temperature"]
        ),
        held_out_loss=None,
    )
    file = CheckpointFile(folder / CHECKPOINT)
    fitted = fit(head, plan, file, progress)
    progress("comparing before and after", 0, None)
    with torch.inference_mode():
        projected = head(inputs).numpy()
    measures = {
        f"{name}_{when}": value
        for when, embeddings in (("before", vectors), ("after", projected))
        for name, value in judge(embeddings, labels, kept, held_out).items()
    }
    save_head(head, folder)
    return {}, asdict(fitted) | {"measures": measures}


def supervised_contrastive(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss, the form with the sum outside the logarithm.

    Khosla et al. 2020, arXiv:2004.11362, equation 2. `embeddings`: float32 (n, dim), unit L2 norm; `labels`:
    int64 (n,). The mean over the rows that have company of their class; each row's mean over that company.
    """
    others = ~torch.eye(len(labels), dtype=torch.bool)
    positives = (labels[:, None] == labels[None, :]) & others
    logits = (embeddings @ embeddings.T / temperature).masked_fill(~others, -torch.inf)
    log_shares = logits - logits.logsumexp(dim=1, keepdim=True)
    company = positives.sum(dim=1)
    # Not a product with `positives`: the diagonal is minus infinity.
    sums = log_shares.masked_fill(~positives, 0).sum(dim=1)
    return -(sums[company > 0] / company[company > 0]).mean()


def split_classes(labels: NDArray[np.int64], held_out: float, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on, and those held out: this share of each class.

    Of a class, which has three rows at least, one at least is held out and two at least are not.
    """
    rng = np.random.default_rng(seed)
    kept, out = [], []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        number = min(max(1, round(len(rows) * held_out)), len(rows) - 2)
        out.append(rows[:number])
        kept.append(rows[number:])
    return np.concatenate(kept), np.concatenate(out)


def _balanced(kept: Rows, labels: NDArray[np.int64], rng: np.random.Generator) -> list[Rows]:
    """Batches of about 32 groups, each of 2 to 15 rows of one class; together every row once."""
    groups: list[Rows] = []
    for label in np.unique(labels[kept]):
        rows = rng.permutation(kept[labels[kept] == label])
        groups += np.array_split(rows, max(1, len(rows) // _MEMBERS))
    order = rng.permutation(len(groups))
    dealt = [order[start : start + _CLASSES] for start in range(0, len(order), _CLASSES)]
    if (
        len(dealt) > 1 and len(dealt[-1]) < _CLASSES // 2
    ):  # of few groups there is little to tell apart
        dealt[-2:] = [np.concatenate(dealt[-2:])]
    return [np.concatenate([groups[i] for i in batch]) for batch in dealt]
