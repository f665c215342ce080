"""What a collection's scores mean: measured as a job, read."""

from __future__ import annotations

import asyncio

from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidParameters,
    InvalidRequest,
    StoreUnavailable,
    UnknownCalibration,
    UnknownCollection,
)
from lookalike_service.schemas.calibration import CalibrationOut, CalibrationRequest
from lookalike_service.schemas.jobs import Job
from lookalike_service.workflows import calibration as workflow

router = guarded_router(prefix="/v1/collections/{collection}/calibration", tags=["search"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection, InvalidParameters, InvalidField, InvalidRequest, StoreUnavailable
    ),
    summary="Calibrate the scores of a collection",
)
@needs("write")
async def create(collection: str, context: Current, body: CalibrationRequest | None = None) -> Job:
    """Start a job that measures how alike unrelated images of the collection are; hits then say it."""
    parameters = await asyncio.to_thread(
        workflow.validate, context.store, collection, body or CalibrationRequest()
    )
    return await asyncio.to_thread(context.jobs.submit, "calibration", collection, parameters)


@router.get(
    "",
    response_model=CalibrationOut,
    responses=documented(UnknownCollection, UnknownCalibration, StoreUnavailable),
    summary="What the scores of a collection mean",
)
@needs("read")
async def get(collection: str, context: Current) -> CalibrationOut:
    """The distribution of cosines of unrelated images, and the cosines from which verdicts change."""
    return await asyncio.to_thread(workflow.get, context.store, collection)
