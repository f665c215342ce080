"""What models are trained on: a collection's pictures, or its vectors with labels."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lookalike_service.encoders.squash import Squash
from lookalike_service.errors import InvalidParameters, LookalikeError
from lookalike_service.images import Limits, Pixels, decode
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.trainings import UnusedImage
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Filter, Record, Store
from lookalike_service.workflows import runs
from lookalike_service.workflows.originals import read_original

FEWEST_PICTURES = 16
FEWEST_OF_A_CLASS = 3
"""One to be held out, and two that are each other's company."""
_LISTED = 100
_PAGE = 64


@dataclass
class Gathered:
    """How much came of a collection; `unused` counts images, of which the first 100 are listed.

    `space` is that of the vectors, where there are some.
    """

    space: Space | None = None
    points: int = 0
    from_originals: int = 0
    unused: int = 0
    unused_images: list[UnusedImage] = field(default_factory=list)

    def leave_out(self, record: Record, code: str, detail: str) -> None:
        """Note an image that plays no part."""
        self.unused += 1
        if len(self.unused_images) < _LISTED:
            self.unused_images.append(
                UnusedImage(id=record.payload["key"], code=code, detail=detail)
            )


def gather_pictures(task: Task, size: int) -> Gathered:
    """Write `pictures.npy`, uint8 (n, size, size, 3), RGB, squashed as the encoder will see them.

    An original is read where it is at hand, a thumbnail otherwise; a picture that is neither is left out.
    Raises InvalidParameters where too few are left.
    """
    settings, filter = task.settings, task.parameters["filter"]
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
    squash, gathered = Squash(size, size, "bilinear"), Gathered()
    total = runs.point_count(task.store, task.collection, filter)
    path = task.folder / "pictures.npy"
    shape = (total, size, size, 3)
    pictures = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for seen, record in enumerate(_records(task.store, task.collection, filter, thumbnails=True)):
        task.progress("reading pictures", seen, total)
        if gathered.points == total:  # more were indexed meanwhile
            break
        try:
            rgb, original = _picture(record, settings, limits)
        except LookalikeError as error:
            gathered.leave_out(record, error.code, error.detail)
            continue
        pictures[gathered.points] = squash.apply(rgb)
        gathered.points += 1
        gathered.from_originals += original
    check_enough(gathered.points)
    pictures.flush()
    if gathered.points < total:
        kept = task.folder / "kept.npy"
        np.save(kept, pictures[: gathered.points], allow_pickle=False)
        kept.replace(path)
    return gathered


def check_enough(pictures: int) -> None:
    """Return if an autoencoder can be trained on so many. Raises InvalidParameters."""
    if pictures < FEWEST_PICTURES:
        raise InvalidParameters(
            f"There are {pictures} pictures; an autoencoder is trained on {FEWEST_PICTURES} at least."
        )


def _records(
    store: Store, collection: str, filter: Filter | None, *, thumbnails: bool = False
) -> Iterator[Record]:
    """All matching images in id order, a page at a time."""
    cursor: str | None = None
    while True:
        page, cursor = store.scroll(collection, filter=filter, limit=_PAGE, cursor=cursor)
        if thumbnails:
            page = store.retrieve(collection, [record.id for record in page], thumbnails=True)
        yield from page
        if cursor is None:
            return


def _picture(record: Record, settings: Settings, limits: Limits) -> tuple[Pixels, bool]:
    """An image's pixels, and whether they are the original's. Raises ImageError."""
    original = read_original(record, settings, limits)
    if original is not None:
        return decode(original, limits).rgb, True
    return decode(base64.b64decode(record.payload.get("thumbnail") or ""), limits).rgb, False


# -- vectors with labels


def labelled(filter: Filter | None, field: str) -> dict[str, Any]:
    """A filter for the images of a filter that have a value in a field."""
    having: dict[str, Any] = {"must_not": [{"is_empty": {"key": field}}]}
    return having if filter is None else having | {"must": [dict(filter)]}


def check_labels(store: Store, collection: str, field: str, filter: Filter | None) -> None:
    """Return if there may be labels to learn from; a few counts, no pass over the collection.

    Raises InvalidParameters where no image has the field, or all have the same value, UnknownCollection,
    InvalidFilter.
    """
    having = labelled(filter, field)
    count = store.count(collection, having)
    if not count:
        raise InvalidParameters(
            f"No image{' that matches the filter' if filter else ''} has a value in '{field}'; "
            "`GET …/images` shows what their metadata hold."
        )
    first = store.scroll(collection, filter=having, limit=1)[0][0]
    value = _label(first, field)
    match = {"key": field, "match": {"value": value}}
    alike = store.count(collection, having | {"must": [*having.get("must", []), match]})
    if alike == count:
        raise InvalidParameters(
            f"All {count} labelled images have the value {value!r} in '{field}': a head is trained to tell "
            "classes apart, so it takes two at least."
        )


def gather_labels(task: Task) -> Gathered:
    """Write `vectors.npy`, float32 (n, dim), and `labels.npy`, int64 (n,), -1 for what is left out.

    Left out are the images of classes with fewer than 3. Raises InvalidParameters for fewer than two
    classes, and for values that are no labels.
    """
    field = task.parameters["field"]
    having = labelled(task.parameters["filter"], field)
    found = task.store.collection(task.collection)
    ids = runs.gather(task.store, found, having, task.folder, task.progress)
    records = {record.id: record for record in _records(task.store, task.collection, having)}
    values = [_label(records[id], field) if id in records else None for id in ids]
    counts: dict[str | int | bool, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    classes = {v: i for i, v in enumerate(v for v, n in counts.items() if n >= FEWEST_OF_A_CLASS)}
    if len(classes) < 2:
        raise InvalidParameters(
            f"Field '{field}' has {len(counts)} values, {len(classes)} of them with {FEWEST_OF_A_CLASS} "
            "images or more: a head is trained on two such classes at least."
        )
    labels = np.array([-1 if v is None else classes.get(v, -1) for v in values], np.int64)
    np.save(task.folder / "labels.npy", labels, allow_pickle=False)
    gathered = Gathered(found.space, points=int((labels >= 0).sum()))
    for id, value, label in zip(ids, values, labels, strict=True):
        if label < 0 and value is not None:
            gathered.leave_out(
                records[id],
                "small_class",
                f"Class {value!r} has {counts[value]} images; {FEWEST_OF_A_CLASS} are needed.",
            )
    return gathered


def _label(record: Record, field: str) -> str | int | bool:
    value: Any = record.payload
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, (str, int)):  # a bool is an int
        return value
    raise InvalidParameters(
        f"Image '{record.payload['key']}' has {value!r} in '{field}': a label is a text, a whole number or "
        "a boolean."
    )
