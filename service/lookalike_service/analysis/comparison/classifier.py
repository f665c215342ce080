"""Whether a classifier can tell two sets of points apart, on points that it was not fitted to.

Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests", arXiv:1610.06545. The classifier is
scikit-learn's linear discriminant analysis with Ledoit-Wolf shrinkage, which has nothing to tune.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lookalike_service.analysis.comparison.bootstrap import Estimate, draw_counts, interval
from lookalike_service.analysis.points import Points


@dataclass(frozen=True, slots=True)
class Separability:
    """Of `held_out` points: `auc`, 0.5 for sets that are alike, and `accuracy`, the mean of both sets'.

    `p`: the chance of scores at least so far apart if there were no difference (Mann & Whitney 1947).
    """

    auc: Estimate
    accuracy: Estimate
    p: float
    held_out: int


def measure_separability(first: Points, second: Points, rng: np.random.Generator) -> Separability:
    """Fit to a random half of each set, float32 (n, dim) and (m, dim), and score the other halves."""
    fitted, held = zip(_halves(first, rng), _halves(second, rng), strict=True)
    names = np.repeat([0, 1], [len(part) for part in fitted])
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    model.fit(np.concatenate(fitted).astype(np.float64), names)
    low, high = (np.asarray(model.decision_function(part.astype(np.float64))) for part in held)
    counts = draw_counts(len(low), rng), draw_counts(len(high), rng)
    right = (low <= 0).astype(np.float32), (high > 0).astype(np.float32)
    accuracies = (counts[0] @ right[0] / len(low) + counts[1] @ right[1] / len(high)) / 2
    accuracy = float((right[0].mean() + right[1].mean()) / 2)
    return Separability(
        auc=_auc(low, high, counts),
        accuracy=interval(accuracy, accuracies.astype(np.float64)),
        p=float(mannwhitneyu(high, low, alternative="greater").pvalue),
        held_out=len(low) + len(high),
    )


def _halves(points: Points, rng: np.random.Generator) -> tuple[Points, Points]:
    order = rng.permutation(len(points))
    middle = len(points) // 2
    return points[order[:middle]], points[order[middle:]]


def _auc(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    counts: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> Estimate:
    """The chance that a point of the second set scores higher than one of the first; ties count half."""
    wins = np.where(high > low[:, None], 1, np.where(high == low[:, None], 0.5, 0)).astype(
        np.float32
    )
    pairs = wins.size
    replicates = np.einsum("bj,bj->b", counts[0] @ wins, counts[1], dtype=np.float64) / pairs
    return interval(float(wins.mean(dtype=np.float64)), replicates)
