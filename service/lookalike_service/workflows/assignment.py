"""New images among the clusters of an existing clustering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import find_algorithm
from lookalike_service.analysis.clustering.assign import load_assigner
from lookalike_service.analysis.reduction import load_reduction
from lookalike_service.errors import UnknownClustering
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering, runs


def assign(
    store: Store, collection: str, name: str, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and confidences (n,) of vectors float32 (n, dim), each on its own; -1 is noise, of confidence 0.

    Raises UnknownClustering, UnknownCollection, SpaceMismatch if the collection was migrated since.
    """
    run = clustering.get(store, collection, name)
    runs.in_space(store, collection, f"clustering '{name}'", run.space)
    arrays = store.arrays(clustering.KIND, runs.key(collection, name))
    if arrays is None:
        raise UnknownClustering(f"Clustering '{name}' of '{collection}' was just removed.")
    if run.reduction is not None:
        vectors = load_reduction(run.reduction, arrays).apply(vectors)
    return load_assigner(find_algorithm(run.algorithm).assigner, arrays).place(vectors)
