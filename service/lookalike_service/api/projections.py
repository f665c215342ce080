"""Projections of a collection: run as a job, read as points or picture, place new images."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(prefix="/v1/collections/{collection}/projections", tags=["projections"])
