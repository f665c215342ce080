"""Calls on one collection, described once for both clients; each takes the collection's name first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lookalike import results
from lookalike.call import Answer, Call, content, record
from lookalike.errors import InvalidInput, UnexpectedAnswer
from lookalike.fields import Filter, as_json, collection_path, one_per_image, present
from lookalike.images import ImageInput, read_images


def describe(collection: str) -> Call[results.CollectionInfo]:
    """Encoder, number of images and indexes. Raises UnknownCollection."""
    return Call("GET", collection_path(collection), record(results.CollectionInfo))


# -- images


def add(
    collection: str,
    images: ImageInput | Iterable[ImageInput],
    *,
    ids: Sequence[str] | None = None,
    metadata: Sequence[Mapping[str, Any]] | None = None,
    sources: Sequence[str | None] | None = None,
) -> Call[results.IndexResult]:
    """Index images, in order; ids default to the SHA-256 of the bytes, sources to the paths.

    Repeating it changes nothing. An image that cannot be used has `error` in its item, also when
    it is the only one. Raises InvalidInput, UnknownCollection, InvalidField, TooManyImages.
    """
    files = read_images(images)
    for name, values in (("ids", ids), ("metadata", metadata), ("sources", sources)):
        one_per_image(name, values, len(files))
    form = present(
        ids=as_json(ids and list(ids)),
        metadata=as_json(metadata and [dict(entry) for entry in metadata]),
        sources=as_json(list(sources) if sources else [file.source for file in files]),
    )
    return Call(
        "POST",
        collection_path(collection, "images"),
        record(results.IndexResult),
        files=[("images", file) for file in files],
        form=form,
        only_failed=_index_failed,
    )


def _index_failed(error: results.ItemError) -> results.IndexResult:
    item = results.IndexItem(0, error=error)
    return results.IndexResult([item], created=0, updated=0, unchanged=0, failed=1)


def image_page(
    collection: str,
    *,
    filter: Filter | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Call[results.ImagePage]:
    """A page of at most `limit` images. Raises UnknownCollection, InvalidFilter."""
    query = present(limit=limit, cursor=cursor, filter=as_json(filter))
    return Call("GET", collection_path(collection, "images"), record(results.ImagePage), query)


def image(collection: str, id: str) -> Call[results.IndexedImage]:
    """One image's record. Raises UnknownImage."""
    return Call("GET", collection_path(collection, "images", id), record(results.IndexedImage))


def update(
    collection: str,
    id: str,
    metadata: Mapping[str, Any],
) -> Call[results.IndexedImage]:
    """Merge metadata into an image's; a value of None removes its key. Raises UnknownImage."""
    path = collection_path(collection, "images", id)
    return Call("PATCH", path, record(results.IndexedImage), json={"metadata": dict(metadata)})


def delete(
    collection: str,
    ids: Sequence[str] | None = None,
    *,
    filter: Filter | None = None,
) -> Call[int]:
    """Delete images by id, or all that match a filter; how many existed.

    Raises InvalidInput unless given exactly one of the two, UnknownCollection, InvalidFilter.
    """
    if (ids is None) == (filter is None):
        raise InvalidInput("delete() takes ids or a filter: exactly one of the two.")
    if isinstance(ids, str):
        raise InvalidInput("'ids' must be a list of ids.")
    return Call(
        "POST",
        collection_path(collection, "images", "delete"),
        _deleted,
        json=present(ids=None if ids is None else list(ids), filter=filter),
        repeat="unless_received",
    )


def _deleted(answer: Answer) -> int:
    data = answer.json()
    if not isinstance(data, dict) or not isinstance(data.get("deleted"), int):
        raise UnexpectedAnswer(f"{answer.request}: the answer has no number 'deleted'.")
    return int(data["deleted"])


def thumbnail(collection: str, id: str) -> Call[bytes]:
    """A small JPEG of an image. Raises UnknownImage."""
    return Call(
        "GET", collection_path(collection, "images", id, "thumbnail"), content, accept="image/*"
    )
