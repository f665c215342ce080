"""What a score means: how alike unrelated images of a collection are, measured by a job, kept, applied."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from lookalike_service.analysis.altered import alterations
from lookalike_service.analysis.null_similarity import FEWEST_IMAGES, NullSimilarity, Tail
from lookalike_service.errors import InvalidParameters, LookalikeError, UnknownCalibration
from lookalike_service.images import Limits, decode
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.calibration import (
    CalibrationOut,
    CalibrationRequest,
    CalibrationState,
    Verdict,
)
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.workflows import runs
from lookalike_service.workflows.job_embedding import JobEmbedding

KIND = "calibration"
SIMILAR = 0.01
"""A hit is `similar` from the cosine that so many unrelated pairs reach."""
_SAMPLE = 3000
_ALTERED = 48
_RECOGNISED = 0.95
"""A `near_duplicate` scores as high as so many of the altered pictures do with the picture itself."""
_STALE = 0.2
_PAGE = 256


@dataclass(frozen=True, slots=True)
class Judged:
    """What the score of a hit means; see `schemas.search.Hit`."""

    chance: float
    expected: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Scale:
    """A collection's calibration, ready to judge scores by; `points`: images that it holds now."""

    run: CalibrationOut
    points: int

    @property
    def state(self) -> CalibrationState:
        """What answers say of it."""
        stale = abs(self.points - self.run.points) > _STALE * self.run.points
        return CalibrationState(created_at=self.run.created_at, points=self.run.points, stale=stale)

    def judge(self, scores: Sequence[float]) -> list[Judged]:
        """What each cosine means."""
        chances = _null(self.run).chance(scores)
        return [
            Judged(float(chance), float(chance) * self.points, self._verdict(score))
            for score, chance in zip(scores, chances, strict=True)
        ]

    def _verdict(self, score: float) -> Verdict:
        if score < self.run.similar:
            return "no_good_match"
        alike = self.run.near_duplicate
        return "near_duplicate" if alike is not None and score >= alike else "similar"


def validate(store: Store, collection: str, request: CalibrationRequest) -> dict[str, Any]:
    """The job's parameters. Raises InvalidParameters for too few images, UnknownCollection."""
    points = runs.point_count(store, collection, None)
    if points < FEWEST_IMAGES:
        raise InvalidParameters(
            f"Collection '{collection}' holds {points} images; scores are calibrated on {FEWEST_IMAGES} at "
            "least."
        )
    return request.model_dump(mode="json")


def run(embedding: JobEmbedding, task: Task) -> dict[str, Any]:
    """Carry out a calibration job; its result is what `GET …/calibration` answers."""
    start = time.monotonic()
    found = task.store.collection(task.collection)
    points = task.store.count(task.collection)
    ids = _gather(task, found)
    cosines = _altered_cosines(embedding, task, found, ids)
    arrays, figures = task.compute(
        "lookalike_service.analysis.null_similarity:analyse",
        {"near_duplicate": float(np.quantile(cosines, 1 - _RECOGNISED))},
    )
    tail = {name: figures[name] for name in ("threshold", "share", "scale", "shape")}
    null = NullSimilarity(figures["pairs"], Tail(**tail), np.asarray(arrays["quantiles"]))
    out = CalibrationOut(
        space=found.space.id,
        points=points,
        stale=False,
        images=len(ids),
        pairs=figures["pairs"],
        **tail,
        quantiles=null.quantiles.tolist(),
        similar=null.cosine(SIMILAR),
        near_duplicate=figures["near_duplicate"],
        altered=len(cosines),
        copies=figures["copies"],
        seed=task.parameters["seed"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 3),
    ).model_dump(mode="json")
    task.store.put_document(KIND, runs.key(task.collection, found.space.id), out)
    return out


def get(store: Store, collection: str) -> CalibrationOut:
    """The calibration of a collection in its space, with whether it is stale now.

    Raises UnknownCalibration, UnknownCollection.
    """
    found = scale(store, store.collection(collection))
    if found is None:
        raise UnknownCalibration(
            f"Collection '{collection}' has no calibration; POST …/calibration makes one."
        )
    return found.run.model_copy(update={"stale": found.state.stale})


def scale(store: Store, collection: Collection) -> Scale | None:
    """What judges the scores of a collection; None if it was never calibrated in its space."""
    body = store.document(KIND, runs.key(collection.name, collection.space.id))
    if body is None:
        return None
    # To count exactly is to look at every point, which no search has the time for.
    return Scale(CalibrationOut.model_validate(body), store.stats(collection.name).points)


def delete_all(store: Store, collection: str) -> None:
    """Forget the calibrations of a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)


def _gather(task: Task, collection: Collection) -> list[str]:
    """Write `vectors.npy` and `twins.npy` of a sample; the ids in row order.

    Ids are hashes of the callers' ids, so the first in their order are a sample drawn at random.
    """
    ids: list[str] = []
    rows = []
    for some, vectors in task.store.vectors(collection.pinned, batch=_PAGE):
        ids += some
        rows.append(vectors)
        task.progress("reading vectors", min(len(ids), _SAMPLE), _SAMPLE)
        if len(ids) >= _SAMPLE:
            break
    if len(ids) < FEWEST_IMAGES:
        raise InvalidParameters("Images were deleted while the job started: too few are left.")
    ids = ids[:_SAMPLE]
    np.save(task.folder / "vectors.npy", np.concatenate(rows)[:_SAMPLE], allow_pickle=False)
    hashes = {
        record.id: record.payload.get("sha256", record.id)
        for start in range(0, len(ids), _PAGE)
        for record in task.store.retrieve(collection.name, ids[start : start + _PAGE])
    }
    numbers = np.unique([hashes.get(id, id) for id in ids], return_inverse=True)[1]
    np.save(task.folder / "twins.npy", numbers.astype(np.int64), allow_pickle=False)
    return ids


def _altered_cosines(
    embedding: JobEmbedding, task: Task, collection: Collection, ids: Sequence[str]
) -> list[float]:
    """The cosines of thumbnails with altered versions of themselves."""
    drawn = np.random.default_rng(task.parameters["seed"]).permutation(len(ids))[:_ALTERED]
    records = task.store.retrieve(
        collection.name, [ids[row] for row in drawn.tolist()], thumbnails=True
    )
    limits = Limits(task.settings.max_image_bytes, task.settings.max_image_pixels)
    cosines: list[float] = []
    for done, record in enumerate(records):
        data = base64.b64decode(record.payload.get("thumbnail") or "")
        if data:
            images = [data, *alterations(decode(data, limits).rgb)]
            own, *others = embedding.embed(
                collection.space,
                images,
                partial(task.progress, "altering pictures", done, len(records)),
            )
            for other in others:
                if isinstance(own, LookalikeError):
                    raise own
                if isinstance(other, LookalikeError):
                    raise other
                cosines.append(float(other @ own))
    if not cosines:
        raise InvalidParameters(
            "No thumbnail is kept of the images that were sampled, so it cannot be measured how alike a "
            "picture is to itself once it was saved anew."
        )
    return cosines


def _null(run: CalibrationOut) -> NullSimilarity:
    tail = Tail(run.threshold, run.share, run.scale, run.shape)
    return NullSimilarity(run.pairs, tail, np.array(run.quantiles))
