"""The fitted assigner of a clustering, read from the store and kept while it is in use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import find_algorithm
from lookalike_service.analysis.clustering.assign import Assigner, load_assigner
from lookalike_service.analysis.reduction import Reduction, load_reduction
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import runs

_MOST_KEPT = 4


@dataclass(frozen=True, slots=True, eq=False)
class Placer:
    """What gives new vectors their labels: a reduction, if any, and an assigner."""

    reduction: Reduction | None
    assigner: Assigner

    def place(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels and confidences (n,) of vectors float32 (n, dim), each on its own."""
        points = vectors if self.reduction is None else self.reduction.apply(vectors)
        return self.assigner.place(points)


_kept: OrderedDict[str, Placer] = OrderedDict()
_lock = threading.Lock()


def find_placer(
    store: Store, collection: str, name: str, *, run: str, algorithm: str, reduction: str | None
) -> Placer | None:
    """The placer of this run of a clustering; None if the store has none, or another run's, by now.

    The few used last are kept in memory: by their runs, whose ids are never used again.
    """
    with _lock:
        if run in _kept:
            _kept.move_to_end(run)
            return _kept[run]
    arrays = store.arrays(runs.CLUSTERING, runs.key(collection, name))
    if arrays is None or str(arrays.get("run", "")) != run:
        return None
    found = Placer(
        None if reduction is None else load_reduction(reduction, arrays),
        load_assigner(find_algorithm(algorithm).assigner, arrays),
    )
    if run:  # runs of earlier versions have no id
        with _lock:
            _kept[run] = found
            if len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
    return found
