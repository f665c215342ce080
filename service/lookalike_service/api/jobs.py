"""Jobs: state, progress, result, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.access.caller import Caller
from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented
from lookalike_service.api.scoped_store import compared
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import InvalidField, JobNotFinished, StoreUnavailable, UnknownJob
from lookalike_service.jobs.records import FINISHED, unknown_job
from lookalike_service.schemas.jobs import Job, Jobs

router = guarded_router(prefix="/v1/jobs", tags=["jobs"])
_POLL_SECONDS = 0.25
_STARTED_BY_ADMINS = {"migration", "training"}


class JobsQuery(BaseModel):
    """Which jobs."""

    model_config = ConfigDict(extra="forbid")

    collection: str | None = None
    limit: int = Field(100, ge=1, le=1000)


@router.get(
    "",
    response_model=Jobs,
    responses=documented(InvalidField, StoreUnavailable),
    summary="All jobs",
)
@needs("read")
async def list_jobs(query: Annotated[JobsQuery, Query()], context: Current) -> Jobs:
    """Jobs, newest first."""
    found = await asyncio.to_thread(
        context.jobs.recent, query.collection, query.limit, sees=partial(_sees, context.holder)
    )
    return Jobs(jobs=found)


@router.get(
    "/{id}",
    response_model=Job,
    responses=documented(UnknownJob, StoreUnavailable),
    summary="One job",
)
@needs("read")
async def get(id: str, context: Current) -> Job:
    """State, progress, and in the end its result or error."""
    return await _job(context, id)


@router.delete(
    "/{id}",
    response_model=Job,
    responses=documented(UnknownJob, JobNotFinished, StoreUnavailable),
    summary="Cancel a job",
)
@needs("write")
async def cancel(id: str, context: Current) -> Job:
    """Stop it, wherever it stands; what it has not finished is not written."""
    job = await _job(context, id)
    if job.kind in _STARTED_BY_ADMINS:
        context.holder.check_role("admin")
    return await asyncio.to_thread(context.jobs.cancel, id)


@router.get(
    "/{id}/events",
    response_class=StreamingResponse,
    responses=documented(
        UnknownJob,
        StoreUnavailable,
        ok={
            200: {
                "description": "A `job` event at each change, the last one with the final state.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    ),
    summary="Watch a job",
)
@needs("read")
async def events(id: str, request: Request, context: Current) -> Response:
    """Server-sent events until the job ends, or the service."""
    first = await _job(context, id)
    return StreamingResponse(_stream(first, request, context), media_type="text/event-stream")


async def _job(context: Context, id: str) -> Job:
    """A job of collections that the caller may see. Raises UnknownJob."""
    job = await asyncio.to_thread(context.jobs.get, id)
    if not _sees(context.holder, job):
        raise unknown_job(id)
    return job


def _sees(caller: Caller, job: Job) -> bool:
    """Whether a caller may see every collection that a job tells of."""
    return all(map(caller.sees, [job.collection, *compared(job.kind, job.parameters)]))


async def _stream(job: Job, request: Request, context: Context) -> AsyncIterator[str]:
    seen = None
    while True:
        if job != seen:
            yield f"event: job\ndata: {job.model_dump_json()}\n\n"
            seen = job
        stopping = request.app.state.stopping.is_set()  # a watcher is to ask another replica
        if job.state in FINISHED or stopping or await request.is_disconnected():
            return
        await asyncio.sleep(_POLL_SECONDS)
        with suppress(StoreUnavailable):  # the answer has begun; the store may come back
            job = await asyncio.to_thread(context.jobs.get, job.id)
