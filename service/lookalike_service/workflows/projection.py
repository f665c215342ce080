"""Projections: gather vectors, project them in the computing process, keep the map, place new images."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.parameters import check_seed
from lookalike_service.analysis.plot import plot_projection
from lookalike_service.analysis.projection.layout import interpolate
from lookalike_service.analysis.projection.methods import (
    check_shape,
    find_method,
    resolve_parameters,
)
from lookalike_service.analysis.reduction import Linear
from lookalike_service.errors import InvalidField, InvalidParameters, UnknownProjection
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.projections import ProjectionOut, ProjectionPoints, ProjectionRequest
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import runs

KIND = "projection"
_NEIGHBOURS, _CANDIDATES = 15, 100
"""Nearest images by which a new one is placed, where a method has no linear model; they are looked for
among so many, since some may have been indexed after the map was made."""
_PAGE = 1_000
_MOST_NAMES = 20


def validate(store: Store, collection: str, request: ProjectionRequest) -> dict[str, Any]:
    """The job's parameters, all filled in.

    Raises InvalidParameters saying what is possible for this collection, UnknownCollection, InvalidFilter.
    """
    dim = store.collection(collection).space.dim
    points = runs.point_count(store, collection, request.filter)
    resolved = resolve_parameters(request.method, request.parameters, points=points)
    check_shape(request.method, points=points, dim=dim, dimensions=request.dimensions)
    check_seed(request.seed)
    name = request.name or request.method
    return request.model_dump(mode="json") | {"name": name, "parameters": resolved}


def run(task: Task) -> dict[str, Any]:
    """Carry out a projection job; its result is the run without its points."""
    start, parameters = time.monotonic(), task.parameters
    found = task.store.collection(task.collection)
    ids = runs.gather(task.store, found, parameters["filter"], task.folder, task.progress)
    arrays, figures = task.compute(
        "lookalike_service.analysis.projection.analyse:analyse",
        {key: parameters[key] for key in ("method", "parameters", "dimensions", "seed")},
    )
    out = ProjectionOut(
        **{key: parameters[key] for key in ("name", "method", "dimensions", "parameters")},
        filter=parameters["filter"],
        seed=parameters["seed"],
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


def list_runs(store: Store, collection: str) -> list[ProjectionOut]:
    """All projections of a collection, by name. Raises UnknownCollection."""
    store.collection(collection)
    found = runs.of_collection(store, KIND, collection)
    return [ProjectionOut.model_validate(body) for _, body in found]


def get(store: Store, collection: str, name: str) -> ProjectionOut:
    """One projection without its points. Raises UnknownProjection naming those there are."""
    body = store.document(KIND, runs.key(collection, name))
    if body is None:
        names = [run.name for run in list_runs(store, collection)]
        raise UnknownProjection(
            f"Collection '{collection}' has no projection '{name}'; it has: {', '.join(names) or 'none'}."
        )
    return ProjectionOut.model_validate(body)


def delete(store: Store, collection: str, name: str) -> None:
    """Remove a projection. Raises UnknownProjection, UnknownCollection."""
    get(store, collection, name)
    store.delete_document(KIND, runs.key(collection, name))


def delete_all(store: Store, collection: str) -> None:
    """Forget every projection of a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)


def points(store: Store, collection: str, name: str) -> ProjectionPoints:
    """A projection with the ids and places of the images that are still there."""
    run = get(store, collection, name)
    payloads, coordinates = _placed(store, collection, run)
    return ProjectionPoints(
        **run.model_dump(),
        ids=[payload["key"] for payload in payloads],
        coordinates=coordinates.tolist(),
    )


def draw(store: Store, collection: str, name: str, color: str | None) -> bytes:
    """A PNG of the projection, coloured by a payload field such as `metadata.label`.

    Numbers of more than twenty values get a colour bar, everything else a legend. Raises
    UnknownProjection, InvalidField if no image on the map has the field.
    """
    run = get(store, collection, name)
    payloads, coordinates = _placed(store, collection, run)
    title = f"{collection}: {name} of {len(coordinates)} images"
    if color is None:
        return plot_projection(coordinates, title=title)
    values = [_field(payload, color) for payload in payloads]
    if all(value is None for value in values):
        raise InvalidField(f"No image on the map has a value in '{color}' to colour it by.")
    if color.startswith("metadata.") and _continuous(values):
        shown = [np.nan if value is None else float(value) for value in values]
        return plot_projection(coordinates, title=title, values=shown, legend=color)
    of_cluster = color.startswith("clusters.")  # whose numbers are drawn as clusters and noise
    names = ["none" if v is None else v if of_cluster else str(v) for v in values]
    return plot_projection(coordinates, title=title, labels=names, legend=color)


def place(
    store: Store, collection: str, name: str, vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where new images lie on the map: float32 (n, dimensions) of vectors float32 (n, dim).

    Each depends on itself and the map alone. Raises UnknownProjection, SpaceMismatch if the collection was
    migrated since, InvalidParameters if none of an image's neighbours is on the map any more.
    """
    run = get(store, collection, name)
    found = runs.in_space(store, collection, f"projection '{name}'", run.space)
    arrays = _arrays(store, collection, name)
    if find_method(run.method).placing == "linear":
        return Linear(arrays["mean"], arrays["components"]).apply(vectors)
    rows = {id: row for row, id in enumerate(arrays["ids"].tolist())}
    placed = []
    for vector in vectors:
        hits = store.query(found.pinned, vector, limit=_CANDIDATES, filter=run.filter)
        near = [hit for hit in hits if hit.id in rows][:_NEIGHBOURS]
        if not near:
            raise InvalidParameters(
                f"The images of projection '{name}' are no longer near any image; project again."
            )
        similarities = np.array([[hit.score for hit in near]])
        placed.append(
            interpolate(similarities, arrays["coordinates"][[[rows[hit.id] for hit in near]]])
        )
    return np.concatenate(placed)


def _arrays(store: Store, collection: str, name: str) -> dict[str, NDArray[Any]]:
    arrays = store.arrays(KIND, runs.key(collection, name))
    if arrays is None:
        raise UnknownProjection(f"Projection '{name}' of '{collection}' was just removed.")
    return arrays


def _placed(
    store: Store, collection: str, run: ProjectionOut
) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
    """Payloads and coordinates of the images on the map that are still in the collection."""
    arrays = _arrays(store, collection, run.name)
    ids = arrays["ids"].tolist()
    rows = {id: row for row, id in enumerate(ids)}
    found = [
        record
        for first in range(0, len(ids), _PAGE)
        for record in store.retrieve(collection, ids[first : first + _PAGE])
    ]
    coordinates: NDArray[np.float32] = arrays["coordinates"][[rows[record.id] for record in found]]
    return [record.payload for record in found], coordinates


def _field(payload: dict[str, Any], path: str) -> Any:
    """`clusters.NAME` or `metadata.FIELD`, where FIELD may lead into nested objects; None where absent."""
    group, _, rest = path.partition(".")
    values = payload.get(group, {})
    if rest in values or group == "clusters":
        return values.get(rest)
    for part in rest.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _continuous(values: list[Any]) -> bool:
    known = [value for value in values if value is not None]
    numbers = all(type(value) in (int, float) for value in known)
    return numbers and len(set(known)) > _MOST_NAMES
