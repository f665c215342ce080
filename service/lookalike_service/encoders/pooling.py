"""From feature maps to embeddings."""

from __future__ import annotations

import torch


def normalised_average(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The global average pool of float32 (n, K, h, w), as unit vectors (n, K) and their norms (n,).

    Maps that are zero everywhere give a zero vector, never NaN.
    """
    pooled = maps.mean(dim=(2, 3))
    norms = pooled.norm(dim=1, keepdim=True)
    return torch.where(norms > 0, pooled / norms, 0), norms[:, 0]
