"""How alike unrelated images of a collection are, and how often they are more alike than that.

The cosines of all pairs of a random sample of images stand for those of unrelated images. Up to a high
quantile their own distribution is used; above, a generalised Pareto distribution, which is what the
excesses over a high threshold of nearly any distribution follow (Pickands 1975,
doi:10.1214/aos/1176343003; Balkema & de Haan 1974, doi:10.1214/aop/1176996548; as practised in Coles 2001,
doi:10.1007/978-1-4471-3675-0, chapter 4).

Copies among the sample are not unrelated. Pairs as alike as a picture and its altered self are left out;
of the others the largest quarter of the excesses is censored: that they are large counts, how large does
not. So the copies that remain bend the fit but little, and towards caution. And no chance below a tenth of
one pair of the sample is stated: nothing is known of what is so rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.stats import genpareto

from lookalike_service.analysis.points import Points, check_points
from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters

FEWEST_IMAGES = 50
_TAIL, _LARGEST_TAIL = 0.002, 0.1
_EXCESSES = 300
_CENSORED = 0.25
_SHAPES = (-0.5, 0.5)
"""Below, maximum likelihood fails (Smith 1985, doi:10.1093/biomet/72.1.67); above, cosines cannot be."""
_MOST_COPIES = 0.01
_KNOTS = 201
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Tail:
    """Of all pairs, `share` reach the cosine `threshold`; above it, the excess is generalised Pareto."""

    threshold: float
    share: float
    scale: float
    shape: float


@dataclass(frozen=True, slots=True, eq=False)
class NullSimilarity:
    """The distribution of cosines of unrelated images, known from so many `pairs`.

    `quantiles`: float64 (k,), those of the probabilities 0 to 1 - `tail.share` at equal steps.
    """

    pairs: int
    tail: Tail
    quantiles: NDArray[np.float64]

    def chance(self, cosines: ArrayLike) -> NDArray[np.float64]:
        """How often an unrelated pair is as alike, 0 to 1, for each cosine; falls as the cosine rises."""
        values = np.asarray(cosines, np.float64)
        tail = self.tail
        below = np.linspace(0, 1 - tail.share, len(self.quantiles))
        excess = np.clip(values - tail.threshold, 0, None)
        above = tail.share * genpareto.sf(excess, tail.shape, scale=tail.scale)
        common = 1 - np.interp(values, self.quantiles, below)
        chance = np.where(values >= tail.threshold, above, common)
        return np.asarray(np.maximum(chance, 0.1 / self.pairs), np.float64)

    def cosine(self, chance: float) -> float:
        """The cosine that unrelated pairs reach with this chance, between 0 and 1."""
        tail = self.tail
        if chance < tail.share:
            excess = genpareto.isf(chance / tail.share, tail.shape, scale=tail.scale)
            return float(tail.threshold + excess)
        below = np.linspace(0, 1 - tail.share, len(self.quantiles))
        return float(np.interp(1 - chance, below, self.quantiles))


def fit_null_similarity(cosines: NDArray[np.float32]) -> NullSimilarity:
    """The distribution behind a sample of cosines of unrelated pairs, (n,), in any order.

    Raises InvalidParameters where nearly all are equal, so that there is no tail.
    """
    ordered = np.sort(cosines).astype(np.float64)
    share = min(_LARGEST_TAIL, max(_TAIL, _EXCESSES / len(ordered)))
    knots = np.quantile(ordered, np.linspace(0, 1 - share, _KNOTS))
    threshold = float(knots[-1])
    excesses = ordered[ordered > threshold] - threshold
    if len(np.unique(excesses)) < 10 or threshold >= 1:
        raise InvalidParameters(
            "The images are too much alike to tell related from unrelated ones: the most similar pairs of a "
            f"random sample have all the same cosine, {threshold:.6f}."
        )
    scale, shape = _fit_excesses(excesses)
    return NullSimilarity(len(ordered), Tail(threshold, share, scale, shape), knots)


def _fit_excesses(excesses: NDArray[np.float64]) -> tuple[float, float]:
    """Scale and shape of a generalised Pareto distribution, by censored maximum likelihood."""
    limit = float(np.quantile(excesses, 1 - _CENSORED))
    seen = excesses[excesses <= limit]
    censored = len(excesses) - len(seen)

    def loss(free: NDArray[np.float64]) -> float:
        scale, shape = np.exp(free[0]), free[1]
        likelihood = genpareto.logpdf(seen, shape, scale=scale).sum()
        return float(-likelihood - censored * genpareto.logsf(limit, shape, scale=scale))

    start = [np.log(seen.mean()), 0.0]  # an exponential distribution
    bounds = [(None, None), _SHAPES]
    scale, shape = minimize(loss, start, method="Nelder-Mead", bounds=bounds).x
    return float(np.exp(scale)), float(shape)


def pair_cosines(points: Points, twins: NDArray[np.int64]) -> NDArray[np.float32]:
    """The cosines of all pairs of points, each once, but for those of equal `twins`: (pairs,).

    `points`: float32 (n, dim), unit L2 norm. `twins`: int64 (n,).
    """
    parts = []
    for start in range(0, len(points), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(points)))
        cosines = points[rows] @ points[start:].T
        columns = np.arange(start, len(points))
        pairs = (columns[None] > rows[:, None]) & (twins[rows][:, None] != twins[columns][None])
        parts.append(cosines[pairs])
    return np.concatenate(parts)


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The null distribution of `arrays["vectors"]`, float32 (n, dim) of unit norm, without `twins`.

    `parameters`: `near_duplicate`, the cosine from which a pair is taken for copies.

    Arrays out: `quantiles`. Figures out: `pairs`, `copies` (pairs left out), `near_duplicate` (None where
    more than 1 in 100 pairs are that much alike: the encoder then cannot tell copies from others, and none
    are left out) and those of `Tail`. Raises InvalidParameters.
    """
    points, near_duplicate = arrays["vectors"], parameters["near_duplicate"]
    check_points(points)
    progress("comparing pairs", 0, None)
    cosines = pair_cosines(points, arrays["twins"])
    unrelated = cosines[cosines < near_duplicate]
    if len(cosines) - len(unrelated) > _MOST_COPIES * len(cosines):
        unrelated, near_duplicate = cosines, None
    if len(unrelated) < FEWEST_IMAGES * (FEWEST_IMAGES - 1) // 2:
        raise InvalidParameters(
            f"Without copies there are only {len(unrelated)} pairs to compare; {FEWEST_IMAGES} different "
            "images are needed at least."
        )
    progress("fitting the tail", 0, None)
    null = fit_null_similarity(unrelated)
    figures = {"pairs": null.pairs, "copies": len(cosines) - len(unrelated)}
    return {"quantiles": null.quantiles}, {
        **figures,
        "near_duplicate": near_duplicate,
        **asdict(null.tail),
    }
