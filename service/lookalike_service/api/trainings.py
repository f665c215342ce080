"""Models trained on a collection: train as a job, read, drop."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

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
    TrainingExists,
    UnknownCollection,
    UnknownTraining,
)
from lookalike_service.schemas.base import Name
from lookalike_service.schemas.jobs import Job
from lookalike_service.schemas.trainings import Training, TrainingRequest, Trainings
from lookalike_service.workflows import training as workflow

router = guarded_router(prefix="/v1/collections/{collection}/trainings", tags=["trainings"])


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
        TrainingExists,
        StoreUnavailable,
    ),
    summary="Train a model on the collection",
)
@needs("admin")
async def create(collection: Name, body: TrainingRequest, context: Current) -> Job:
    """Start a job that trains an encoder: an autoencoder on the pictures, or a head on vectors and labels.

    Killed with the service, it goes on from the last whole epoch. Its result names the encoder's spec.
    """
    parameters = await asyncio.to_thread(
        workflow.validate, context.store, context.settings, collection, body
    )
    return await asyncio.to_thread(context.jobs.submit, "training", collection, parameters)


@router.get(
    "",
    response_model=Trainings,
    responses=documented(UnknownCollection, InvalidField, StoreUnavailable),
    summary="All models trained on the collection",
)
@needs("read")
async def list_trainings(collection: Name, context: Current) -> Trainings:
    """Every model trained on the collection, by name."""
    found = await asyncio.to_thread(
        workflow.list_trainings, context.store, context.settings, collection
    )
    return Trainings(trainings=found)


@router.get(
    "/{name}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownTraining,
        InvalidField,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": Training,
                "description": "As JSON; of an autoencoder, with `Accept: image/png`, held-out pictures "
                "above what it made of them.",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
    summary="One trained model",
)
@needs("read")
async def get(request: Request, collection: Name, name: Name, context: Current) -> Response:
    """Its encoder spec, how the training went, and how good the model is."""
    found = await asyncio.to_thread(workflow.get, context.store, context.settings, collection, name)
    sheet = await asyncio.to_thread(workflow.sheet, context.settings, collection, name)
    kind = choose(request, ["application/json", *(["image/png"] if sheet else [])])
    return Response(sheet, media_type=kind) if kind == "image/png" else json_response(found)


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(
        UnknownCollection, UnknownTraining, InvalidField, Conflict, StoreUnavailable
    ),
    summary="Drop a trained model",
)
@needs("admin")
async def delete(collection: Name, name: Name, context: Current) -> None:
    """Delete the model's folder, unless a collection's vectors were made by it."""
    await asyncio.to_thread(workflow.delete, context.store, context.settings, collection, name)
