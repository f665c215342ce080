"""Comparisons of two sets of images: gather both, compare them in the computing process, keep the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.comparison.analyse import FEWEST
from lookalike_service.errors import (
    InvalidField,
    InvalidParameters,
    SpaceMismatch,
    StoreUnavailable,
    UnknownComparison,
)
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.comparisons import (
    ClusterShareOut,
    ComparisonFigures,
    ComparisonOut,
    ComparisonRequest,
    Counterpart,
    Counterparts,
    Side,
    SubsetOut,
)
from lookalike_service.store.protocol import Collection, Filter, Record, Store
from lookalike_service.workflows import clustering, runs

KIND = "comparison"
NOT_LABELLED = -2
"""Label of images that the clustering did not see."""
Order = Literal["farthest", "nearest"]
_SIDES: tuple[Side, ...] = get_args(Side)
_TYPICAL, _EXAMPLES = 6, 4
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class _Subset:
    title: str
    collection: Collection
    filter: Filter | None


def validate(store: Store, collection: str, request: ComparisonRequest) -> dict[str, Any]:
    """The job's parameters, all filled in.

    Raises InvalidParameters for sets that are too small or share images, InvalidField, SpaceMismatch for
    collections of different encoders, UnknownCollection, UnknownClustering, InvalidFilter.
    """
    first, second = _subsets(store, collection, request)
    for subset in (first, second):
        found = store.count(subset.collection.name, subset.filter)
        if found < FEWEST:
            raise InvalidParameters(
                f"'{subset.title}' has {found} images; a comparison needs {FEWEST} of each set at least."
            )
    if first.collection.name == second.collection.name:
        filters = [one.filter for one in (first, second) if one.filter]
        if shared := store.count(collection, {"must": filters}):
            raise InvalidParameters(
                f"{shared} images are in both sets, which must have none in common: narrow a filter."
            )
    if request.clustering is not None:
        if first.collection.name != second.collection.name:
            raise InvalidField(
                "'clustering' is of one collection; sets of two are compared by clusters found in both."
            )
        clustering.get(store, collection, request.clustering)
    return request.model_dump(mode="json") | {
        side: {"title": one.title, "collection": one.collection.name, "filter": one.filter}
        for side, one in zip(_SIDES, (first, second), strict=True)
    }


def _subsets(store: Store, collection: str, request: ComparisonRequest) -> tuple[_Subset, _Subset]:
    found = store.collection(collection)
    asked, other_asked = request.first, request.second
    if asked.collection not in (None, collection):
        raise InvalidField(
            f"'first.collection' is '{asked.collection}'; the first set is of '{collection}' itself."
        )
    other = found
    if other_asked.collection is not None:
        other = store.collection(other_asked.collection)
    if other.space.id != found.space.id:
        raise SpaceMismatch(
            f"'{other.name}' is of encoder '{other.space.model}' (space {other.space.id}), '{collection}' of "
            f"'{found.space.model}' (space {found.space.id}): their vectors do not compare."
        )
    filter = other_asked.filter
    if not filter and other.name == collection:
        if not asked.filter:
            raise InvalidField(
                "Both sets are all of the collection: give 'first.filter', 'second.filter' or "
                "'second.collection'."
            )
        filter = {"must_not": [asked.filter]}
    return (
        _Subset(asked.title or "first", found, asked.filter),
        _Subset(other_asked.title or "second", other, filter),
    )


def run(task: Task) -> dict[str, Any]:
    """Carry out a comparison job; its result is the comparison as `GET …/comparisons/{name}` answers it."""
    start, parameters = time.monotonic(), task.parameters
    spaces, ids = [], dict[Side, list[str]]()
    for side in _SIDES:
        found = task.store.collection(parameters[side]["collection"])
        spaces.append(found.space.id)
        ids[side] = _gather(task, found, side)
    if len(set(spaces)) > 1:
        raise SpaceMismatch("One of the collections was migrated while the job waited.")
    if parameters["clustering"] is not None:
        _write_labels(task, ids)
    arrays, figures = task.compute(
        "lookalike_service.analysis.comparison.analyse:analyse",
        {"k": parameters["clusters"], "seed": parameters["seed"]},
    )
    clusters, independence = figures.pop("clusters"), figures.pop("independence")
    figures |= {f"mmd_{name}": figures.pop(name) for name in ("p", "bandwidth")}
    out = ComparisonOut(
        name=parameters["name"],
        first=_described(task, "first", ids["first"], arrays["first_along"]),
        second=_described(task, "second", ids["second"], -arrays["second_along"]),
        clustering=parameters["clustering"],
        figures=ComparisonFigures.model_validate(figures),
        clusters=[_share(task, found, ids, arrays) for found in clusters],
        independence=independence,
        space=spaces[0],
        seed=parameters["seed"],
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        seconds=round(time.monotonic() - start, 3),
    ).model_dump(mode="json")
    task.progress("keeping the comparison", 0, None)
    task.store.collection(task.collection)  # dropped meanwhile, it has no runs any more
    key = runs.key(task.collection, parameters["name"])
    kept = {f"{side}_ids": runs.id_array(ids[side]) for side in _SIDES}
    task.store.put_arrays(KIND, key, {**arrays, **kept, "created_at": np.array(out["created_at"])})
    task.store.put_document(KIND, key, out)
    return out


def _gather(task: Task, collection: Collection, side: Side) -> list[str]:
    """Write `SIDE.npy`; the ids in row order. Raises InvalidParameters if too few are left."""
    folder = task.folder / side
    folder.mkdir()
    filter = task.parameters[side]["filter"]
    ids = runs.gather(task.store, collection, filter, folder, task.progress)
    if len(ids) < FEWEST:
        raise InvalidParameters("Images were deleted while the job waited: too few are left.")
    (folder / "vectors.npy").replace(task.folder / f"{side}.npy")
    return ids


def _write_labels(task: Task, ids: Mapping[Side, Sequence[str]]) -> None:
    """Write `SIDE_labels.npy`, the labels of the clustering that was asked for, as they are now."""
    name = task.parameters["clustering"]
    for side in _SIDES:
        labels = {
            record.id: record.payload.get("clusters", {}).get(name, NOT_LABELLED)
            for record in _records(task.store, task.collection, ids[side])
        }
        found = np.array([labels.get(id, NOT_LABELLED) for id in ids[side]], dtype=np.int64)
        np.save(task.folder / f"{side}_labels.npy", found, allow_pickle=False)


def _described(task: Task, side: Side, ids: Sequence[str], along: NDArray[np.float32]) -> SubsetOut:
    asked = task.parameters[side]
    typical = [ids[row] for row in np.argsort(along, kind="stable")[:_TYPICAL].tolist()]
    return SubsetOut(
        **asked, points=len(ids), typical=keys(task.store, asked["collection"], typical)
    )


def _share(
    task: Task,
    share: dict[str, Any],
    ids: Mapping[Side, Sequence[str]],
    arrays: Mapping[str, NDArray[Any]],
) -> ClusterShareOut:
    examples = {}
    for side in _SIDES:
        # Ids are hashes, so the first in their order are drawn at random.
        rows = np.flatnonzero(arrays[f"{side}_labels"] == share["label"])[:_EXAMPLES]
        chosen = [ids[side][row] for row in rows.tolist()]
        examples[side] = keys(task.store, task.parameters[side]["collection"], chosen)
    return ClusterShareOut(**share, examples=examples)


def keys(store: Store, collection: str, ids: Sequence[str]) -> list[str]:
    """Callers' ids of those that are still there, in their order."""
    return [record.payload["key"] for record in store.retrieve(collection, ids)]


