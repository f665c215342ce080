"""New collections, with the payload indexes they are to have."""

from __future__ import annotations

from collections.abc import Mapping

from lookalike_service.errors import InvalidField
from lookalike_service.store.protocol import Collection, FieldType, Store


def payload_indexes(fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """The indexes as payload fields. Raises InvalidField for a field that is not metadata."""
    for name in fields:
        if not name.startswith("metadata.") or name == "metadata.":
            raise InvalidField(
                f"Index '{name}' must name a metadata field, such as 'metadata.label'."
            )
    return dict(fields)


def create(store: Store, wanted: Collection) -> bool:
    """Create the collection, or add the wanted indexes to an existing one of the same space.

    Returns whether it is new. Raises CollectionExists if it holds another space.
    """
    created = store.create_collection(wanted)
    if not created:
        existing = store.collection(wanted.name).indexes
        for name, type_ in wanted.indexes.items():
            if name not in existing:
                store.create_index(wanted.name, name, type_)
    return created
