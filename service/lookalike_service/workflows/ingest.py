"""Images into a collection: idempotent by id and content hash, each image on its own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from lookalike_service.analysis.perceptual_hash import as_text
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import InvalidField, LookalikeError, SpaceMismatch
from lookalike_service.store.protocol import MADE_FROM, Collection, Point, Record, Store, point_id
from lookalike_service.workflows.embedding import Embedded, Embedder
from lookalike_service.workflows.labelling import label_new

Status = Literal["created", "updated", "unchanged"]
EncodersFor = Callable[[Collection], Awaitable[Sequence[Encoder]]]
"""The encoders that make a collection's vectors: one for each of its spaces, in their order."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to index. `id` defaults to its SHA-256; `metadata` None keeps what is stored."""

    data: bytes
    id: str | None = None
    metadata: dict[str, Any] | None = None
    source: str | None = None

    @property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one image."""

    id: str
    status: Status


@dataclass(frozen=True, slots=True)
class _Planned:
    """An image with its key, hash and what is stored under the key."""

    image: NewImage
    key: str
    sha256: str
    stored: Record | None

    @property
    def same_bytes(self) -> bool:
        """Whether there is nothing to embed. A vector of the thumbnail gives way to one of the image."""
        stored = self.stored.payload if self.stored else {}
        return stored.get("sha256") == self.sha256 and MADE_FROM not in stored

    @property
    def changes(self) -> dict[str, Any]:
        """Payload that differs, of an image whose bytes are stored already."""
        stored = self.stored.payload if self.stored else {}
        wanted = {"metadata": self.image.metadata, "source": self.image.source}
        return {k: v for k, v in wanted.items() if v is not None and v != stored.get(k)}


async def ingest(
    store: Store,
    embedder: Embedder,
    encoders_for: EncodersFor,
    name: str,
    images: Sequence[NewImage],
) -> list[Ingested | LookalikeError]:
    """Index images; one outcome each, in order. What is stored already is not embedded again.

    While the collection is migrated they are embedded by both its encoders; the current one decides what
    fails. Acknowledged images are in the store, with the labels of clusterings that follow the collection.
    Raises UnknownCollection, what `encoders_for` raises, Overloaded and StoreUnavailable for the whole call.
    """
    while True:
        collection = await asyncio.to_thread(store.collection, name)
        encoders = await encoders_for(collection)
        try:
            return await _ingest(store, embedder, encoders, collection, images)
        except SpaceMismatch:  # a migration began, was cut over or ended meanwhile
            now = await asyncio.to_thread(store.collection, name)
            if now.spaces == collection.spaces:
                raise


async def _ingest(
    store: Store,
    embedder: Embedder,
    encoders: Sequence[Encoder],
    collection: Collection,
    images: Sequence[NewImage],
) -> list[Ingested | LookalikeError]:
    planned = await asyncio.to_thread(_plan, store, collection.name, images)
    outcomes: list[Ingested | LookalikeError | None] = [
        _refused(p, planned[:i]) for i, p in enumerate(planned)
    ]
    todo = [i for i, p in enumerate(planned) if outcomes[i] is None and not p.same_bytes]
    data = [planned[i].image.data for i in todo]
    results = await embedder.embed(encoders[0], data, keep_thumbnail=True, bulk=True)
    others: Sequence[Embedded | LookalikeError | None] = [None] * len(todo)
    if len(encoders) > 1:
        others = await embedder.embed(encoders[1], data, bulk=True)
    points = []
    for i, result, other in zip(todo, results, others, strict=True):
        if isinstance(result, LookalikeError):
            outcomes[i] = result
        else:
            points.append(_point(planned[i], result, other))
    await asyncio.to_thread(_write, store, collection, points, planned)
    await asyncio.to_thread(label_new, store, collection, _to_label(points, planned))
    return [outcome or _ingested(p) for outcome, p in zip(outcomes, planned, strict=True)]


def _plan(store: Store, name: str, images: Sequence[NewImage]) -> list[_Planned]:
    hashes = [image.sha256 for image in images]
    keys = [image.id or sha256 for image, sha256 in zip(images, hashes, strict=True)]
    stored = {r.id: r for r in store.retrieve(name, sorted({point_id(key) for key in keys}))}
    return [
        _Planned(image, key, sha256, stored.get(point_id(key)))
        for image, key, sha256 in zip(images, keys, hashes, strict=True)
    ]


def _refused(plan: _Planned, before: Sequence[_Planned]) -> Ingested | LookalikeError | None:
    """The outcome of an image whose id stands earlier in the same call."""
    twin = next((p for p in before if p.key == plan.key), None)
    if twin is None:
        return None
    if twin.sha256 == plan.sha256:
        return Ingested(plan.key, "unchanged")
    return InvalidField(f"Id '{plan.key}' stands twice in this request, for different images.")


def _write(
    store: Store, collection: Collection, points: list[Point], planned: Sequence[_Planned]
) -> None:
    if points:
        store.upsert(collection.name, points, made_for=collection)
    for plan in planned:
        if plan.same_bytes and plan.changes:
            store.set_payload(collection.name, point_id(plan.key), plan.changes)


def _to_label(points: Sequence[Point], planned: Sequence[_Planned]) -> dict[str, dict[str, int]]:
    """The labels that each image has which is stored now; one written anew has none."""
    known = {
        plan.stored.id: plan.stored.payload.get("clusters", {})
        for plan in planned
        if plan.stored is not None and plan.same_bytes
    }
    return known | {point.id: {} for point in points}


def _ingested(plan: _Planned) -> Ingested:
    if plan.stored is None:
        return Ingested(plan.key, "created")
    return Ingested(plan.key, "unchanged" if plan.same_bytes and not plan.changes else "updated")


def _point(plan: _Planned, embedded: Embedded, other: Embedded | LookalikeError | None) -> Point:
    """The point of a new or changed image; a changed one keeps its metadata, not its clusters.

    `other` is the image embedded by the collection's other encoder, which may fail where the first did not.
    """
    former = plan.stored.payload if plan.stored else {}
    image = plan.image
    payload = {
        "key": plan.key,
        "sha256": plan.sha256,
        "source": image.source if image.source is not None else former.get("source"),
        "width": embedded.image.width,
        "height": embedded.image.height,
        "format": embedded.image.format,
        "indexed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "metadata": image.metadata if image.metadata is not None else former.get("metadata", {}),
        "thumbnail": base64.b64encode(embedded.image.thumbnail or b"").decode("ascii"),
    }
    if embedded.image.phash is not None:
        payload["phash"] = as_text(embedded.image.phash)
    second = other.encoded.embedding if isinstance(other, Embedded) else None
    return Point(point_id(plan.key), embedded.encoded.embedding, payload, second)
