"""Clusterings, or some of their clusters, as files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    StoreUnavailable,
    UnknownCluster,
    UnknownClustering,
    UnknownCollection,
)
from lookalike_service.workflows.export import Export, prepare
from lookalike_service.workflows.export_archive import zip_chunks
from lookalike_service.workflows.export_tables import csv_chunks, jsonl_chunks, parquet_chunks

router = guarded_router(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])

_MEDIA = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
_TEXT = {"schema": {"type": "string"}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class ExportQuery(BaseModel):
    """Which images, and as what."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl", "parquet", "zip"] = Field(
        "csv",
        description="A table (`metadata` is a JSON text in `csv` and `parquet`), or `zip`: the pictures, a "
        "folder for each cluster, with the list `images.jsonl` of all images, those without a picture too.",
    )
    label: list[int] = Field(
        [], description="Clusters to export, -1 for noise; repeatable. All if absent."
    )
    images: Literal["any", "original", "thumbnail"] = Field(
        "any",
        description="Of a `zip`: `original` files, where the service may read them (LOOKALIKE_ORIGINALS) and "
        "they are unchanged; the kept `thumbnail`s; or `any`, thumbnails where there is no original.",
    )


@router.get(
    "/{name}/export",
    response_class=StreamingResponse,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        UnknownCluster,
        InvalidField,
        StoreUnavailable,
        ok={
            200: {
                "description": "The file, as it is made.",
                "content": {
                    "text/csv": _TEXT,
                    "application/x-ndjson": _TEXT,
                    "application/vnd.apache.parquet": _BINARY,
                    "application/zip": _BINARY,
                },
            }
        },
    ),
    summary="Export clusters",
)
@needs("read")
async def export(
    collection: str, name: str, *, query: Annotated[ExportQuery, Query()], context: Current
) -> StreamingResponse:
    """Every image with its cluster, confidence, source and metadata; of some clusters, or of all.

    An answer that breaks off is not to be used: the clustering was made anew meanwhile.
    """
    wanted = await asyncio.to_thread(prepare, context.store, collection, name, query.label)
    disposition = f"attachment; filename*=UTF-8''{quote(f'{wanted.file_name}.{query.format}')}"
    return StreamingResponse(
        _chunks(query, context)(wanted),
        media_type=_MEDIA[query.format],
        headers={"Content-Disposition": disposition},
    )


def _chunks(query: ExportQuery, context: Context) -> Callable[[Export], Iterator[bytes]]:
    store = context.store
    return {
        "csv": lambda wanted: csv_chunks(store, wanted),
        "jsonl": lambda wanted: jsonl_chunks(store, wanted),
        "parquet": lambda wanted: parquet_chunks(store, wanted),
        "zip": lambda wanted: zip_chunks(store, wanted, context.settings, query.images),
    }[query.format]
