"""New images among the clusters of an existing clustering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import StoreUnavailable
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering, runs
from lookalike_service.workflows.placing import find_placer


def assign(
    store: Store, collection: str, name: str, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and confidences (n,) of vectors float32 (n, dim), each on its own; -1 is noise, of confidence 0.

    Raises UnknownClustering, UnknownCollection, SpaceMismatch if the collection was migrated since,
    StoreUnavailable while the clustering is made anew.
    """
    run = clustering.get(store, collection, name)
    runs.in_space(store, collection, f"clustering '{name}'", run.space)
    placer = find_placer(
        store, collection, name, run=run.run, algorithm=run.algorithm, reduction=run.reduction
    )
    if placer is None:
        raise StoreUnavailable(f"Clustering '{name}' of '{collection}' is just being replaced.")
    return placer.place(vectors)
