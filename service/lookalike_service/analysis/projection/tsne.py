"""t-SNE: what lies near is near in truth (van der Maaten and Hinton 2008).

In 2-D by openTSNE (Poličar, Stražar and Zupan 2019, doi:10.1101/731877) on exact nearest neighbours; in 3-D,
which that cannot, by scikit-learn, an order of magnitude slower.
"""

from __future__ import annotations

import logging
from itertools import count as count_up

import numpy as np
from numpy.typing import NDArray
from openTSNE import TSNE, affinity
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from sklearn.manifold import TSNE as TSNE3
from threadpoolctl import threadpool_limits

from lookalike_service.analysis.compiled import threads
from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.points import all_equal
from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.analysis.projection.starting import starting_places

_EXTENT = 4e-4  # small, or the points do not find their neighbours
_EARLY, _LATE = 250, 500
_EXAGGERATION = 12.0
_FFT_FROM = 10_000
_THREADS_FROM = 5_000  # below, threads of OpenMP wait for each other longer than they work
_EVERY = 25
# It warns of a start that is not tiny, as that of a former map is not.
logging.getLogger("openTSNE").setLevel(logging.ERROR)


def fit(drawing: Drawing) -> Layout:
    """Lay out; the same seed gives the same map. Equal points all lie at the origin.

    The perplexity is at most a sixth of the other points; the figure `perplexity` says what it was.
    """
    points = drawing.points
    if all_equal(points):
        return Layout(np.zeros((len(points), drawing.dimensions), dtype=np.float32))
    perplexity = max(1.0, min(drawing.parameters["perplexity"], (len(points) - 1) / 6))
    lay_out = _in_plane if drawing.dimensions == 2 else _in_space
    extent = _EXTENT if drawing.start is None else 2 * len(points) ** 0.5
    places = lay_out(drawing, perplexity, starting_places(drawing, extent))
    return Layout(places.astype(np.float32), figures={"perplexity": float(perplexity)})


def _early(drawing: Drawing) -> int:
    """Iterations of early exaggeration, which find the large structure; that of a former map is known."""
    return _EARLY if drawing.start is None else 0


def _in_plane(
    drawing: Drawing, perplexity: float, start: NDArray[np.float32]
) -> NDArray[np.floating]:
    count = len(start)
    found = nearest_neighbours(
        drawing.points, min(count - 1, int(3 * perplexity)), drawing.progress
    )
    drawing.progress("weighing neighbours", 0, None)
    jobs = threads() if count > _THREADS_FROM else 1
    affinities = affinity.PerplexityBasedNN(
        knn_index=PrecomputedNeighbors(found.indices, found.distances.astype(np.float64)),
        perplexity=perplexity,
        n_jobs=jobs,
    )

    early = _early(drawing)
    done = count_up(_EVERY, _EVERY)  # openTSNE counts anew after the early iterations

    def tell(*_: object) -> None:
        drawing.progress("laying out", next(done), early + _LATE)

    model = TSNE(
        negative_gradient_method="fft" if count > _FFT_FROM else "bh",
        early_exaggeration_iter=early,
        n_iter=_LATE,
        n_jobs=jobs,
        callbacks=tell,
        callbacks_every_iters=_EVERY,
        random_state=drawing.seed,
    )
    places: NDArray[np.floating] = np.asarray(
        model.fit(affinities=affinities, initialization=start.astype(np.float64))
    )
    return places


def _in_space(
    drawing: Drawing, perplexity: float, start: NDArray[np.float32]
) -> NDArray[np.floating]:
    drawing.progress("laying out", 0, None)
    count = len(start)
    model = TSNE3(
        3,
        perplexity=perplexity,
        # As openTSNE's; scikit-learn's own is at least 50, which tears small sets apart.
        learning_rate=max(count / _EXAGGERATION / 4, 1.0),
        early_exaggeration=_EXAGGERATION if drawing.start is None else 1.0,
        max_iter=_EARLY + _LATE,
        init=start,
        random_state=drawing.seed,
    )
    with threadpool_limits(threads() if count > _THREADS_FROM else 1):
        places: NDArray[np.floating] = model.fit_transform(drawing.points)
    return places
