"""How a clustering agrees with classes that are known, such as a field of the metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn import metrics

from lookalike_service.errors import InvalidParameters


@dataclass(frozen=True, slots=True)
class Agreement:
    """A clustering against classes.

    `clusters`: the labels (-1 is noise, a group like the others here) and `classes` in the order of
    `confusion`'s rows and columns, int64 (clusters, classes), how many points are in both. `matching`: the
    class of each cluster that has one, so that as many points as can be are in both (Kuhn 1955). `figures`:
    see `measure_agreement`.
    """

    clusters: list[int]
    classes: list[str]
    confusion: NDArray[np.int64]
    matching: dict[int, str]
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Holding:
    """The clusters that hold a class: those which together have the highest `quality`.

    `quality`: `precision_weight` * precision + (1 - precision_weight) * recall, of the points in these
    clusters as points of the class.
    """

    clusters: list[int]
    precision: float
    recall: float
    quality: float


def measure_agreement(labels: NDArray[np.int64], classes: Sequence[str]) -> Agreement:
    """Compare labels int64 (n,) with n classes.

    Figures, by scikit-learn where it has them: `rand`, 0 to 1 (Rand 1971), `adjusted_rand`, 0 by chance
    and 1 at best (Hubert and Arabie 1985), `normalized_mutual_info`, `homogeneity`, `completeness`,
    `v_measure`, `purity` (share of points in their cluster's largest class), `matched` (share of points
    in a cluster and the class matched to it), 0 to 1. Raises InvalidParameters without points.
    """
    if len(labels) == 0:
        raise InvalidParameters("there are no labelled points to compare a clustering with")
    clusters, rows = np.unique(labels, return_inverse=True)
    kinds, columns = np.unique(np.asarray(classes, dtype=str), return_inverse=True)
    confusion = np.zeros((len(clusters), len(kinds)), dtype=np.int64)
    np.add.at(confusion, (rows, columns), 1)
    real = np.flatnonzero(clusters >= 0)  # noise is no cluster that a class could be matched to
    first, second = linear_sum_assignment(-confusion[real])
    pairs = [(real[a], b) for a, b in zip(first, second, strict=True) if confusion[real[a], b]]
    total = len(labels)
    homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(columns, rows)
    figures = {
        "rand": metrics.rand_score(columns, rows),
        "adjusted_rand": metrics.adjusted_rand_score(columns, rows),
        "normalized_mutual_info": metrics.normalized_mutual_info_score(columns, rows),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "v_measure": v_measure,
        "purity": confusion.max(axis=1).sum() / total,
        "matched": sum(confusion[a, b] for a, b in pairs) / total,
    }
    return Agreement(
        clusters.tolist(),
        kinds.tolist(),
        confusion,
        {int(clusters[a]): str(kinds[b]) for a, b in pairs},
        {name: float(value) for name, value in figures.items()},
    )


def find_holding(agreement: Agreement, wanted: str, *, precision_weight: float = 0.5) -> Holding:
    """The clusters that hold a class best, noise never among them.

    Clusters are taken by falling share of the class, each prefix of that order is a candidate, and the one of
    the highest quality is chosen; of equals the shortest. The order is the best one for every number of
    points of the class that are found. Raises InvalidParameters for an unknown class or weight.
    """
    if wanted not in agreement.classes:
        raise InvalidParameters(
            f"no point is of class {wanted!r}; there are: {', '.join(agreement.classes[:20])}"
        )
    if not 0 <= precision_weight <= 1:
        raise InvalidParameters(f"precision_weight is {precision_weight}; allowed: 0 to 1")
    of_class = agreement.confusion[:, agreement.classes.index(wanted)]
    sizes = agreement.confusion.sum(axis=1)
    order = [
        row for row in np.argsort(-of_class / sizes, kind="stable") if agreement.clusters[row] >= 0
    ]
    if not order:
        return Holding([], 0.0, 0.0, 0.0)
    found, taken = np.cumsum(of_class[order]), np.cumsum(sizes[order])
    precision, recall = found / taken, found / of_class.sum()
    quality = precision_weight * precision + (1 - precision_weight) * recall
    best = int(quality.argmax())
    return Holding(
        sorted(agreement.clusters[row] for row in order[: best + 1]),
        float(precision[best]),
        float(recall[best]),
        float(quality[best]),
    )
