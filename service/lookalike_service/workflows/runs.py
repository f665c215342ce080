"""What clusterings and projections share: a named run of a collection, and its vectors on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters, LookalikeError, SpaceMismatch
from lookalike_service.store.protocol import Collection, Store

CLUSTERING = "clustering"
"""The kind of document that describes a clustering, with its arrays beside it."""


def key(collection: str, name: str) -> str:
    """The key of a run's document."""
    return f"{collection}/{name}"


def of_collection(store: Store, kind: str, collection: str) -> list[tuple[str, dict[str, Any]]]:
    """The documents of a collection's runs with their keys, by name."""
    prefix = key(collection, "")
    return [(found, body) for found, body in store.documents(kind) if found.startswith(prefix)]


def bodies(store: Store, kind: str, collection: str) -> list[dict[str, Any]]:
    """The documents of a collection's runs, by name. Raises UnknownCollection."""
    store.collection(collection)
    return [body for _, body in of_collection(store, kind, collection)]


def body(
    store: Store, kind: str, collection: str, name: str, missing: Callable[[str], LookalikeError]
) -> dict[str, Any]:
    """The document of a run.

    Raises what `missing` makes of the names of those there are, or of `none`; UnknownCollection.
    """
    found = store.document(kind, key(collection, name))
    if found is None:
        names = [str(run["name"]) for run in bodies(store, kind, collection)]
        raise missing(", ".join(names) or "none")
    return found


def arrays(
    store: Store, kind: str, collection: str, name: str, *, created_at: str
) -> dict[str, NDArray[Any]] | None:
    """The arrays of a run; None if they are of another run of the name, which is just replacing it."""
    found = store.arrays(kind, key(collection, name))
    return found if found is not None and str(found["created_at"]) == created_at else None


def point_count(store: Store, collection: str, filter: Mapping[str, Any] | None) -> int:
    """How many points a run would see. Raises InvalidParameters if none, UnknownCollection, InvalidFilter."""
    count = store.count(collection, filter)
    if count == 0:
        empty = "matches no image" if filter else "holds no images"
        what = "The filter" if filter else f"Collection '{collection}'"
        raise InvalidParameters(f"{what} {empty}, so there is nothing to work on.")
    return count


def in_space(store: Store, collection: str, what: str, space_id: str) -> Collection:
    """The collection, if it still answers in the space that a run's vectors were of.

    Raises SpaceMismatch if it was migrated since, UnknownCollection.
    """
    found = store.collection(collection)
    if found.space.id != space_id:
        raise SpaceMismatch(
            f"The {what} was made of vectors of space {space_id}; since then '{collection}' was migrated to "
            f"'{found.space.model}' (space {found.space.id}). What it says of images is kept, but their "
            "vectors no longer compare with its own: run it anew."
        )
    return found


def gather(
    store: Store,
    collection: Collection,
    filter: Mapping[str, Any] | None,
    folder: Path,
    progress: Progress,
) -> list[str]:
    """Stream the vectors to `folder/vectors.npy`, float32 (n, dim); the ids in row order.

    They are of the collection's space at the time it was described, whatever it answers in by now. Images
    indexed or deleted meanwhile: the first are left for the next run, the others left out. Raises
    InvalidParameters if there are none.
    """
    dim, total = collection.space.dim, point_count(store, collection.name, filter)
    path = folder / "vectors.npy"
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(total, dim))
    ids: list[str] = []
    for batch_ids, batch in store.vectors(collection.pinned, filter=filter):
        room = total - len(ids)
        vectors[len(ids) : len(ids) + len(batch)] = batch[:room]
        ids += batch_ids[:room]
        progress("reading vectors", len(ids), total)
        if len(ids) == total:
            break
    if not ids:
        raise InvalidParameters("All images were deleted while the job started.")
    vectors.flush()
    if len(ids) < total:
        kept = folder / "kept.npy"
        np.save(kept, vectors[: len(ids)], allow_pickle=False)
        kept.replace(path)
    return ids


def id_array(ids: Sequence[str]) -> NDArray[np.str_]:
    """UUIDs as an array of text, (n,)."""
    return np.array(ids, dtype="U36")
