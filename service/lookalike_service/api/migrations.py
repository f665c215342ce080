"""Moving a collection to another encoder: fill as a job, compare, cut over, roll back, finish."""

from __future__ import annotations

import asyncio

from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidModel,
    InvalidRequest,
    MigrationExists,
    MigrationNotReady,
    StoreUnavailable,
    UnknownCollection,
    UnknownMigration,
    UnknownModel,
    WeightsMissing,
)
from lookalike_service.jobs.records import FINISHED
from lookalike_service.schemas.base import Name
from lookalike_service.schemas.jobs import Job
from lookalike_service.schemas.migrations import CutOverRequest, Migration, MigrationRequest
from lookalike_service.workflows import migration as workflow

router = guarded_router(prefix="/v1/collections/{collection}/migration", tags=["migrations"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection,
        UnknownModel,
        InvalidModel,
        WeightsMissing,
        MigrationExists,
        InvalidField,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Embed the collection anew with another encoder",
)
@needs("admin")
async def create(collection: Name, body: MigrationRequest, context: Current) -> Job:
    """Start a job that gives every image a vector by the new encoder too, and compares the two.

    The collection goes on answering by its own; from now on images are indexed by both. Originals are read
    where the service may (`LOOKALIKE_ORIGINALS`), kept thumbnails otherwise. Repeated, it goes on with what
    is missing.
    """
    encoder = await context.encoder(body.model)
    running = await asyncio.to_thread(_running, context, collection)
    if running is not None:
        raise MigrationExists(f"Job '{running.id}' is migrating '{collection}'; wait for it.")
    parameters = await asyncio.to_thread(
        workflow.start, context.store, collection, body, encoder.info.space
    )
    return await asyncio.to_thread(context.jobs.submit, "migration", collection, parameters)


@router.get(
    "",
    response_model=Migration,
    responses=documented(UnknownCollection, UnknownMigration, InvalidField, StoreUnavailable),
    summary="Where the migration stands",
)
@needs("read")
async def get(collection: Name, context: Current) -> Migration:
    """Its stage, both spaces with their numbers of images, and the report once they were compared."""
    return await asyncio.to_thread(_described, context, collection)


@router.post(
    "/cutover",
    response_model=Migration,
    responses=documented(
        UnknownCollection,
        UnknownMigration,
        MigrationNotReady,
        InvalidField,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Let the new encoder answer",
)
@needs("admin")
async def cut_over(collection: Name, body: CutOverRequest, context: Current) -> Migration:
    """From now on the collection answers by the new encoder; every call sees one or the other.

    The former vectors are kept, and written as before, so that it can be rolled back.
    """
    await asyncio.to_thread(
        workflow.cut_over, context.store, collection, allow_missing=body.allow_missing
    )
    return await asyncio.to_thread(_described, context, collection)


@router.post(
    "/rollback",
    response_model=Migration,
    responses=documented(
        UnknownCollection, UnknownMigration, MigrationNotReady, InvalidField, StoreUnavailable
    ),
    summary="Let the former encoder answer again",
)
@needs("admin")
async def roll_back(collection: Name, context: Current) -> Migration:
    """Undo the cutting over; nothing that was indexed since is lost."""
    await asyncio.to_thread(workflow.roll_back, context.store, collection)
    return await asyncio.to_thread(_described, context, collection)


@router.post(
    "/finish",
    response_model=Migration,
    responses=documented(
        UnknownCollection, UnknownMigration, MigrationNotReady, InvalidField, StoreUnavailable
    ),
    summary="Drop the former vectors",
)
@needs("admin")
async def finish(collection: Name, context: Current) -> Migration:
    """After cutting over: from now on images are embedded once again, and there is no way back."""
    await asyncio.to_thread(workflow.finish, context.store, collection)
    return await asyncio.to_thread(_described, context, collection)


@router.delete(
    "",
    status_code=204,
    responses=documented(
        UnknownCollection, UnknownMigration, MigrationNotReady, InvalidField, StoreUnavailable
    ),
    summary="Give the migration up",
)
@needs("admin")
async def delete(collection: Name, context: Current) -> None:
    """Stop its job and drop the new vectors; of a finished migration, forget the report."""
    running = await asyncio.to_thread(_running, context, collection)
    if running is not None:
        await asyncio.to_thread(context.jobs.cancel, running.id)
    await asyncio.to_thread(workflow.abandon, context.store, collection)


def _described(context: Context, collection: str) -> Migration:
    jobs = _jobs(context, collection)
    return workflow.get(context.store, collection, jobs[0].id if jobs else None)


def _running(context: Context, collection: str) -> Job | None:
    return next((job for job in _jobs(context, collection) if job.state not in FINISHED), None)


def _jobs(context: Context, collection: str) -> list[Job]:
    """The collection's migration jobs, newest first."""
    return [job for job in context.jobs.recent(collection, limit=1000) if job.kind == "migration"]
