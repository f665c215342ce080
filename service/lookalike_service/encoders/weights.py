"""Weight files: where they are, what identifies them, and how they become a model's state."""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from pathlib import Path

import torch

from lookalike_service.encoders.catalog import PackagedWeights


class WeightsError(Exception):
    """A weight file is missing or does not fit its architecture."""


def packaged_file(weights: PackagedWeights) -> Path:
    """The weight file inside its installed package. Raises WeightsError."""
    found = importlib.util.find_spec(weights.package)
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders:
        raise WeightsError(f"The weights are in the package '{weights.package}': install it.")
    file = Path(folders[0]) / weights.path
    if not file.is_file():
        raise WeightsError(
            f"The package '{weights.package}' has no '{weights.path}': install it again."
        )
    return file


def sha256(file: Path) -> str:
    """The file's SHA-256, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_state(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state dict on disk, without running any code in it. Raises WeightsError."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"'{file.name}' is not a file of tensors alone: {error}") from error
    if not isinstance(state, dict):
        raise WeightsError(f"'{file.name}' holds a {type(state).__name__}, not a state dict.")
    return state


def load_in_order(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load tensors whose names differ from the model's, but whose order, roles and shapes are its own.

    A role is the last part of a name, such as `running_mean`. Raises WeightsError where any disagrees.
    """
    target = model.state_dict()
    if len(state) != len(target):
        raise WeightsError(f"The weights have {len(state)} tensors; the model has {len(target)}.")
    for theirs, ours in zip(state, target, strict=True):
        roles = theirs.rpartition(".")[2], ours.rpartition(".")[2]
        shapes = tuple(state[theirs].shape), tuple(target[ours].shape)
        if roles[0] != roles[1] or shapes[0] != shapes[1]:
            raise WeightsError(
                f"Weight '{theirs}' {shapes[0]} does not fit the model's '{ours}' {shapes[1]}."
            )
    model.load_state_dict(dict(zip(target, state.values(), strict=True)))
