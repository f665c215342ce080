"""Duplicates of a collection: look for them as a job, read groups and leakage, plan and delete."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    Conflict,
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    InvalidRequest,
    NotAcceptable,
    StoreUnavailable,
    UnknownCollection,
    UnknownDuplicates,
)
from lookalike_service.schemas.duplicates import (
    Applied,
    ApplyRequest,
    DuplicateGroups,
    DuplicateKind,
    DuplicatesOut,
    DuplicatesRequest,
    DuplicatesRuns,
    LeakageOut,
    PlanOut,
)
from lookalike_service.schemas.jobs import Job
from lookalike_service.workflows import duplicate_groups, duplicate_plan
from lookalike_service.workflows import duplicates as workflow

router = guarded_router(prefix="/v1/collections/{collection}/duplicates", tags=["duplicates"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection,
        InvalidParameters,
        InvalidField,
        InvalidFilter,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Look for duplicates",
)
@needs("write")
async def create(collection: str, context: Current, body: DuplicatesRequest | None = None) -> Job:
    """Start a job that groups images of one picture; a run of the same name and criteria is gone on from."""
    parameters = await asyncio.to_thread(
        workflow.validate, context.store, collection, body or DuplicatesRequest()
    )
    return await asyncio.to_thread(context.jobs.submit, "duplicates", collection, parameters)


@router.get(
    "",
    response_model=DuplicatesRuns,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="All searches for duplicates",
)
@needs("read")
async def list_duplicates(collection: str, context: Current) -> DuplicatesRuns:
    """Every search for duplicates of the collection, by name."""
    found = await asyncio.to_thread(workflow.list_runs, context.store, collection)
    return DuplicatesRuns(duplicates=found)


@router.get(
    "/{name}",
    response_model=DuplicatesOut,
    responses=documented(UnknownCollection, UnknownDuplicates, StoreUnavailable),
    summary="One search for duplicates",
)
@needs("read")
async def get(collection: str, name: str, context: Current) -> DuplicatesOut:
    """What was compared by which criteria, and how many duplicates of each kind there are."""
    return await asyncio.to_thread(workflow.get, context.store, collection, name)


_FIELD = Field(
    description="A field of the metadata.",
    examples=["metadata.split"],
    pattern=r"^metadata\..+$",
)


class GroupsQuery(BaseModel):
    """Which groups, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    kind: DuplicateKind | None = Field(
        None, description="Those alone with a duplicate of this kind."
    )
    across: Annotated[str, _FIELD] | None = Field(
        None, description="Those alone whose images have several values of this metadata field."
    )
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0)


@router.get(
    "/{name}/groups",
    response_model=DuplicateGroups,
    responses=documented(UnknownCollection, UnknownDuplicates, InvalidField, StoreUnavailable),
    summary="Groups of duplicates",
)
@needs("read")
async def groups(
    collection: str, name: str, *, query: Annotated[GroupsQuery, Query()], context: Current
) -> DuplicateGroups:
    """A page of groups, the largest first, each with the image to keep and what the others are of it."""
    return await asyncio.to_thread(
        duplicate_groups.groups,
        context.store,
        collection,
        name,
        kind=query.kind,
        across=query.across,
        limit=query.limit,
        offset=query.offset,
    )


class LeakageQuery(BaseModel):
    """Between which values, and how many pairs at once."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, _FIELD]
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0)


@router.get(
    "/{name}/leakage",
    response_model=LeakageOut,
    responses=documented(UnknownCollection, UnknownDuplicates, InvalidField, StoreUnavailable),
    summary="Pictures shared between splits or patients",
)
@needs("read")
async def leakage(
    collection: str, name: str, *, query: Annotated[LeakageQuery, Query()], context: Current
) -> LeakageOut:
    """Which values of a field share pictures, how many, and a page of the pairs."""
    return await asyncio.to_thread(
        duplicate_groups.leakage,
        context.store,
        collection,
        name,
        query.field,
        limit=query.limit,
        offset=query.offset,
    )


class PlanQuery(BaseModel):
    """What to delete."""

    model_config = ConfigDict(extra="forbid")

    kinds: list[DuplicateKind] = Field(["exact", "near"], min_length=1)
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0)


@router.get(
    "/{name}/plan",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownDuplicates,
        InvalidField,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": PlanOut,
                "description": "As JSON, or with `Accept: text/csv` all images of the collection, each with "
                "`keep` or `delete`, and of those to delete what is kept for them.",
                "content": {"text/csv": {"schema": {"type": "string"}}},
            }
        },
    ),
    summary="What deleting duplicates would do",
)
@needs("read")
async def plan(
    request: Request,
    collection: str,
    name: str,
    *,
    query: Annotated[PlanQuery, Query()],
    context: Current,
) -> Response:
    """How many images would go and stay, with a page of the ids. Nothing is deleted."""
    kind = choose(request, ["application/json", "text/csv"])
    if kind == "text/csv":
        lines = await asyncio.to_thread(
            duplicate_plan.lines, context.store, collection, name, query.kinds
        )
        return StreamingResponse(lines, media_type=kind)
    return json_response(
        await asyncio.to_thread(
            duplicate_plan.plan,
            context.store,
            collection,
            name,
            query.kinds,
            limit=query.limit,
            offset=query.offset,
        )
    )


@router.post(
    "/{name}/apply",
    response_model=Applied,
    responses=documented(
        UnknownCollection,
        UnknownDuplicates,
        Conflict,
        InvalidField,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Delete duplicates as planned",
)
@needs("write")
async def apply(collection: str, name: str, body: ApplyRequest, context: Current) -> Applied:
    """Delete what the plan of this token says, sparing images that were replaced since.

    Repeating it deletes what is left.
    """
    return await asyncio.to_thread(
        duplicate_plan.apply, context.store, collection, name, body.kinds, body.token
    )


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownDuplicates, StoreUnavailable),
    summary="Forget a search for duplicates",
)
@needs("write")
async def delete(collection: str, name: str, context: Current) -> None:
    """Forget the groups and what was compared; the images stay."""
    await asyncio.to_thread(workflow.delete, context.store, collection, name)
