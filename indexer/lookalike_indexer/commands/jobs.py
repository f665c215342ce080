"""`lookalike jobs`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike import JobStatus
from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json, print_table


def jobs(
    id: Annotated[str | None, typer.Argument(help="Show this job only.")] = None,
    *,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the job.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show clusterings and projections under way and done, newest first."""
    if cancel and id is None:
        raise typer.BadParameter("--cancel takes the id of a job.")
    with connect(url, api_key) as client:
        if id is not None and cancel:
            client.job(id).cancel()
        found = client.jobs() if id is None else [client.job(id).status]
    if json:
        for job in found:
            print_json(job)
        return
    print_table(
        ("job", "what", "state", "made (UTC)"),
        ((j.id, f"{j.kind} of {j.collection}", _state(j), _minute(j.created_at)) for j in found),
    )
    for job in found:
        if job.error is not None:
            typer.echo(f"{job.id}: {job.error.code}: {job.error.detail}")


def _state(job: JobStatus) -> str:
    if job.finished:
        return job.state
    done, total = job.progress.done, job.progress.total
    return f"{job.state}: {job.progress.stage} {done}{'' if total is None else f'/{total}'}"


def _minute(stamp: str) -> str:
    """Month, day and minute of an ISO 8601 time; `--json` has it in full."""
    return stamp[5:16].replace("T", " ")
