"""Moving a collection to another encoder while it goes on answering.

The store holds the vectors of both encoders for as long as it takes (`Store.add_space`). What stage a
migration is at is read off what the store holds, so the two can never disagree; the document beside it
says what it was meant to be and what came of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from lookalike_service.errors import (
    InvalidField,
    MigrationExists,
    MigrationNotReady,
    UnknownMigration,
)
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.migrations import (
    Migration,
    MigrationReport,
    MigrationRequest,
    SpaceState,
)
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Store, pinned
from lookalike_service.workflows.job_embedding import JobEmbedding
from lookalike_service.workflows.migration_comparison import compare
from lookalike_service.workflows.migration_filling import Filling

KIND = "migration"
State = Literal["filling", "ready", "cut_over", "finished"]


def start(
    store: Store, collection: str, request: MigrationRequest, target: Space
) -> dict[str, Any]:
    """Begin a migration, or go on with one to the same space; the job's parameters.

    From now on images are written in both spaces. Raises MigrationExists, InvalidField if the
    collection is of that space already, UnknownCollection.
    """
    found = store.collection(collection)
    if found.space == target:
        raise InvalidField(f"The vectors of '{collection}' are made by '{target.model}' already.")
    former = store.document(KIND, collection)
    if found.spaces[1:] not in ((), (target,)) or (former and _state(found, former) == "cut_over"):
        raise MigrationExists(
            f"Collection '{collection}' holds vectors of '{found.spaces[1].model}' besides: finish that "
            "migration, or delete it, first."
        )
    going_on = former is not None and target in found.spaces
    document = {
        "former": asdict(found.space),
        "target": asdict(target),
        "report": None,
        "created_at": former["created_at"] if former and going_on else _now(),
    }
    store.put_document(KIND, collection, document)  # first: a second space is never without
    store.add_space(collection, target)
    return {**request.model_dump(mode="json"), "space": target.id}


def run(embedding: JobEmbedding, task: Task) -> dict[str, Any]:
    """Carry out a migration's job up to where it can be cut over; its result is the report.

    A job that was killed goes on with the images that have no vector yet.
    """
    begun, parameters = time.monotonic(), task.parameters
    found = task.store.collection(task.collection)
    target = _target(found, parameters["space"])
    embedding.check(target)
    filling = Filling(embedding, task, found.space, target, seed=parameters["seed"])
    with task.store.loading(pinned(task.collection, target.id)):
        filling.fill(sample=parameters["sample"])
    figures = compare(embedding, task, filling, found.space, target)
    report = MigrationReport(
        **figures,
        created_at=_now(),
        seconds=round(time.monotonic() - begun, 3),
    ).model_dump(mode="json")
    task.progress("keeping the report", 0, None)
    document = _document(task.store, task.collection)
    task.store.put_document(KIND, task.collection, document | {"report": report})
    return report


def get(store: Store, collection: str, job: str | None = None) -> Migration:
    """Where a collection's migration stands. Raises UnknownMigration, UnknownCollection."""
    found = store.collection(collection)
    document = _document(store, collection)
    former, target = _space(document["former"]), _space(document["target"])
    if target not in found.spaces:  # a crash in the middle of beginning or abandoning it
        raise _unknown(collection)
    state = _state(found, document)
    states = {
        space.id: _space_state(store, collection, space)
        for space in (former, target)
        if space in found.spaces
    }
    current = states[found.space.id]
    other = states.get(former.id if found.space == target else target.id)
    report = document["report"]
    return Migration(
        collection=collection,
        state=state,
        former=states.get(former.id),
        target=states[target.id],
        missing=max(0, current.points - other.points) if other and state != "cut_over" else 0,
        job=job,
        report=None if report is None else MigrationReport.model_validate(report),
        created_at=document["created_at"],
    )


