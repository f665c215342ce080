"""How sure of its labels a clustering would be of images like its own: what drift is measured by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.assign import Assigner, NearestMember
from lookalike_service.analysis.points import Points

_SAMPLE = 5_000
_LOW_SHARE = 0.05


def low_confidence(
    assigner: Assigner, points: Points, labels: NDArray[np.int64], *, seed: int
) -> tuple[float, float]:
    """The confidence up to which a label is of low confidence, and the share of such labels to expect.

    `points`: float32 (n, dim), those that were clustered; `labels`: int64 (n,), theirs. The first is the 5th
    percentile of what the assigner says of them, each as if it were new; of more than 5,000 so many
    drawn by `seed`. The second counts noise too, as an image that is noise has confidence 0.
    """
    clustered = np.flatnonzero(labels >= 0)
    noise = 1 - len(clustered) / len(labels)
    if isinstance(assigner, NearestMember):
        _, confidences = assigner.place_members()
    else:
        if len(clustered) > _SAMPLE:
            rng = np.random.default_rng(seed)
            clustered = np.sort(rng.choice(clustered, _SAMPLE, replace=False))
        _, confidences = assigner.place(points[clustered])
    if len(confidences) == 0:
        return 0.0, 1.0
    threshold = float(np.quantile(confidences, _LOW_SHARE, method="lower"))
    return threshold, float(noise + (1 - noise) * (confidences <= threshold).mean())
