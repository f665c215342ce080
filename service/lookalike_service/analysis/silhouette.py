"""The mean silhouette, with its confidence interval where it is of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Silhouette:
    """The mean, -1 to 1, higher is better, with bounds of 95 % confidence: the mean itself where exact."""

    mean: float
    low: float
    high: float


def summarise(values: NDArray[np.float64] | None, *, exact: bool) -> Silhouette | None:
    """The mean of points' silhouettes (n,); `exact`: they are all the points there are. None of None.

    The bounds are those of the mean of a random sample (normal approximation); that each point is compared
    with the sample's others alone adds an error that they leave out.
    """
    if values is None:
        return None
    mean = float(values.mean())
    margin = 0.0 if exact else _NORMAL_95 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Silhouette(mean, mean - margin, mean + margin)
