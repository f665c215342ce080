"""Collections with all that was computed from them."""

from __future__ import annotations

from lookalike_service.store.protocol import Store
from lookalike_service.workflows import (
    calibration,
    clustering,
    comparison,
    duplicates,
    migration,
    projection,
)


def drop(store: Store, name: str) -> None:
    """Delete the collection with all that was computed from it. Raises UnknownCollection."""
    store.delete_collection(name)
    calibration.delete_all(store, name)
    clustering.delete_all(store, name)
    projection.delete_all(store, name)
    comparison.delete_all(store, name)
    duplicates.delete_all(store, name)
    migration.forget(store, name)