def cut_over(store: Store, collection: str, *, allow_missing: bool) -> Migration:
    """Let the new encoder answer from now on. Repeating it is harmless.

    Raises MigrationNotReady while it is filled, or where images would be lost that may not be;
    UnknownMigration, UnknownCollection.
    """
    migration = get(store, collection)
    if migration.state == "filling":
        raise MigrationNotReady(
            f"The images of '{collection}' are still being embedded by '{migration.target.model}', or the "
            "job that did so ended early: wait for it, or start the migration again, which goes on with it."
        )
    if migration.state == "finished":
        raise MigrationNotReady(f"The migration of '{collection}' is finished already.")
    if migration.missing and not allow_missing:
        listed = migration.report.not_migrated_images if migration.report else []
        some = ", ".join(f"'{image.id}' ({image.code})" for image in listed[:5])
        raise MigrationNotReady(
            f"{migration.missing} of {migration.former.points if migration.former else 0} images have no "
            f"vector by '{migration.target.model}' and would no longer be found"
            f"{f', such as {some}' if some else ''}. Start the migration again to try them once more, or "
            "cut over with 'allow_missing'."
        )
    store.switch_space(collection, migration.target.space)
    return get(store, collection)


def roll_back(store: Store, collection: str) -> Migration:
    """Let the former encoder answer again. Repeating it is harmless.

    Raises MigrationNotReady where it was dropped, UnknownMigration, UnknownCollection.
    """
    migration = get(store, collection)
    if migration.former is None:
        raise MigrationNotReady(
            f"The migration of '{collection}' is finished: its former vectors are dropped. Migrate back "
            "instead."
        )
    store.switch_space(collection, migration.former.space)
    return get(store, collection)


def finish(store: Store, collection: str) -> Migration:
    """Drop the former vectors after cutting over. Repeating it is harmless.

    Raises MigrationNotReady before that, UnknownMigration, UnknownCollection.
    """
    migration = get(store, collection)
    if migration.state in ("filling", "ready"):
        raise MigrationNotReady(
            f"Collection '{collection}' still answers by its former encoder: cut over first, or delete the "
            "migration to stay with it."
        )
    store.drop_space(collection, _space(_document(store, collection)["former"]).id)
    return get(store, collection)


def abandon(store: Store, collection: str) -> None:
    """Drop the new vectors and forget the migration, or forget a finished one.

    Raises MigrationNotReady after cutting over, UnknownMigration, UnknownCollection.
    """
    migration = get(store, collection)
    if migration.state == "cut_over":
        raise MigrationNotReady(
            f"Collection '{collection}' answers by '{migration.target.model}': roll back first to stay with "
            "the former encoder, or finish the migration."
        )
    if migration.state != "finished":
        store.drop_space(collection, migration.target.space)
    store.delete_document(KIND, collection)


def forget(store: Store, collection: str) -> None:
    """Forget the migration of a collection that is gone."""
    store.delete_document(KIND, collection)


def _target(found: Collection, space_id: str) -> Space:
    """The space that a job fills. Raises UnknownMigration where the migration ended meanwhile."""
    for space in found.spaces[1:]:
        if space.id == space_id:
            return space
    raise UnknownMigration(
        f"The migration of '{found.name}' to space {space_id} ended before its job did."
    )


def _state(found: Collection, document: Mapping[str, Any]) -> State:
    target = _space(document["target"])
    if found.space == target:
        return "finished" if len(found.spaces) == 1 else "cut_over"
    return "filling" if document["report"] is None else "ready"


def _document(store: Store, collection: str) -> dict[str, Any]:
    document = store.document(KIND, collection)
    if document is None:
        raise _unknown(collection)
    return document


def _unknown(collection: str) -> UnknownMigration:
    return UnknownMigration(f"Collection '{collection}' is not being migrated.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _space(body: Mapping[str, Any]) -> Space:
    return Space(**body)


def _space_state(store: Store, collection: str, space: Space) -> SpaceState:
    stats = store.stats(pinned(collection, space.id))
    return SpaceState(
        model=space.model,
        space=space.id,
        dim=space.dim,
        points=store.count(pinned(collection, space.id)),
        indexed=stats.indexed,
    )
