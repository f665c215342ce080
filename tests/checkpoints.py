"""Checkpoints with random weights, as a user would leave them: small on disk whatever the network's size."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_SHIFT = 7


def random_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """Weights for a model, which may be on the meta device; the same for the same names and shapes."""
    return {name: _random(name, tensor) for name, tensor in model.state_dict().items()}


def timm_checkpoint(folder: Path, name: str, **arguments: Any) -> Path:
    """A state dict of a timm network."""
    import timm

    with torch.device("meta"):
        model = timm.create_model(name, **arguments)
    return saved(random_state(model), folder / f"{name}.pth")


def open_clip_checkpoint(folder: Path, name: str) -> Path:
    """A state dict of both towers of an open_clip network."""
    import open_clip

    with torch.device("meta"):
        model = open_clip.create_model(name, load_weights=False, device="meta")
    return saved(random_state(model), folder / f"{name}.pt")


def saved(content: object, file: Path) -> Path:
    """What torch.save writes."""
    torch.save(content, file)
    return file


def _random(name: str, tensor: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    if name.endswith("running_var"):
        return torch.ones(tensor.shape)
    if tensor.ndim < 2 or tensor.numel() == len(tensor):
        # The scales of norms are about 1, their shifts and other biases about 0.
        centre = 1.0 if name.endswith("weight") else 0.0
        return centre + 0.02 * torch.randn(tensor.shape, generator=generator)
    return _rows(tensor.shape, generator)


def _rows(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Rows that overlap in memory, so that little of it is saved: each is the last, moved by a few values."""
    row = math.prod(shape[1:])
    values = torch.randn(row + _SHIFT * (shape[0] - 1), generator=generator) * math.sqrt(2 / row)
    within = [math.prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
    return values.as_strided(shape, [_SHIFT, *within])
