"""The kinds of job there are: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lookalike_service.jobs.runner import Workflow
from lookalike_service.workflows import (
    calibration,
    clustering,
    comparison,
    duplicates,
    migration,
    projection,
    training,
)
from lookalike_service.workflows.job_embedding import JobEmbedding

JOB_KINDS: Mapping[str, Workflow] = {
    "clustering": clustering.run,
    "comparison": comparison.run,
    "duplicates": duplicates.run,
    "projection": projection.run,
    "training": training.run,
}


def job_kinds(embedding: JobEmbedding) -> Mapping[str, Workflow]:
    """All kinds, also those that embed images with the service's own encoders."""
    return {
        **JOB_KINDS,
        "calibration": partial(calibration.run, embedding),
        "migration": partial(migration.run, embedding),
    }
