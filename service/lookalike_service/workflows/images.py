"""One indexed image at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lookalike_service.errors import UnknownImage
from lookalike_service.store.protocol import Record, Store, point_id


def get(store: Store, collection: str, key: str, *, thumbnails: bool = False) -> Record:
    """The image of this id. Raises UnknownImage, UnknownCollection."""
    records = store.retrieve(collection, [point_id(key)], thumbnails=thumbnails)
    if not records:
        raise UnknownImage(f"No image '{key}' in collection '{collection}'.")
    return records[0]


def merge_metadata(store: Store, collection: str, key: str, changes: Mapping[str, Any]) -> Record:
    """Set the given metadata keys, drop those given as None, and return the image."""
    record = get(store, collection, key)
    merged = {**record.payload["metadata"], **changes}
    metadata = {name: value for name, value in merged.items() if value is not None}
    store.set_payload(collection, record.id, {"metadata": metadata})
    return get(store, collection, key)


def delete(store: Store, collection: str, key: str) -> None:
    """Delete the image of this id. Raises UnknownImage, UnknownCollection."""
    if not store.delete(collection, [point_id(key)]):
        raise UnknownImage(f"No image '{key}' in collection '{collection}'.")
