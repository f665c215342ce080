"""Grad-CAM in closed form, for embeddings that are the global average pool of feature maps.

Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391) weights each feature map A_k by the mean over positions
of a target's gradient, w_k, and keeps what speaks for the target: ReLU(Σ_k w_k A_k). Where the embedding
is e = mean of A over its H × W positions, that gradient has a closed form and no backward pass is needed:

- similarity, the cosine of e and a unit query q, with ê = e / ‖e‖:  w = (q - (q·ê) ê) / (‖e‖ H W).
  Its map sums to zero before the ReLU: it shows where the image is *more* like the query than as a whole.
- self, the norm ‖e‖:  w = ê / (H W). An image's similarity to itself is at its maximum, where the
  gradient vanishes; the norm before normalisation shows where the embedding comes from instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_DIRECTION = 1e-4
"""Sine of the angle below which two float32 embeddings are one image's: its gradient is rounding noise."""

ROUNDING = 1e-6
"""Largest map value, as a share of what its terms could add up to, that is float32 rounding noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """A Grad-CAM map.

    `grid`: float32 (h, w), scaled to [0, 1] by its largest value. `peak`: that value before scaling.
    `empty`: nothing speaks for the target; `grid` is all zeros and `peak` 0.
    """

    grid: NDArray[np.float32]
    peak: float
    empty: bool


def similarity_map(features: NDArray[np.float32], query: NDArray[np.float32]) -> Heatmap:
    """Where an image is like `query`: Grad-CAM of the cosine of its embedding with it.

    `features`: (K, h, w). `query`: (K,), an embedding of any norm. Empty if either is all zeros, or if
    the two are the same image's. Raises ValueError when K differs.
    """
    maps, embedding = _maps(features), _direction(_pool(features))
    if query.shape != embedding.shape:
        raise ValueError(f"The query has shape {query.shape}, the embedding {embedding.shape}.")
    target = _direction(query.astype(np.float64))
    gradient = target - (target @ embedding) * embedding
    if not embedding.any() or np.linalg.norm(gradient) < SAME_DIRECTION:
        return _heatmap(np.zeros(features.shape[1:]))
    norm = float(np.linalg.norm(_pool(features)))
    return _weighted(maps, gradient / (norm * features[0].size), features.shape[1:])


def self_map(features: NDArray[np.float32]) -> Heatmap:
    """Where an image's embedding comes from: Grad-CAM of its norm before normalisation.

    `features`: (K, h, w). Empty if all zeros.
    """
    weights = _direction(_pool(features)) / features[0].size
    return _weighted(_maps(features), weights, features.shape[1:])


def _maps(features: NDArray[np.float32]) -> NDArray[np.float64]:
    return features.reshape(len(features), -1).astype(np.float64)


def _pool(features: NDArray[np.float32]) -> NDArray[np.float64]:
    pooled: NDArray[np.float64] = _maps(features).mean(axis=1)
    return pooled


def _direction(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector


def _weighted(
    maps: NDArray[np.float64], weights: NDArray[np.float64], shape: tuple[int, ...]
) -> Heatmap:
    raw = weights @ maps
    largest_possible = np.linalg.norm(weights) * np.linalg.norm(maps, axis=0).max()
    raw[np.abs(raw) <= ROUNDING * largest_possible] = 0
    return _heatmap(np.maximum(raw, 0).reshape(shape))


def _heatmap(positive: NDArray[np.float64]) -> Heatmap:
    peak = float(positive.max())
    grid = positive / peak if peak > 0 else positive
    return Heatmap(grid.astype(np.float32), peak, empty=peak == 0)
