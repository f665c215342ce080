"""Jobs as the store keeps them: two documents each, and a third for a moment.

The *record* is the job with its owner; it changes with the job's state alone. The *pulse* is how far
the job has come and when its owner last said so; only the owner writes it, and only while it runs. So
the many writes of progress can never overwrite a cancellation. A *claim* decides which of several runners
has the next turn at a job; it is gone once the record says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lookalike_service.errors import UnknownJob
from lookalike_service.schemas.jobs import Job, Progress
from lookalike_service.store.protocol import Store

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
_RECORD, _PULSE, _CLAIM = "job", "job-pulse", "job-claim"


@dataclass(frozen=True)
class Record:
    """A job, whose it is, and what its owner said last.

    `owner`: the runner that has it, None while nobody does. `starts`: how often it was begun, less what
    came to no end for no fault of the job's. `turn`: how often it was claimed.
    `beat`: when its owner last gave a sign of life, in seconds of the wall clock.
    """

    job: Job
    owner: str | None = None
    starts: int = 0
    turn: int = 0
    beat: float = -math.inf


class Records:
    """Reads and writes the records of all jobs. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, job: Job, owner: str | None = None, starts: int = 0, turn: int = 0) -> None:
        """Write or replace a record."""
        body = {
            "job": job.model_dump(mode="json"),
            "owner": owner,
            "starts": starts,
            "turn": turn,
        }
        self._store.put_document(_RECORD, job.id, body)

    def claim(self, record: Record, owner: str) -> bool:
        """Whether this owner has the next turn at a job: of all that claim it, one."""
        key = _turn(record)
        if self._store.add_document(_CLAIM, key, {"owner": owner})["owner"] != owner:
            return False
        if self.get(record.job.id).turn == record.turn:
            return True
        self._store.delete_document(_CLAIM, key)  # of a turn that another has had meanwhile
        return False

    def unclaim(self, record: Record) -> None:
        """Delete the claim to the turn after this record's."""
        self._store.delete_document(_CLAIM, _turn(record))

    def get(self, id: str) -> Record:
        """One record. Raises UnknownJob."""
        body = self._store.document(_RECORD, id)
        if body is None:
            raise unknown_job(id)
        return _record(body, self._store.document(_PULSE, id))

    def all(self) -> list[Record]:
        """Every record, newest first."""
        pulses = dict(self._store.documents(_PULSE))
        found = [_record(body, pulses.get(id)) for id, body in self._store.documents(_RECORD)]
        return sorted(
            found, key=lambda record: (record.job.created_at, record.job.id), reverse=True
        )

    def forget(self, id: str) -> None:
        """Delete a record and its pulse; a missing one is fine."""
        self._store.delete_document(_RECORD, id)
        self.still(id)

    def beat(self, id: str, progress: Progress) -> None:
        """Write the pulse: alive now, and this far."""
        body = {"progress": progress.model_dump(mode="json"), "at": time.time()}
        self._store.put_document(_PULSE, id, body)

    def still(self, id: str) -> None:
        """Delete the pulse of a job that runs no more."""
        self._store.delete_document(_PULSE, id)


def unknown_job(id: str) -> UnknownJob:
    """The error that there is no job of this id."""
    return UnknownJob(f"There is no job '{id}'; GET /v1/jobs lists all.")


def _turn(record: Record) -> str:
    return f"{record.job.id}/{record.turn + 1}"


def _record(body: Mapping[str, Any], pulse: Mapping[str, Any] | None) -> Record:
    job = Job.model_validate(body["job"])
    if job.state != "running" or pulse is None:  # a pulse may be left over from an earlier start
        return Record(job, body["owner"], body["starts"], body.get("turn", 0))
    progress = Progress.model_validate(pulse["progress"])
    job = job.model_copy(update={"progress": progress})
    return Record(job, body["owner"], body["starts"], body.get("turn", 0), pulse["at"])
