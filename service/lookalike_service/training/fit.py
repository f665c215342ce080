"""The loop that every training here is: epochs of Adam, checkpoints, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters
from lookalike_service.training.checkpoint import Checkpoint, CheckpointFile, Epoch

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained on what.

    `batches`: the rows of each step of an epoch, which depend on nothing but the epoch's number, so that a
    training that goes on after a crash ends as one that was never stopped. `loss`: of a model on rows.
    `held_out_loss`: of a model on what it is not trained on; None for all epochs, the last being kept.
    `patience`: stop after this many epochs without a lower held-out loss; the best epoch is kept.
    """

    epochs: int
    patience: int
    learning_rate: float
    batches: Callable[[int], Sequence[Rows]]
    loss: Callable[[Rows], Tensor]
    held_out_loss: Callable[[], float] | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a training went; `resumed_after` is the epoch it went on from, 0 for one from the start."""

    curve: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool
    resumed_after: int


def fit(model: nn.Module, plan: Plan, file: CheckpointFile, progress: Progress) -> Fitted:
    """Train the model, which ends in evaluation mode with the best epoch's weights.

    Optimizer: Adam (Kingma and Ba 2015, arXiv:1412.6980). Raises InvalidParameters where the loss is no
    number any more, InvalidModel for a damaged checkpoint.
    """
    optimizer = torch.optim.Adam(model.parameters(), plan.learning_rate)
    state = file.read(model, optimizer) or Checkpoint((), {})
    resumed_after = len(state.curve)
    while len(state.curve) < plan.epochs and not _is_over(state.curve, plan):
        epoch = _epoch(model, optimizer, plan, len(state.curve) + 1, progress)
        curve = (*state.curve, epoch)
        best = model.state_dict() if _best(curve, plan) == epoch.epoch else state.best
        state = Checkpoint(curve, {name: tensor.clone() for name, tensor in best.items()})
        file.write(model, optimizer, state)
    model.load_state_dict(state.best)
    model.eval()
    return Fitted(
        curve=state.curve,
        best_epoch=_best(state.curve, plan),
        stopped_early=len(state.curve) < plan.epochs,
        resumed_after=resumed_after,
    )


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    number: int,
    progress: Progress,
) -> Epoch:
    model.train()
    total, rows_seen = 0.0, 0
    batches = plan.batches(number)
    for step, rows in enumerate(batches):
        progress(
            f"epoch {number} of at most {plan.epochs}",
            (number - 1) * len(batches) + step,
            plan.epochs * len(batches),
        )
        optimizer.zero_grad()
        loss = plan.loss(rows)
        if not math.isfinite(loss.item()):
            raise InvalidParameters(
                f"In epoch {number} the loss became {loss.item()}: use a lower learning_rate."
            )
        loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        optimizer.step()
        total, rows_seen = total + loss.item() * len(rows), rows_seen + len(rows)
    model.eval()
    with torch.inference_mode():
        held_out = plan.held_out_loss() if plan.held_out_loss else None
    return Epoch(number, total / rows_seen, held_out)


def _best(curve: Sequence[Epoch], plan: Plan) -> int:
    """The number of the epoch to keep."""
    if plan.held_out_loss is None:
        return len(curve)
    losses = [math.inf if e.held_out_loss is None else e.held_out_loss for e in curve]
    return int(np.argmin(losses)) + 1


def _is_over(curve: Sequence[Epoch], plan: Plan) -> bool:
    if plan.held_out_loss is None or not curve:
        return False
    return len(curve) - _best(curve, plan) >= plan.patience
