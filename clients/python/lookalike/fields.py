"""Arguments into paths, query strings and forms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lookalike.errors import InvalidInput

Filter = Mapping[str, Any]
"""Qdrant's filter JSON over `metadata.*` and `clusters.*`."""


def segment(text: str) -> str:
    """A name or id as one segment of a path. Raises InvalidInput if it is empty or not Unicode."""
    if not text:
        raise InvalidInput("An empty name or id names nothing.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{text!r} holds lone surrogates, which cannot be sent.") from error
    # Dots alone would be taken for "this" and "the parent" folder on the way.
    return text.replace(".", "%2E") if set(text) == {"."} else quote(text, safe="")


def collection_path(*segments: str) -> str:
    """The path of a collection, or of what is below it. Raises InvalidInput as `segment` does."""
    return "/".join(["/v1/collections", *map(segment, segments)])


def present(**values: Any) -> dict[str, Any]:
    """The arguments that are not None: the service's own defaults stand for the others."""
    return {name: value for name, value in values.items() if value is not None}


def as_json(value: object | None) -> str | None:
    """A value as the JSON text of a form field or query parameter."""
    return None if value is None else json.dumps(value)


def one_per_image(name: str, values: Sequence[Any] | None, images: int) -> None:
    """Raise InvalidInput unless `values` is None or a list with one entry per image."""
    if values is None:
        return
    if isinstance(values, (str, bytes, Mapping)) or len(values) != images:
        count = "" if isinstance(values, (str, bytes, Mapping)) else f"; it has {len(values)}"
        raise InvalidInput(f"'{name}' must be a list of {images}, one entry per image{count}.")
