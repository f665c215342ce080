"""Maps in memory, for answers that cannot wait for their arrays to be read from the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.projection.placing import Placer, load_placer
from lookalike_service.errors import InvalidParameters, UnknownProjection
from lookalike_service.schemas.projections import ProjectionOut
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import projection, runs

_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True)
class FittedMap:
    """A map with its arrays: `ids` and `coordinates` in the same order, and the others."""

    run: ProjectionOut
    arrays: Mapping[str, NDArray[Any]]

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each id."""
        return {id: row for row, id in enumerate(self.arrays["ids"].tolist())}

    @cached_property
    def placer(self) -> Placer:
        """What places new images. Raises InvalidParameters for a map of an older version, which has none."""
        if "anchors" not in self.arrays and "components" not in self.arrays:
            raise InvalidParameters(
                f"Projection '{self.run.name}' was made by an older version, which did not keep what places "
                "new images; project again."
            )
        return load_placer(self.arrays)


class _Kept:
    """Maps read from stores, those used last up to a size. Thread-safe."""

    def __init__(self) -> None:
        self._maps: OrderedDict[tuple[int, str, str], FittedMap] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[int, str, str], run: ProjectionOut) -> FittedMap | None:
        with self._lock:
            found = self._maps.get(key)
            if found is None or found.run != run:  # it was made anew since
                return None
            self._maps.move_to_end(key)
            return found

    def put(self, key: tuple[int, str, str], found: FittedMap) -> None:
        with self._lock:
            self._maps[key] = found
            self._maps.move_to_end(key)
            while len(self._maps) > 1 and sum(map(_size, self._maps.values())) > _KEPT_BYTES:
                self._maps.popitem(last=False)


_kept = _Kept()


def _size(found: FittedMap) -> int:
    return sum(array.nbytes for array in found.arrays.values())


def load(store: Store, collection: str, name: str) -> FittedMap:
    """A map as it is now, from memory where that is as new. Raises UnknownProjection."""
    run = projection.get(store, collection, name)
    key = (id(store), collection, name)
    found = _kept.get(key, run)
    if found is None:
        arrays = store.arrays(projection.KIND, runs.key(collection, name))
        if arrays is None:
            raise UnknownProjection(f"Projection '{name}' of '{collection}' was just removed.")
        found = FittedMap(run, arrays)
        _kept.put(key, found)
    return found


def place(
    store: Store, collection: str, name: str, vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where new images lie on the map: float32 (n, dimensions) of vectors float32 (n, dim).

    Each depends on itself and the map alone. Raises UnknownProjection, SpaceMismatch if the collection was
    migrated since, InvalidParameters for a map of an older version.
    """
    found = load(store, collection, name)
    runs.in_space(store, collection, f"projection '{name}'", found.run.space)
    return found.placer.place(vectors)
