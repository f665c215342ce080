"""In which clusters the shares of two sets of points differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from lookalike_service.analysis.comparison.bootstrap import REPLICATES, Estimate, interval
from lookalike_service.analysis.composition import Independence, measure_independence


@dataclass(frozen=True, slots=True)
class ClusterShare:
    """How much of each set a cluster holds; `difference`: share of the second less that of the first.

    `p`: Fisher's exact test of equal shares, by Holm's method for all clusters together (Holm 1979).
    """

    label: int
    first: int
    second: int
    difference: Estimate
    p: float


def compare_shares(
    first: NDArray[np.int64], second: NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[ClusterShare], Independence | None]:
    """The clusters, those that differ most first, and whether they differ at all.

    `first`, `second`: int64 (n,) and (m,), the label of each point, -1 for noise, which is one of them.
    """
    labels = np.unique(np.concatenate([first, second]))
    counts = np.array([[(of == label).sum() for of in (first, second)] for label in labels])
    sizes = len(first), len(second)
    drawn = [
        rng.multinomial(size, counts[:, i] / size, size=REPLICATES) / size
        for i, size in enumerate(sizes)
    ]
    chances = _holm(
        [
            float(fisher_exact([[a, sizes[0] - a], [b, sizes[1] - b]]).pvalue)
            for a, b in counts.tolist()
        ]
    )
    shares = [
        ClusterShare(
            int(label),
            int(counts[i, 0]),
            int(counts[i, 1]),
            interval(
                counts[i, 1] / sizes[1] - counts[i, 0] / sizes[0], drawn[1][:, i] - drawn[0][:, i]
            ),
            chances[i],
        )
        for i, label in enumerate(labels.tolist())
    ]
    shares.sort(key=lambda share: (-abs(share.difference.value), share.label))
    return shares, measure_independence(counts)


def _holm(chances: list[float]) -> list[float]:
    order = np.argsort(chances, kind="stable")
    factors = np.arange(len(chances), 0, -1)
    adjusted = np.maximum.accumulate(np.minimum(np.array(chances)[order] * factors, 1))
    back = np.empty(len(chances))
    back[order] = adjusted
    return [float(chance) for chance in back]