def _records(store: Store, collection: str, ids: Sequence[str]) -> list[Record]:
    return [
        record
        for first in range(0, len(ids), _PAGE)
        for record in store.retrieve(collection, ids[first : first + _PAGE])
    ]


def list_runs(store: Store, collection: str) -> list[ComparisonOut]:
    """All comparisons of a collection, by name. Raises UnknownCollection."""
    return [ComparisonOut.model_validate(body) for body in runs.bodies(store, KIND, collection)]


def get(store: Store, collection: str, name: str) -> ComparisonOut:
    """One comparison. Raises UnknownComparison naming those there are, UnknownCollection."""

    def missing(names: str) -> UnknownComparison:
        return UnknownComparison(
            f"Collection '{collection}' has no comparison '{name}'; it has: {names}."
        )

    return ComparisonOut.model_validate(runs.body(store, KIND, collection, name, missing))


def load(store: Store, collection: str, name: str) -> tuple[ComparisonOut, dict[str, NDArray[Any]]]:
    """A comparison with its arrays. Raises as `get`, StoreUnavailable while it is made anew."""
    run = get(store, collection, name)
    arrays = runs.arrays(store, KIND, collection, name, created_at=run.created_at)
    if arrays is None:
        raise StoreUnavailable(f"Comparison '{name}' of '{collection}' is just being replaced.")
    return run, arrays


def delete(store: Store, collection: str, name: str) -> None:
    """Remove a comparison. Raises UnknownComparison, UnknownCollection."""
    get(store, collection, name)
    store.delete_document(KIND, runs.key(collection, name))


def delete_all(store: Store, collection: str) -> None:
    """Forget every comparison of a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)


def counterparts(
    store: Store, collection: str, name: str, *, side: Side, order: Order, limit: int, offset: int
) -> Counterparts:
    """A page of the images of one set, each with the nearest of the other; deleted ones are left out.

    `order`: `farthest` begins with those that the other set has nothing like. Raises as `load`.
    """
    run, arrays = load(store, collection, name)
    cosine = arrays[f"{side}_cosine"]
    rows = np.argsort(cosine if order == "farthest" else -cosine, kind="stable")
    rows = rows[offset : offset + limit]
    other: Side = "second" if side == "first" else "first"
    of, of_other = getattr(run, side), getattr(run, other)
    own = arrays[f"{side}_ids"][rows].tolist()
    theirs = arrays[f"{other}_ids"][arrays[f"{side}_counterpart"][rows]].tolist()
    named = {r.id: r.payload["key"] for r in store.retrieve(of.collection, own)}
    named_other = {
        r.id: r.payload["key"] for r in store.retrieve(of_other.collection, sorted(set(theirs)))
    }
    labels = arrays[f"{side}_labels"][rows].tolist()
    found = [
        Counterpart(
            id=named[one], counterpart=named_other[two], cosine=round(value, 6), cluster=label
        )
        for one, two, value, label in zip(own, theirs, cosine[rows].tolist(), labels, strict=True)
        if one in named and two in named_other
    ]
    return Counterparts(side=side, total=of.points, counterparts=found)
