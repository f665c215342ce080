"""Jobs."""

from __future__ import annotations

from typing import Any, Literal

from lookalike_service.schemas.base import Wire
from lookalike_service.schemas.problems import ItemError

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Progress(Wire):
    """Where a job stands."""

    stage: str
    done: int
    total: int | None = None


class Job(Wire):
    """Work that takes longer than a request."""

    id: str
    kind: Literal[
        "calibration",
        "clustering",
        "comparison",
        "duplicates",
        "migration",
        "projection",
        "training",
    ]
    collection: str
    state: JobState
    progress: Progress
    parameters: dict[str, Any]
    result: dict[str, Any] | None = None
    error: ItemError | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None


class Jobs(Wire):
    """Jobs, newest first."""

    jobs: list[Job]
