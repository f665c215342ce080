"""Maps in closed form, for embeddings that are the global average pool of feature maps.

Grad-CAM (Selvaraju et al., 2017, arXiv:1610.02391) weights each feature map A_k by the mean over positions
of a target's gradient, and keeps what speaks for the target. Where the embedding e is the mean of A over
its H × W positions, the gradient with respect to A is that with respect to e, divided by H W, at every
position: no backward pass, any number of targets from the same feature maps, and nothing of the batch.

For the cosine of e with a unit query q that is w = (q - (q·ê) ê) / (‖e‖ H W), whose map sums to zero
before what is negative is dropped: it shows where the image is *more* like the query than as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.explain.heatmap import Heatmap, heatmap_of
from lookalike_service.explain.methods import METHODS
from lookalike_service.explain.objectives import Objective


def closed_form_map(
    features: NDArray[np.float32], objective: Objective, method: str = "gradcam"
) -> Heatmap:
    """What of `features`, (K, h, w), speaks for an objective of their average pool.

    Empty for features that are all zeros, and where the objective's gradient vanishes. Raises ValueError
    for an objective of another dimension than K.
    """
    maps = features.astype(np.float64)
    gradient = objective.gradient(maps.mean(axis=(1, 2))) / features[0].size
    return heatmap_of(METHODS[method].terms(maps, gradient[:, None, None]))
