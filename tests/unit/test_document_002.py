"""The protocol of a study of 200 medical pictures in four classes, on vectors.

Features; tendency, silhouette and elbow before; k-means, k-medoids, DBSCAN and OPTICS; Rand index after; then
the clusters that hold the class of interest, by 0.3 precision + 0.7 recall, which must reach 0.9; saved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from lookalike_service.analysis.agreement import find_holding, measure_agreement
from lookalike_service.analysis.clustering.analyse import analyse
from tests.clouds import unit

CLASSES = ("document", "x-ray", "limb", "other")
WANTED = "document"


def features() -> tuple[Any, list[str]]:
    """Fifty of each class: documents and x-rays alike among themselves, limbs less, others of all kinds."""
    rng = np.random.default_rng(2)
    widths = {"document": 0.1, "x-ray": 0.08, "limb": 0.13, "other": 0.3}
    centres = np.eye(24)
    rows = [
        centres[place] + rng.normal(0, widths[name], (50, 24)) for place, name in enumerate(CLASSES)
    ]
    order = rng.permutation(200)
    return unit(np.concatenate(rows))[order], [CLASSES[i // 50] for i in order]


def run(algorithm: str, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = {
        "algorithm": algorithm, "parameters": parameters, "reduction": "pca:0.8", "seed": 0,
        "criterion": "silhouette", "stability": 0,
    }  # fmt: skip
    return analyse({"vectors": features()[0]}, asked, lambda *_: None)


@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [("kmeans", {"k": [2, 8]}), ("kmedoids", {"k": [2, 8]}), ("dbscan", {}), ("hdbscan", {}),
     ("optics", {"min_samples": 5, "min_cluster_size": 20})],
)  # fmt: skip
def test_the_cluster_of_interest_is_found_and_judged(
    algorithm: str, parameters: dict[str, Any]
) -> None:
    _, classes = features()
    arrays, figures = run(algorithm, **parameters)
    assert figures["diagnostics"]["hopkins"] > 0.6, "there is structure before anything is fitted"
    if "k" in parameters:
        assert 3 <= figures["sweep"]["k"] <= 5
        assert 3 <= figures["sweep"]["choices"]["elbow"] <= 5
    labels = arrays["labels"]
    agreement = measure_agreement(labels, classes)
    assert agreement.figures["rand"] == pytest.approx(metrics.rand_score(classes, labels))
    assert agreement.figures["rand"] > 0.7
    held = find_holding(agreement, WANTED, precision_weight=0.3)
    saved = np.flatnonzero(np.isin(labels, held.clusters))
    truth = np.array([name == WANTED for name in classes])
    precision, recall = truth[saved].mean(), truth[saved].sum() / truth.sum()
    assert held.precision == pytest.approx(precision)
    assert held.recall == pytest.approx(recall)
    assert held.quality == pytest.approx(0.3 * precision + 0.7 * recall)
    assert held.quality >= 0.9
