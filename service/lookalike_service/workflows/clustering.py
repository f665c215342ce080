"""Clusterings: gather vectors, cluster them in the computing process, write the labels, keep the run."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import check_fits, resolve_range
from lookalike_service.analysis.clustering.sampling import most_clustered
from lookalike_service.analysis.parameters import check_seed
from lookalike_service.analysis.reduction import check_reduction, known_dim, parse_reduction
from lookalike_service.analysis.sweep_plot import plot_sweep
from lookalike_service.errors import InvalidParameters, StoreUnavailable, UnknownClustering
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.clusterings import ClusteringOut, ClusteringRequest
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.workflows import cluster_notes, labelling, runs

KIND = runs.CLUSTERING
_COMPUTED_FROM = ("algorithm", "parameters", "criterion", "reduction", "stability", "seed")
_SHOWN = ("exemplars", "outliers")
_PAGE = 1_000
_READS = 3


def validate(store: Store, collection: str, request: ClusteringRequest) -> dict[str, Any]:
    """The job's parameters, all filled in.

    Raises InvalidParameters saying what is possible for this collection, UnknownCollection, InvalidFilter.
    """
    space = store.collection(collection).space
    points = runs.point_count(store, collection, request.filter)
    resolved, ks = resolve_range(request.algorithm, request.parameters, points=points)
    parameters = {**resolved, "k": [ks[0], ks[-1]]} if ks else resolved
    check_seed(request.seed)
    if request.reduction is not None:
        check_reduction(parse_reduction(request.reduction), points=points, dim=space.dim)
    largest = {**resolved, "k": ks[-1]} if ks else resolved
    at_once = min(points, most_clustered(space.dim))
    dim = known_dim(request.reduction, space.dim)
    check_fits(request.algorithm, largest, points=at_once, dim=dim)
    name = request.name or request.algorithm
    return request.model_dump(mode="json") | {"name": name, "parameters": parameters}


def run(task: Task) -> dict[str, Any]:
    """Carry out a clustering job; its result is the run as `GET …/clusterings/{name}` answers it."""
    start, parameters = time.monotonic(), task.parameters
    found = task.store.collection(task.collection)
    ids = runs.gather(task.store, found, parameters["filter"], task.folder, task.progress)
    arrays, figures = task.compute(
        "lookalike_service.analysis.clustering.analyse:analyse",
        {key: parameters[key] for key in _COMPUTED_FROM},
    )
    labels = np.asarray(arrays["labels"])
    followed = parameters["follow"]
    run = ClusteringOut(
        **{key: parameters[key] for key in ("name", "algorithm", "parameters", "reduction")},
        run=uuid.uuid4().hex,
        filter=parameters["filter"],
        seed=parameters["seed"],
        space=found.space.id,
        points=len(ids),
        noise=int((labels == -1).sum()),
        clusters=_named(task, ids, figures["clusters"]),
        sweep=figures["sweep"],
        diagnostics=figures["diagnostics"],
        drift=labelling.no_drift(*figures["low_confidence"]) if followed else None,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 3),
    )
    task.progress("writing labels", 0, len(ids))  # from here on it is carried through
    _publish(task.store, found, run, ids, {**arrays, "labels": labels})
    if followed:
        labelling.follow(task.store, task.collection, run)
        labelling.catch_up(task.store, found, run)
    return run.model_dump(mode="json")


def _named(task: Task, ids: list[str], clusters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The clusters with callers' ids where they have rows; images deleted meanwhile are left out."""
    rows = {row for found in clusters for row in found["exemplars"] + found["outliers"]}
    wanted = [ids[row] for row in sorted(rows)]
    names = {
        record.id: record.payload["key"]
        for first in range(0, len(wanted), _PAGE)
        for record in task.store.retrieve(task.collection, wanted[first : first + _PAGE])
    }
    return [
        found
        | {"medoid": names.get(ids[found["medoid"]])}
        | {kind: [names[ids[row]] for row in found[kind] if ids[row] in names] for kind in _SHOWN}
        for found in clusters
    ]


