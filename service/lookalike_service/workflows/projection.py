"""Projections: gather vectors, project them in the computing process, keep the map."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.parameters import check_seed
from lookalike_service.analysis.projection.before import AUTO, check_before
from lookalike_service.analysis.projection.methods import (
    check_shape,
    find_method,
    resolve_parameters,
)
from lookalike_service.analysis.reduction import check_reduction, parse_reduction
from lookalike_service.errors import InvalidField, InvalidParameters, UnknownProjection
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.projections import ProjectionOut, ProjectionRequest
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import runs
from lookalike_service.workflows.map_columns import value_of

KIND = "projection"
LATER = "projection-later"
"""Kind of the arrays of images placed on a map after it was made; see `map_points`."""
_COMPUTED_FROM = ("method", "parameters", "dimensions", "reduction", "seed")
_DESCRIBED_BY = (*_COMPUTED_FROM, "name", "filter", "align_to", "label_field")
_PAGE = 1_000


def validate(store: Store, collection: str, request: ProjectionRequest) -> dict[str, Any]:
    """The job's parameters, all filled in.

    Raises InvalidParameters saying what is possible for this collection, UnknownProjection for one to align
    to, UnknownCollection, InvalidFilter.
    """
    dim = store.collection(collection).space.dim
    points = runs.point_count(store, collection, request.filter)
    resolved = resolve_parameters(request.method, request.parameters, points=points)
    check_shape(request.method, points=points, dim=dim, dimensions=request.dimensions)
    check_seed(request.seed)
    check_before(request.reduction)
    if request.reduction not in (None, AUTO):
        check_reduction(parse_reduction(request.reduction), points=points, dim=dim)
    if find_method(request.method).needs_labels and request.label_field is None:
        raise InvalidParameters(
            f"{request.method} draws by labels: name their field as label_field, such as metadata.label"
        )
    if request.align_to is not None:
        _check_alignable(get(store, collection, request.align_to), request.dimensions)
    name = request.name or request.method
    return request.model_dump(mode="json") | {"name": name, "parameters": resolved}


def _check_alignable(former: ProjectionOut, dimensions: int) -> None:
    if former.dimensions != dimensions:
        raise InvalidParameters(
            f"projection '{former.name}' has {former.dimensions} dimensions, so one of {dimensions} cannot "
            "be aligned to it"
        )


def run(task: Task) -> dict[str, Any]:
    """Carry out a projection job; its result is the run without its points."""
    start, parameters = time.monotonic(), task.parameters
    found = task.store.collection(task.collection)
    ids = runs.gather(task.store, found, parameters["filter"], task.folder, task.progress)
    if parameters["align_to"] is not None:
        np.save(task.folder / "former", _former(task, ids), allow_pickle=False)
    if parameters["label_field"] is not None:
        np.save(task.folder / "labels", _labels(task, ids), allow_pickle=False)
    arrays, figures = task.compute(
        "lookalike_service.analysis.projection.analyse:analyse",
        {key: parameters[key] for key in _COMPUTED_FROM},
    )
    out = ProjectionOut(
        **{key: parameters[key] for key in _DESCRIBED_BY},
        space=found.space.id,
        points=len(ids),
        diagnostics=figures["diagnostics"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 3),
    ).model_dump(mode="json")
    task.progress("keeping the map", 0, None)
    task.store.collection(task.collection)  # dropped meanwhile, it has no runs any more
    key = runs.key(task.collection, parameters["name"])
    task.store.put_arrays(KIND, key, {**arrays, "ids": runs.id_array(ids)})
    task.store.put_document(KIND, key, out)
    return out


def _former(task: Task, ids: list[str]) -> NDArray[np.float32]:
    """Where these images lie on the map to align to, float32 (n, dimensions), NaN for others."""
    name = task.parameters["align_to"]
    _check_alignable(get(task.store, task.collection, name), task.parameters["dimensions"])
    arrays = task.store.arrays(KIND, runs.key(task.collection, name)) or {}
    places = np.full((len(ids), task.parameters["dimensions"]), np.nan, dtype=np.float32)
    rows = {id: row for row, id in enumerate(arrays["ids"].tolist())} if arrays else {}
    for row, id in enumerate(ids):
        if id in rows:
            places[row] = arrays["coordinates"][rows[id]]
    return places


def _labels(task: Task, ids: list[str]) -> NDArray[np.int64]:
    """The labels of these images as numbers, int64 (n,), -1 for none. Raises InvalidField if none has one."""
    field, numbers = task.parameters["label_field"], dict[str, int]()
    labels = np.full(len(ids), -1, dtype=np.int64)
    rows = {id: row for row, id in enumerate(ids)}
    for first in range(0, len(ids), _PAGE):
        task.progress("reading labels", first, len(ids))
        for record in task.store.retrieve(task.collection, ids[first : first + _PAGE]):
            value = value_of(record.payload, field)
            if value is not None:
                labels[rows[record.id]] = numbers.setdefault(str(value), len(numbers))
    if not numbers:
        raise InvalidField(f"No image of the projection has a value in '{field}' to be its label.")
    return labels


def list_runs(store: Store, collection: str) -> list[ProjectionOut]:
    """All projections of a collection, by name. Raises UnknownCollection."""
    return [ProjectionOut.model_validate(body) for body in runs.bodies(store, KIND, collection)]


def get(store: Store, collection: str, name: str) -> ProjectionOut:
    """One projection without its points. Raises UnknownProjection naming those there are."""

    def missing(names: str) -> UnknownProjection:
        return UnknownProjection(
            f"Collection '{collection}' has no projection '{name}'; it has: {names}."
        )

    return ProjectionOut.model_validate(runs.body(store, KIND, collection, name, missing))


def delete(store: Store, collection: str, name: str) -> None:
    """Remove a projection. Raises UnknownProjection, UnknownCollection."""
    get(store, collection, name)
    _forget(store, runs.key(collection, name))


def delete_all(store: Store, collection: str) -> None:
    """Forget every projection of a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        _forget(store, key)


def _forget(store: Store, key: str) -> None:
    store.delete_document(KIND, key)
    store.delete_document(LATER, key)
