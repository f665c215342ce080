"""What a migration changes: the neighbours of a sample of images, by the former encoder and the new."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from lookalike_service.analysis.neighbourhoods import overlap, rank_correlation
from lookalike_service.errors import LookalikeError
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.migrations import ThumbnailAgreement
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import MADE_FROM, Query, Record, Store, pinned
from lookalike_service.workflows.job_embedding import JobEmbedding
from lookalike_service.workflows.migration_filling import Filling

_LISTED = 1_000
_NEAREST, _RANKED = 10, 50
_QUERIES = 16
_THUMBNAILS = 32


def compare(
    embedding: JobEmbedding, task: Task, filling: Filling, former: Space, target: Space
) -> dict[str, Any]:
    """The fields of a `MigrationReport` but for when it was made."""
    names = [pinned(task.collection, space.id) for space in (former, target)]
    first, second = (_nearest(task, name, filling.sample) for name in names)
    ids = [id for id in filling.sample if id in first and id in second]  # others were just deleted
    before, after = [first[id] for id in ids], [second[id] for id in ids]
    correlation, ranked = rank_correlation(before, after)
    agreement, unmeasured = None, ""
    if filling.from_thumbnails:
        try:
            agreement = _thumbnails(embedding, task, former, ids)
        except LookalikeError as error:  # the former encoder is not offered any more
            unmeasured = error.detail
    failed = [one.image for one in filling.failed.values()]
    return {
        "points": filling.points,
        "from_thumbnails": filling.from_thumbnails,
        "not_migrated": len(failed),
        "not_migrated_images": failed[:_LISTED],
        "sample": len(ids),
        "overlap_at_10": overlap(before, after, _NEAREST),
        "rank_correlation": correlation,
        "ranked": ranked,
        "thumbnails": agreement,
        "warnings": _warnings(filling, agreement, unmeasured),
    }


def _nearest(task: Task, name: str, ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids nearest to each image that is there, itself left out."""
    found: dict[str, list[str]] = {}
    for at in range(0, len(ids), _QUERIES):
        task.progress("comparing neighbours", at, len(ids))
        records = task.store.retrieve(name, ids[at : at + _QUERIES], vectors=True)
        queries = [Query(np.asarray(record.vector), limit=_RANKED + 1) for record in records]
        for record, hits in zip(records, task.store.query_batch(name, queries), strict=True):
            found[record.id] = [hit.id for hit in hits if hit.id != record.id][:_RANKED]
    return found


def _thumbnails(
    embedding: JobEmbedding, task: Task, former: Space, ids: Sequence[str]
) -> ThumbnailAgreement | None:
    """How like thumbnails are to their images, by the former encoder, whose vectors of the images are there.

    None where those are of thumbnails too, or no thumbnail can be read.
    """
    name = pinned(task.collection, former.id)
    records = _with_image_vectors(task.store, name, ids)[:_THUMBNAILS]
    thumbnails = [base64.b64decode(record.payload.get("thumbnail") or "") for record in records]
    results = embedding.embed(
        former, thumbnails, lambda: task.progress("comparing thumbnails", 0, None)
    )
    cosines = [
        float(np.dot(record.vector, result))
        for record, result in zip(records, results, strict=True)
        if record.vector is not None and not isinstance(result, LookalikeError)
    ]
    if not cosines:
        return None
    return ThumbnailAgreement(
        model=former.model,
        images=len(cosines),
        mean_cosine=float(np.mean(cosines)),
        least_cosine=min(cosines),
    )


def _with_image_vectors(store: Store, name: str, ids: Sequence[str]) -> list[Record]:
    records = store.retrieve(name, ids[: 2 * _THUMBNAILS], vectors=True, thumbnails=True)
    return [record for record in records if MADE_FROM not in record.payload]


def _warnings(filling: Filling, agreement: ThumbnailAgreement | None, unmeasured: str) -> list[str]:
    warnings = []
    if filling.from_thumbnails:
        said = f"what that changes could not be measured: {unmeasured or 'no thumbnail to compare'}"
        if agreement is not None:
            said = (
                f"by '{agreement.model}' a thumbnail has a mean cosine of {agreement.mean_cosine:.3f} with "
                f"its image, at least {agreement.least_cosine:.3f}, over {agreement.images} images"
            )
        warnings.append(
            f"{filling.from_thumbnails} of {filling.points} images were embedded from thumbnails of at most "
            f"192 pixels; {said}. Index the originals again to replace them."
        )
    if filling.failed:
        warnings.append(
            f"{len(filling.failed)} images have no vector by the new encoder: after cutting over they are "
            "no longer found."
        )
    return warnings