def _publish(
    store: Store,
    collection: Collection,
    run: ClusteringOut,
    ids: list[str],
    arrays: dict[str, NDArray[Any]],
) -> None:
    """Put the run in the place of an older one of its name.

    All labels are written in one call, so that nobody sees a mix of two runs. A service that dies before
    the end begins the job again.
    """
    key = runs.key(collection.name, run.name)
    labelling.unfollow(store, collection.name, run.name)
    store.write_labels(collection.name, run.name, ids, arrays["labels"], replace=True)
    made = {"run": np.array(run.run), "ids": runs.id_array(ids)}
    store.put_document(KIND, key, run.model_dump(mode="json"))
    store.put_arrays(KIND, key, {**arrays, **made})


def list_runs(store: Store, collection: str) -> list[ClusteringOut]:
    """All clusterings of a collection, by name. Raises UnknownCollection."""
    return [_read(store, collection, body) for body in runs.bodies(store, KIND, collection)]


def get(store: Store, collection: str, name: str) -> ClusteringOut:
    """One clustering. Raises UnknownClustering naming those there are, UnknownCollection."""

    def missing(names: str) -> UnknownClustering:
        return UnknownClustering(
            f"Collection '{collection}' has no clustering '{name}'; it has: {names}"
        )

    return _read(store, collection, runs.body(store, KIND, collection, name, missing))


def describe(store: Store, collection: str, name: str) -> ClusteringOut:
    """One clustering with its drift as of now. Raises as `get`."""
    return labelling.measure_drift(store, collection, get(store, collection, name))


def describe_all(store: Store, collection: str) -> list[ClusteringOut]:
    """All clusterings of a collection with their drift. Raises UnknownCollection."""
    found = list_runs(store, collection)
    return [labelling.measure_drift(store, collection, run) for run in found]


def _read(store: Store, collection: str, body: dict[str, Any]) -> ClusteringOut:
    return cluster_notes.annotated(store, collection, ClusteringOut.model_validate(body))


def load(store: Store, collection: str, name: str) -> tuple[ClusteringOut, dict[str, NDArray[Any]]]:
    """One clustering with its arrays. Raises as `get`, StoreUnavailable while it is made anew."""
    for _ in range(_READS):
        run = get(store, collection, name)
        arrays = store.arrays(KIND, runs.key(collection, name))
        if arrays is not None and str(arrays.get("run", "")) == run.run:
            return run, arrays
    raise StoreUnavailable(f"Clustering '{name}' of '{collection}' is just being replaced.")


def draw_sweep(store: Store, collection: str, name: str) -> bytes:
    """What spoke for each k, as PNG. Raises InvalidParameters without a sweep, UnknownClustering."""
    run = get(store, collection, name)
    if run.sweep is None:
        raise InvalidParameters(
            f"Clustering '{name}' was not made by trying several k, so there is nothing to draw; cluster "
            'with `k` as a range, such as {"k": [2, 20]}.'
        )
    return plot_sweep(
        [candidate.model_dump() for candidate in run.sweep.candidates],
        {str(criterion): k for criterion, k in run.sweep.choices.items()},
        criterion=run.sweep.criterion,
        title=f"{collection}: {name}, {run.algorithm} of {run.sweep.points} images",
    )


def delete(store: Store, collection: str, name: str) -> None:
    """Remove a clustering and its labels. Raises UnknownClustering, UnknownCollection."""
    get(store, collection, name)
    labelling.unfollow(store, collection, name)
    labelling.drop_labels(store, collection, name)  # while the run is there to be deleted again
    store.delete_document(KIND, runs.key(collection, name))
    cluster_notes.forget(store, collection, name)
    labelling.drop_labels(store, collection, name)  # of images indexed meanwhile


def delete_all(store: Store, collection: str) -> None:
    """Forget every clustering of a collection that is gone."""
    labelling.forget_all(store, collection)
    cluster_notes.forget_all(store, collection)
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)
