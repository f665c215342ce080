"""The kinds of job there are: one row each."""

from __future__ import annotations

from collections.abc import Mapping

from lookalike_service.jobs.runner import Workflow
from lookalike_service.workflows import clustering, projection, training

JOB_KINDS: Mapping[str, Workflow] = {
    "clustering": clustering.run,
    "projection": projection.run,
    "training": training.run,
}
