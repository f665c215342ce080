"""Clusterings of a collection: run as a job, read, drop."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    InvalidRequest,
    StoreUnavailable,
    UnknownClustering,
    UnknownCollection,
)
from lookalike_service.schemas import ClusteringOut, ClusteringRequest, Clusterings, Job
from lookalike_service.workflows import clustering as workflow

router = APIRouter(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])


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
    summary="Cluster the collection",
)
async def create(collection: str, body: ClusteringRequest, context: Current) -> Job:
    """Start a job that clusters the images and writes their labels; hits then carry them."""
    parameters = await asyncio.to_thread(workflow.validate, context.store, collection, body)
    return await asyncio.to_thread(context.jobs.submit, "clustering", collection, parameters)


@router.get(
    "",
    response_model=Clusterings,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="All clusterings",
)
async def list_clusterings(collection: str, context: Current) -> Clusterings:
    """Every clustering of the collection, by name."""
    found = await asyncio.to_thread(workflow.list_runs, context.store, collection)
    return Clusterings(clusterings=found)


@router.get(
    "/{name}",
    response_model=ClusteringOut,
    responses=documented(UnknownCollection, UnknownClustering, StoreUnavailable),
    summary="One clustering",
)
async def get(collection: str, name: str, context: Current) -> ClusteringOut:
    """Its parameters, clusters with sizes and medoids, and diagnostics."""
    return await asyncio.to_thread(workflow.get, context.store, collection, name)


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownClustering, StoreUnavailable),
    summary="Drop a clustering",
)
async def delete(collection: str, name: str, context: Current) -> None:
    """Remove the run and its labels from all images."""
    await asyncio.to_thread(workflow.delete, context.store, collection, name)
