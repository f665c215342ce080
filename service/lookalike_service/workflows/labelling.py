"""Images indexed after a clustering was made get its labels at once, with a confidence.

What a clustering that follows its collection needs for that is a small document of its own. It is there
while its labels may be given: whoever has given some looks whether it still is, and gives those of a run
that has taken its place. A job that makes the clustering anew takes it away first, and sees in the end to
what was indexed meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from lookalike_service.errors import InvalidFilter, SpaceMismatch
from lookalike_service.schemas.cluster_versions import Drift
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.store.labels import CERTAIN, confidence_of
from lookalike_service.store.protocol import Collection, Filter, Store
from lookalike_service.workflows import runs

log = structlog.get_logger(__name__)

KIND = "followed clustering"
_SURE = 1.645  # standard errors: 95 %, one-sided
_FEW = 30

Followed = Mapping[str, Any]


def follow(store: Store, collection: str, run: ClusteringOut) -> None:
    """Give images that are indexed from now on the labels of this run."""
    names = ("name", "run", "space", "filter", "algorithm", "reduction")
    body = {name: getattr(run, name) for name in names}
    store.put_document(KIND, runs.key(collection, run.name), body)


def unfollow(store: Store, collection: str, name: str) -> None:
    """Give no more labels of this clustering, and forget how sure those given were."""
    store.delete_document(KIND, runs.key(collection, name))
    store.drop_labels(collection, confidence_of(name))


def forget_all(store: Store, collection: str) -> None:
    """Forget which clusterings followed a collection that is gone."""
    for key, _ in runs.of_collection(store, KIND, collection):
        store.delete_document(KIND, key)


def label_new(
    store: Store, collection: Collection, images: Mapping[str, Mapping[str, int]]
) -> None:
    """Label images just written, or found unchanged, by all clusterings that follow the collection.

    `images`: the labels that each has, by its point's id; what it has is left. Raises StoreUnavailable;
    repeating it is harmless.
    """
    for _, run in runs.of_collection(store, KIND, collection.name):
        lacking = [id for id, labels in images.items() if run["name"] not in labels]
        if lacking and run["space"] == collection.space.id:
            _label(store, collection, run, lacking)


def _label(store: Store, collection: Collection, run: Followed, ids: Sequence[str]) -> None:
    key, now = runs.key(collection.name, run["name"]), dict(run)
    while True:
        _label_by(store, collection, now, ids)
        found = store.document(KIND, key)
        if found == now:
            return
        if found is None:
            break
        now = found
    if store.document(runs.CLUSTERING, key) is None:  # dropped, perhaps before our labels came
        drop_labels(store, collection.name, run["name"])


def _label_by(store: Store, collection: Collection, run: Followed, ids: Sequence[str]) -> None:
    try:
        records = store.retrieve(collection.pinned, ids, vectors=True)
        wanted = set(_matching(store, collection, run, [r.payload["key"] for r in records]))
    except SpaceMismatch:  # migrated meanwhile: the clustering is of a space that is gone
        return
    except InvalidFilter as error:  # a field that no image has any more
        log.warning("clustering does not label", name=run["name"], error=error.detail)
        return
    rows = [(r.id, r.vector) for r in records if r.id in wanted and r.vector is not None]
    if rows:
        vectors = np.stack([vector for _, vector in rows])
        _give(store, collection.name, run, [id for id, _ in rows], vectors)


def _matching(
    store: Store, collection: Collection, run: Followed, keys: Sequence[str]
) -> list[str]:
    """The ids of the points, of these images, that the clustering is of."""
    if not keys:
        return []
    only: list[Filter] = [{"has_id": list(keys)}]
    where = {"must": only + ([run["filter"]] if run["filter"] else [])}
    records, _ = store.scroll(collection.pinned, filter=where, limit=len(keys))
    return [record.id for record in records]


def _give(
    store: Store,
    collection: str,
    run: Followed,
    ids: Sequence[str],
    vectors: NDArray[np.float32],
) -> None:
    """Write the labels, then how sure they are: see `catch_up` for why in this order."""
    # Imported late: it takes a second, and most collections are indexed without.
    from lookalike_service.workflows.placing import find_placer  # noqa: PLC0415

    placer = find_placer(
        store,
        collection,
        run["name"],
        run=run["run"],
        algorithm=run["algorithm"],
        reduction=run["reduction"],
    )
    if placer is None:  # made anew meanwhile, by a job that will catch up
        return
    labels, confidences = placer.place(vectors)
    store.write_labels(collection, run["name"], ids, labels)
    certain = np.floor(confidences * CERTAIN).astype(np.int64)
    store.write_labels(collection, confidence_of(run["name"]), ids, certain)


def catch_up(store: Store, collection: Collection, run: ClusteringOut) -> int:
    """Label what was indexed while the clustering was made, now that it is followed; how many images.

    Those without a label, and those with one of the former run. The latter have a confidence without a
    label of this run or besides one, as the job forgot all confidences before it wrote its labels, and
    labels are given before their confidence.
    """
    followed = store.document(KIND, runs.key(collection.name, run.name))
    if followed is None or followed["run"] != run.run:
        return 0
    unlabelled = {"is_empty": {"key": f"clusters.{run.name}"}}
    of_the_fit = {
        "must": [{"is_empty": {"key": f"clusters.{confidence_of(run.name)}"}}],
        "must_not": [unlabelled],
    }
    where = {"must": [run.filter] if run.filter else [], "must_not": [of_the_fit]}
    given = 0
    try:
        for ids, vectors in store.vectors(collection.pinned, filter=where):
            _give(store, collection.name, followed, ids, vectors)
            given += len(ids)
    except (SpaceMismatch, InvalidFilter) as error:  # migrated, or nothing left to match
        log.info("clustering does not catch up", name=run.name, reason=error.detail)
    return given


def drop_labels(store: Store, collection: str, name: str) -> None:
    """Remove a clustering's labels and how sure they were."""
    store.drop_labels(collection, name)
    store.drop_labels(collection, confidence_of(name))


def measure_drift(store: Store, collection: str, run: ClusteringOut) -> ClusteringOut:
    """The clustering with its drift as of now."""
    if run.drift is None:
        return run
    field = f"clusters.{confidence_of(run.name)}"
    counts = store.facets(collection, field, limit=CERTAIN + 1)
    images = sum(count for _, count in counts)
    limit = math.floor(run.drift.threshold * CERTAIN)
    low = sum(count for certain, count in counts if int(certain) <= limit)
    update = _drift(images, low, run.drift.threshold, run.drift.expected)
    return run.model_copy(update={"drift": update})


def _drift(images: int, low: int, threshold: float, expected: float) -> Drift:
    return Drift(
        images=images,
        low=low,
        share=low / images if images else None,
        threshold=threshold,
        expected=expected,
        recluster=images >= _FEW and _least_share(low, images) > 2 * expected,
    )


def no_drift(threshold: float, expected: float) -> Drift:
    """The drift of a clustering just made, by what `low_confidence` says of it."""
    return _drift(0, 0, threshold, expected)


def _least_share(low: int, images: int) -> float:
    """The lower bound of Wilson's interval (1927, doi:10.1080/01621459.1927.10502953)."""
    share, square = low / images, _SURE**2
    centre = share + square / (2 * images)
    width = _SURE * math.sqrt(share * (1 - share) / images + square / (4 * images**2))
    return (centre - width) / (1 + square / images)
