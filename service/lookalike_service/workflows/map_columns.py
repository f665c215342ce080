"""Fields of images as columns beside a map."""

from __future__ import annotations

from typing import Any

from lookalike_service.errors import InvalidField

FIELD = r"^(clusters|metadata)\..+$"
"""What a field's path looks like: `clusters.NAME` or `metadata.FIELD`."""


def value_of(payload: dict[str, Any], path: str) -> Any:
    """`clusters.NAME` or `metadata.FIELD`, where FIELD may lead into nested objects; None where absent."""
    group, _, rest = path.partition(".")
    values = payload.get(group, {})
    if rest in values or group == "clusters":
        return values.get(rest)
    for part in rest.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def column(payloads: list[dict[str, Any]], path: str) -> list[Any]:
    """A field's value for each image, None for those without. Raises InvalidField if none has one."""
    values = [value_of(payload, path) for payload in payloads]
    if payloads and all(value is None for value in values):
        raise InvalidField(f"No image on the map has a value in '{path}'.")
    return values
