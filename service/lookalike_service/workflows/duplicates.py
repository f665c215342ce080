"""Duplicates of a collection: compare what was not compared before, group, keep the run."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import StoreUnavailable, UnknownDuplicates
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.duplicates import DuplicatesOut, DuplicatesRequest
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import calibration, runs
from lookalike_service.workflows.duplicate_contents import Contents, read_contents
from lookalike_service.workflows.duplicate_state import Compared, Criteria

KIND = "duplicates"
NEAR, VARIANT = 0.9, 0.95
SLAB = 20_000
"""Contents compared between two savings of what was found."""


def validate(store: Store, collection: str, request: DuplicatesRequest) -> dict[str, Any]:
    """The job's parameters, all filled in. Raises InvalidParameters, UnknownCollection, InvalidFilter."""
    runs.point_count(store, collection, request.filter)
    scale = calibration.scale(store, store.collection(collection))
    measured = (scale.run.near_duplicate if scale else None) or 0.0
    near = request.near if request.near is not None else max(NEAR, measured)
    variant = request.variant if request.variant is not None else max(VARIANT, measured)
    return request.model_dump(mode="json") | {"near": near, "variant": variant}


def run(task: Task) -> dict[str, Any]:
    """Carry out a duplicates job; its result is the run as `GET …/duplicates/{name}` answers it.

    What was compared is kept after every slab of contents, so that a job that is begun again, and a later run
    of the name with the same criteria, go on from there.
    """
    start, parameters = time.monotonic(), task.parameters
    found = task.store.collection(task.collection)
    key = runs.key(task.collection, parameters["name"])
    criteria = Criteria(
        found.space.id, parameters["near"], parameters["variant"], parameters["bits"]
    )
    former = Compared.load(task.store, key, criteria, anew=parameters["anew"])
    ids = runs.gather(task.store, found, parameters["filter"], task.folder, task.progress)
    contents = read_contents(task, ids, former)
    state = _compare(task, key, contents, former)
    _save(task, content=contents.of_image, rank=contents.rank, **state.pairs)
    arrays, figures = _computed(task, "gather", {"near": criteria.near, "bits": criteria.bits})
    out = DuplicatesOut(
        name=parameters["name"],
        filter=parameters["filter"],
        **asdict(criteria),
        points=len(contents.of_image),
        contents=len(contents),
        compared=len(contents) - contents.known,
        without_hash=int((~contents.hashed).sum()),
        hashed_from_thumbnails=contents.from_thumbnails,
        groups=figures["groups"],
        exact=figures["exact"],
        near_duplicates=figures["near"],
        variants=figures["variant"],
        cut=figures["cut"],
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        seconds=round(time.monotonic() - start, 3),
    ).model_dump(mode="json")
    task.progress("keeping the groups", 0, None)
    task.store.collection(task.collection)  # dropped meanwhile, it has no runs any more
    rows = contents.image_rows[arrays.pop("row")]
    kept = {
        "ids": runs.id_array([ids[row] for row in rows.tolist()]),
        "digests": contents.digests[arrays["content"]],
        "created_at": np.array(out["created_at"]),
        **{f"pair_{name}": array for name, array in state.pairs.items()},
    }
    task.store.put_arrays(KIND, key, {**arrays, **kept})
    task.store.put_document(KIND, key, out)
    return out


def _compare(task: Task, key: str, contents: Contents, former: Compared) -> Compared:
    """Compare what `former` does not know with everything before it, a slab at a time."""
    state = former.narrowed(contents)
    _save(task, rows=contents.rows, hashes=contents.hashes, hashed=contents.hashed)
    for start in range(contents.known, len(contents), SLAB):
        stop = min(start + SLAB, len(contents))
        arrays, _ = _computed(
            task,
            "compare",
            {
                **{name: task.parameters[name] for name in ("near", "variant", "bits")},
                "start": start,
                "stop": stop,
                "begin": contents.known,
                "end": len(contents),
            },
        )
        state = state.grown(contents, stop, arrays)
        state.save(task.store, key)
    return state


def _save(task: Task, **arrays: NDArray[Any]) -> None:
    for name, array in arrays.items():
        np.save(task.folder / f"{name}.npy", array, allow_pickle=False)


def _computed(
    task: Task, function: str, parameters: dict[str, Any]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays in memory, and the figures; what a computation before this one left is removed."""
    shutil.rmtree(task.folder / "out", ignore_errors=True)
    arrays, figures = task.compute(
        f"lookalike_service.analysis.duplicates.analyse:{function}", parameters
    )
    return {name: np.array(array) for name, array in arrays.items()}, figures


def list_runs(store: Store, collection: str) -> list[DuplicatesOut]:
    """All searches for duplicates of a collection, by name. Raises UnknownCollection."""
    return [DuplicatesOut.model_validate(body) for body in runs.bodies(store, KIND, collection)]


def get(store: Store, collection: str, name: str) -> DuplicatesOut:
    """One search for duplicates. Raises UnknownDuplicates naming those there are, UnknownCollection."""

    def missing(names: str) -> UnknownDuplicates:
        return UnknownDuplicates(
            f"Duplicates were not looked for in '{collection}' as '{name}'; there are: {names}."
        )

    return DuplicatesOut.model_validate(runs.body(store, KIND, collection, name, missing))


def load(store: Store, collection: str, name: str) -> tuple[DuplicatesOut, dict[str, NDArray[Any]]]:
    """A run with its arrays. Raises as `get`, StoreUnavailable while it is made anew."""
    run = get(store, collection, name)
    arrays = runs.arrays(store, KIND, collection, name, created_at=run.created_at)
    if arrays is None:
        raise StoreUnavailable(f"Duplicates '{name}' of '{collection}' are just being replaced.")
    return run, arrays


def delete(store: Store, collection: str, name: str) -> None:
    """Forget what was found and compared. Raises UnknownDuplicates, UnknownCollection."""
    get(store, collection, name)
    _forget(store, runs.key(collection, name))


def delete_all(store: Store, collection: str) -> None:
    """Forget every search for duplicates of a collection that is gone."""
    for kind in (KIND, Compared.KIND):
        for key, _ in runs.of_collection(store, kind, collection):
            _forget(store, key)


def _forget(store: Store, key: str) -> None:
    for kind in (KIND, Compared.KIND):
        store.delete_document(kind, key)
