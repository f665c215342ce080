"""The training loop: what it keeps, when it stops, and that a killed one ends as one that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lookalike_service.analysis.progress import silent
from lookalike_service.errors import InvalidModel, InvalidParameters
from lookalike_service.training.checkpoint import CheckpointFile
from lookalike_service.training.fit import Fitted, Plan, Rows, fit

X = torch.linspace(-1, 1, 32)[:, None]
Y = 3 * X + 1


class Killed(Exception):
    """Stands for kill -9."""


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def shuffled(epoch: int) -> list[Rows]:
    return np.array_split(np.random.default_rng(epoch).permutation(32), 4)


def plan(model: nn.Module, *, epochs: int = 12, learning_rate: float = 0.05) -> Plan:
    """Fit the line, measured on all of it, with a patience of 3."""

    def loss(rows: Rows) -> torch.Tensor:
        return nn.functional.mse_loss(model(X[rows]), Y[rows])

    return Plan(epochs, 3, learning_rate, shuffled, loss, lambda: loss(np.arange(32)).item())


def fitted(model: nn.Module, folder: Path, *, learning_rate: float = 0.05) -> Fitted:
    file = CheckpointFile(folder / "c.safetensors")
    return fit(model, plan(model, learning_rate=learning_rate), file, silent)


def test_the_loss_falls(tmp_path: Path) -> None:
    curve = fitted(line(), tmp_path).curve
    assert [epoch.epoch for epoch in curve] == list(range(1, 13))
    assert curve[-1].training_loss < curve[0].training_loss / 5


def test_it_stops_after_the_patience_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    model, twin = line(), line()
    file = CheckpointFile(tmp_path / "c.safetensors")
    losses = iter([5.0, 3, 4, 4, 4, 1])
    found = fit(model, replace(plan(model), held_out_loss=lambda: next(losses)), file, silent)
    assert (len(found.curve), found.best_epoch, found.stopped_early) == (5, 2, True)
    fit(twin, plan(twin, epochs=2), CheckpointFile(tmp_path / "twin"), silent)
    assert torch.equal(model.weight, twin.weight), "the weights of epoch 2"


def test_without_anything_held_out_all_epochs_run_and_the_last_is_kept(tmp_path: Path) -> None:
    model = line()
    file = CheckpointFile(tmp_path / "c")
    found = fit(model, replace(plan(model), held_out_loss=None), file, silent)
    assert (len(found.curve), found.best_epoch, found.stopped_early) == (12, 12, False)
    assert {epoch.held_out_loss for epoch in found.curve} == {None}


@pytest.mark.parametrize("step", [1, 12, 15, 45])
def test_a_training_killed_anywhere_ends_as_one_that_was_not(tmp_path: Path, step: int) -> None:
    whole = line()
    curve = fitted(whole, tmp_path / "whole").curve

    def kill(stage: str, done: int, total: int | None) -> None:
        if done == step:
            raise Killed

    model = line()
    file = CheckpointFile(tmp_path / "c.safetensors")
    with pytest.raises(Killed):
        fit(model, plan(model), file, kill)
    again = nn.Linear(1, 1)  # of other weights, which must not matter once an epoch is done
    if step < 4:
        again.load_state_dict(line().state_dict())
    found = fit(again, plan(again), file, silent)
    assert found.resumed_after == step // 4
    assert found.curve == curve
    assert torch.equal(again.weight, whole.weight)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "c.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(InvalidModel, match=r"c\.safetensors"):
        fitted(line(), tmp_path)


def test_a_loss_that_is_no_number_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match="learning_rate"):
        fitted(line(), tmp_path, learning_rate=1e30)
