"""The different contents among images: what duplicates are looked for by."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.perceptual_hash import from_text, perceptual_hash
from lookalike_service.errors import ImageError, InvalidParameters
from lookalike_service.images import Limits, decode
from lookalike_service.jobs.runner import Task
from lookalike_service.workflows.duplicate_state import Compared

_PAGE = 1_000
_THUMBNAIL_PAGE = 200
_LOSSLESS = frozenset({"png", "tiff", "bmp"})


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """Files of different bytes, those that were compared before first.

    `digests`: uint8 (c, 32), their SHA-256; `rows`: int64 (c,), a row of the vectors for each; `hashes`:
    uint64 (c,), perceptual hashes, where `hashed`. `known`: so many were compared before. `image_rows`:
    int64 (n,), the row of the vectors of each image that is still there; `of_image`: int32 (n,), its
    content; `rank`: int32 (n,), its place in the order from the best picture.
    """

    digests: NDArray[np.uint8]
    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    hashed: NDArray[np.bool_]
    known: int
    image_rows: NDArray[np.int64]
    of_image: NDArray[np.int32]
    rank: NDArray[np.int32]
    from_thumbnails: int

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class _Image:
    row: int
    id: str
    digest: bytes
    phash: str | None
    order: tuple[Any, ...]


def read_contents(task: Task, ids: Sequence[str], former: Compared) -> Contents:
    """The contents of the images with these ids, the rows of the vectors in their order.

    Raises InvalidParameters if no image is left.
    """
    images = _read_images(task, ids)
    if not images:
        raise InvalidParameters("All images were deleted while the job started.")
    first_of: dict[bytes, _Image] = {}
    for image in images:
        first_of.setdefault(image.digest, image)
    known = [digest for digest in former.digest_list() if digest in first_of]
    order = [*known, *(first_of.keys() - {*known})]
    order[len(known) :] = sorted(order[len(known) :], key=lambda digest: first_of[digest].row)
    number = {digest: i for i, digest in enumerate(order)}
    hashes, hashed = np.zeros(len(order), np.uint64), np.zeros(len(order), np.bool_)
    hashes[: len(known)], hashed[: len(known)] = former.hashes_of(known)
    new = [first_of[digest] for digest in order[len(known) :]]
    found, made = _hashes(task, new)
    for image in new:
        if image.id in found:
            hashes[number[image.digest]], hashed[number[image.digest]] = found[image.id], True
    rank = np.empty(len(images), np.int32)
    best = sorted(range(len(images)), key=lambda i: images[i].order)
    rank[best] = np.arange(len(images), dtype=np.int32)
    return Contents(
        digests=np.frombuffer(b"".join(order), np.uint8).reshape(-1, 32),
        rows=np.array([first_of[digest].row for digest in order], np.int64),
        hashes=hashes,
        hashed=hashed,
        known=len(known),
        image_rows=np.array([image.row for image in images], np.int64),
        of_image=np.array([number[image.digest] for image in images], np.int32),
        rank=rank,
        from_thumbnails=made,
    )


def _read_images(task: Task, ids: Sequence[str]) -> list[_Image]:
    images = []
    for start in range(0, len(ids), _PAGE):
        task.progress("reading images", start, len(ids))
        page = ids[start : start + _PAGE]
        rows = {id: start + i for i, id in enumerate(page)}
        for record in task.store.retrieve(task.collection, page):
            payload = record.payload
            digest = bytes.fromhex(payload["sha256"])
            images.append(
                _Image(rows[record.id], record.id, digest, payload.get("phash"), _quality(payload))
            )
    return images


def _quality(payload: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts the best picture first: the largest, then without loss, then the one indexed first."""
    lossy = payload["format"] not in _LOSSLESS
    return (-payload["width"] * payload["height"], lossy, payload["indexed_at"], payload["key"])


def _hashes(task: Task, images: Sequence[_Image]) -> tuple[dict[str, int], int]:
    """Perceptual hashes by id, and how many of them had to be made from thumbnails."""
    found = {image.id: from_text(image.phash) for image in images if image.phash is not None}
    lacking = [image.id for image in images if image.phash is None]
    made = 0
    limits = Limits(task.settings.max_image_bytes, task.settings.max_image_pixels)
    for start in range(0, len(lacking), _THUMBNAIL_PAGE):
        task.progress("hashing thumbnails", start, len(lacking))
        page = lacking[start : start + _THUMBNAIL_PAGE]
        for record in task.store.retrieve(task.collection, page, thumbnails=True):
            data = base64.b64decode(record.payload.get("thumbnail") or "")
            try:
                found[record.id] = perceptual_hash(decode(data, limits).rgb)
            except ImageError:
                continue  # counted as without a hash
            made += 1
    return found, made
