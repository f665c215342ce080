"""Errors, of a request and of one item."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from lookalike_service.schemas.base import Wire


class Problem(BaseModel):
    """An RFC 9457 problem document (`application/problem+json`)."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    code: str = Field(description="Stable name of the error, one of the service's codes.")
    detail: str = Field(description="What was wrong, and what is allowed.")
    index: int | None = Field(None, description="Position of the item at fault in its batch.")
    errors: list[dict[str, Any]] | None = Field(
        None, description="Each invalid field, where several are."
    )


class ItemError(Wire):
    """Why one item of a batch has no result."""

    code: str
    detail: str
