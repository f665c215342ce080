"""Waiting for a job with a bar."""

from __future__ import annotations

import typer

from lookalike import Job, JobStatus
from lookalike_indexer.bars import job_bar


def wait(job: Job) -> JobStatus:
    """Wait for the job; Ctrl-C leaves it running and says how to find it again."""
    try:
        with job_bar() as progress:
            return job.wait(progress)
    except KeyboardInterrupt:
        typer.echo(
            f"Job {job.id} goes on; `lookalike jobs {job.id}` shows it, --cancel stops it.",
            err=True,
        )
        raise typer.Exit(130) from None
