"""The values that images have in a field of their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lookalike_service.errors import InvalidField
from lookalike_service.store.protocol import Store

_PAGE = 1_000


def metadata_values(
    store: Store, collection: str, ids: Sequence[str], field: str
) -> dict[str, str]:
    """The value in `metadata.*` of each image that is still there and has one, as text, by id.

    A list counts as its first value. Raises InvalidField for a field outside the metadata.
    """
    group, _, path = field.partition(".")
    if group != "metadata" or not path:
        raise InvalidField(
            f"field is '{field}'; allowed: a field of the metadata as metadata.NAME."
        )
    found = {
        record.id: _value(record.payload["metadata"], path)
        for first in range(0, len(ids), _PAGE)
        for record in store.retrieve(collection, ids[first : first + _PAGE])
    }
    return {id: str(value) for id, value in found.items() if value is not None}


def _value(metadata: dict[str, Any], path: str) -> Any:
    """The value at `path`, which may lead into nested objects; None where there is none."""
    value: Any = metadata
    if path in metadata:
        value = metadata[path]
    else:
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list):
        value = value[0] if value else None
    return None if isinstance(value, dict) else value
