"""How alike two lists of neighbours are: of the same image, by two encoders."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from scipy.stats import kendalltau

FEWEST_SHARED = 5
"""Fewer neighbours in common have no order worth the name."""

Neighbours = Sequence[Sequence[str]]
"""For each image, ids from the nearest on."""


def overlap(first: Neighbours, second: Neighbours, k: int) -> float | None:
    """Mean share of the k nearest that both lists name, 0 to 1; None where there is no neighbour.

    Lists shorter than k count in full.
    """
    shares = [
        len({*one[:k]} & {*other[:k]}) / min(k, max(len(one), len(other)))
        for one, other in zip(first, second, strict=True)
        if one or other
    ]
    return fmean(shares) if shares else None


def rank_correlation(first: Neighbours, second: Neighbours) -> tuple[float | None, int]:
    """Mean Kendall's tau, -1 to 1, of the neighbours that both lists name, and of how many images.

    Images with fewer than five in common are left out (M. G. Kendall, A new measure of rank
    correlation, Biometrika 1938).
    """
    taus = []
    for one, other in zip(first, second, strict=True):
        places = {id: place for place, id in enumerate(other)}
        shared = [places[id] for id in one if id in places]
        if len(shared) >= FEWEST_SHARED:
            taus.append(float(kendalltau(range(len(shared)), shared).statistic))
    return (fmean(taus) if taus else None), len(taus)
