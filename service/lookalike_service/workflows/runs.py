"""What clusterings and projections share: a named run of a collection, and its vectors on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidParameters
from lookalike_service.store.protocol import Store

Progress = Callable[[str, int, int | None], None]


def key(collection: str, name: str) -> str:
    """The key of a run's document."""
    return f"{collection}/{name}"


def keys(store: Store, kind: str, collection: str) -> list[str]:
    """The keys of a collection's runs, by name."""
    prefix = key(collection, "")
    return [found for found, _ in store.documents(kind) if found.startswith(prefix)]


def point_count(store: Store, collection: str, filter: Mapping[str, Any] | None) -> int:
    """How many points a run would see. Raises InvalidParameters if none, UnknownCollection, InvalidFilter."""
    count = store.count(collection, filter)
    if count == 0:
        empty = "matches no image" if filter else "holds no images"
        what = "The filter" if filter else f"Collection '{collection}'"
        raise InvalidParameters(f"{what} {empty}, so there is nothing to work on.")
    return count


def gather(
    store: Store,
    collection: str,
    filter: Mapping[str, Any] | None,
    folder: Path,
    progress: Progress,
) -> list[str]:
    """Stream the vectors to `folder/vectors.npy`, float32 (n, dim), memory-mapped; the ids in row order.

    Raises InvalidParameters if there are none.
    """
    dim, total = store.collection(collection).space.dim, point_count(store, collection, filter)
    vectors = np.lib.format.open_memmap(
        folder / "gathering", mode="w+", dtype=np.float32, shape=(total, dim)
    )
    ids: list[str] = []
    for batch_ids, batch in store.vectors(collection, filter=filter):
        # Images indexed since they were counted are left for the next run.
        room = total - len(ids)
        vectors[len(ids) : len(ids) + min(room, len(batch))] = batch[:room]
        ids += batch_ids[:room]
        progress("reading vectors", len(ids), total)
        if len(ids) == total:
            break
    vectors.flush()
    _keep(vectors[: len(ids)], folder)
    return ids


def _keep(vectors: NDArray[np.float32], folder: Path) -> None:
    """Images deleted since they were counted leave rows unused; those are dropped."""
    source = folder / "gathering"
    if len(vectors) == 0:
        raise InvalidParameters("All images were deleted while the job started.")
    if source.stat().st_size == 0 or len(vectors) < vectors.base.shape[0]:  # type: ignore[union-attr]
        np.save(folder / "vectors", vectors, allow_pickle=False)
        source.unlink()
    else:
        source.rename(folder / "vectors.npy")


def id_array(ids: Sequence[str]) -> NDArray[np.str_]:
    """UUIDs as an array of text, (n,)."""
    return np.array(ids, dtype="U36")
