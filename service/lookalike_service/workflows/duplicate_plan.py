"""What to delete and what to keep of duplicates: planned, listed, and carried out when it is asked for."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lookalike_service.errors import Conflict
from lookalike_service.schemas.duplicates import Applied, DuplicateKind, DuplicatesOut, PlanOut
from lookalike_service.store.protocol import Store
from lookalike_service.workflows.duplicate_groups import bits_or_none, kind_name
from lookalike_service.workflows.duplicates import load

_PAGE = 500
_COLUMNS = ("id", "source", "action", "kind", "kept", "cosine", "bits")


@dataclass(frozen=True, slots=True)
class _Deletion:
    """An image to delete, the one that is kept for it, and the SHA-256 of both when they were compared."""

    id: str
    sha256: str
    kept: str
    kept_sha256: str
    kind: DuplicateKind
    cosine: float
    bits: int | None


@dataclass(frozen=True, slots=True)
class _Plan:
    run: DuplicatesOut
    kinds: tuple[DuplicateKind, ...]
    deletions: tuple[_Deletion, ...]

    @property
    def token(self) -> str:
        """A hash of what would be deleted."""
        lines = [f"{one.id} {one.sha256}" for one in self.deletions]
        text = "\n".join([self.run.created_at, *self.kinds, *lines])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(
    store: Store,
    collection: str,
    name: str,
    kinds: Sequence[DuplicateKind],
    *,
    limit: int,
    offset: int,
) -> PlanOut:
    """What deleting duplicates of these kinds would do, with a page of the ids.

    Raises UnknownDuplicates, UnknownCollection.
    """
    made = _plan(store, collection, name, kinds)
    there = {one.id: key for one, key in _sound(store, collection, made.deletions)}
    page = made.deletions[offset : offset + limit]
    return PlanOut(
        kinds=list(made.kinds),
        delete=len(there),
        keep=store.count(collection) - len(there),
        gone=len(made.deletions) - len(there),
        token=made.token,
        ids=[there[one.id] for one in page if one.id in there],
    )


def apply(
    store: Store, collection: str, name: str, kinds: Sequence[DuplicateKind], token: str
) -> Applied:
    """Delete what the plan of this token says; repeating it deletes what is left.

    An image that was replaced since, or whose kept one is not there as it was, is spared. Raises Conflict for
    the token of another plan, UnknownDuplicates, UnknownCollection.
    """
    made = _plan(store, collection, name, kinds)
    if token != made.token:
        raise Conflict(
            f"The plan is not '{token}' (any more): duplicates were looked for again, or the kinds are "
            f"others. Read it anew: GET …/duplicates/{name}/plan."
        )
    deleted, spared = 0, 0
    for start in range(0, len(made.deletions), _PAGE):
        page = made.deletions[start : start + _PAGE]
        sound = [one.id for one, _ in _sound(store, collection, page)]
        there = len(store.retrieve(collection, [one.id for one in page]))
        deleted += store.delete(collection, sound) if sound else 0
        spared += there - len(sound)
    return Applied(deleted=deleted, spared=spared)


def lines(
    store: Store, collection: str, name: str, kinds: Sequence[DuplicateKind]
) -> Iterator[str]:
    """The plan as CSV, every image of the collection with `keep` or `delete`; read a page at a time.

    Raises UnknownDuplicates, UnknownCollection before the first line.
    """
    made = _plan(store, collection, name, kinds)
    return _lines(store, collection, made)


def _lines(store: Store, collection: str, made: _Plan) -> Iterator[str]:
    doomed = {one.id: one for one in made.deletions}
    yield _row(_COLUMNS)
    cursor: str | None = None
    while True:
        records, cursor = store.scroll(collection, limit=_PAGE, cursor=cursor)
        page = [doomed[record.id] for record in records if record.id in doomed]
        sound = {one.id for one, _ in _sound(store, collection, page)}
        kept = sorted({one.kept for one in page})
        names = {r.id: r.payload["key"] for r in store.retrieve(collection, kept)}
        for record in records:
            key, source = record.payload["key"], record.payload["source"]
            if record.id in sound:
                one = doomed[record.id]
                yield _row(
                    (key, source, "delete", one.kind, names.get(one.kept), one.cosine, one.bits)
                )
            else:
                yield _row((key, source, "keep"))
        if cursor is None:
            return


def _row(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        ["" if cell is None else cell for cell in (*cells, *[""] * (len(_COLUMNS) - len(cells)))]
    )
    return text.getvalue()


def _plan(store: Store, collection: str, name: str, kinds: Sequence[DuplicateKind]) -> _Plan:
    run, arrays = load(store, collection, name)
    wanted = {*kinds}
    deletions = tuple(
        _deletion(arrays, row, kept, kind)
        for row in range(len(arrays["ids"]))
        if (found := _doom(arrays, row, wanted)) is not None
        for kept, kind in [found]
    )
    return _Plan(run, tuple(sorted(wanted)), deletions)


def _doom(
    arrays: Mapping[str, NDArray[Any]], row: int, kinds: set[DuplicateKind]
) -> tuple[int, DuplicateKind] | None:
    """The row that is kept for an image, and what it is of that; None if the image stays.

    Where a group's kind is not deleted, copies among its images still go, but for the best of each content.
    """
    number = int(arrays["kind"][row])
    if number and kind_name(number) in kinds:
        return int(arrays["keeper"][row]), kind_name(number)
    twin = int(arrays["twin"][row])
    return (twin, "exact") if twin != row and "exact" in kinds else None


def _deletion(
    arrays: Mapping[str, NDArray[Any]], row: int, kept: int, kind: DuplicateKind
) -> _Deletion:
    copy = kind == "exact"
    return _Deletion(
        id=str(arrays["ids"][row]),
        sha256=arrays["digests"][row].tobytes().hex(),
        kept=str(arrays["ids"][kept]),
        kept_sha256=arrays["digests"][kept].tobytes().hex(),
        kind=kind,
        cosine=1.0 if copy else round(float(arrays["cosine"][row]), 6),
        bits=0 if copy else bits_or_none(int(arrays["bits"][row])),
    )


def _sound(
    store: Store, collection: str, deletions: Sequence[_Deletion]
) -> Iterator[tuple[_Deletion, str]]:
    """Those whose image and the one kept for it are both still what was compared, with the image's key."""
    for start in range(0, len(deletions), _PAGE):
        page = deletions[start : start + _PAGE]
        ids = sorted({id for one in page for id in (one.id, one.kept)})
        now = {r.id: r.payload for r in store.retrieve(collection, ids)}
        hashes = {id: payload["sha256"] for id, payload in now.items()}
        for one in page:
            if hashes.get(one.id) == one.sha256 and hashes.get(one.kept) == one.kept_sha256:
                yield one, now[one.id]["key"]
