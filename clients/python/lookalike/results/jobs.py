"""Work under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lookalike.results.common import ItemError

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands; `total` is None while it is not known."""

    stage: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it was when last asked for."""

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
    created_at: str
    result: dict[str, Any] | None = None
    error: ItemError | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def finished(self) -> bool:
        """Whether it succeeded, failed or was cancelled."""
        return self.state in {"succeeded", "failed", "cancelled"}
