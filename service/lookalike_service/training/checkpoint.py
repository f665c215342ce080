"""A training's state on disk after each epoch, so that a killed one goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lookalike_service.errors import InvalidModel

_MODEL, _BEST, _OPTIMIZER = "model.", "best.", "optimizer."


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training pictures; `held_out_loss` is None where none are held out."""

    epoch: int
    training_loss: float
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The epochs so far, and the model's state at the best of them."""

    curve: tuple[Epoch, ...]
    best: dict[str, Tensor]


class CheckpointFile:
    """One safetensors file, replaced as a whole after each epoch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint
    ) -> None:
        """Keep the state after an epoch; a crash leaves this file or the former one, whole."""
        steps = {
            f"{parameter}.{name}": tensor
            for parameter, state in optimizer.state_dict()["state"].items()
            for name, tensor in state.items()
        }
        tensors = (
            _prefixed(_MODEL, model.state_dict())
            | _prefixed(_BEST, checkpoint.best)
            | _prefixed(_OPTIMIZER, steps)
        )
        curve = json.dumps([asdict(epoch) for epoch in checkpoint.curve])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        save_file(tensors, written, {"curve": curve})
        written.replace(self._path)

    def read(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Checkpoint | None:
        """Bring model and optimizer to where the file's training stood; None if there is none.

        Raises InvalidModel for a file that is damaged.
        """
        if not self._path.is_file():
            return None
        try:
            with safe_open(self._path, "pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
            curve = tuple(Epoch(**epoch) for epoch in json.loads(metadata["curve"]))
            model.load_state_dict(_without(_MODEL, tensors))
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InvalidModel(
                f"The checkpoint '{self._path}' is damaged; delete it to start anew: {error}"
            ) from error
        optimizer.load_state_dict(
            {
                "state": _nested(_without(_OPTIMIZER, tensors)),
                "param_groups": optimizer.state_dict()["param_groups"],
            }
        )
        return Checkpoint(curve, _without(_BEST, tensors))


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Copies: safetensors refuses tensors that share memory, as the best state may with the model's.
    return {f"{prefix}{name}": tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _nested(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    nested: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, key = name.partition(".")
        nested.setdefault(int(parameter), {})[key] = tensor
    return nested
