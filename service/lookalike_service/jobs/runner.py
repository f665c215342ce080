"""Durable jobs: kept in the store, run one at a time, gone on with after a crash.

A job is only its kind, collection and parameters, so one that a dead process left behind is simply run
again from the start. Replicas that share a Qdrant server share its jobs. Of those that want to begin one
at the same time, a claim decides, which the store admits but once. A runner writes the end of a job only
while the record says that it runs and is the runner's own, and stops working on it as soon as it does not:
it was cancelled, or its owner was silent for so long that another took it over. How long that is, each
measures for itself; clocks of different machines, or before and after they were set, are never compared.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from numpy.typing import NDArray

from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import (
    Internal,
    JobNotFinished,
    LookalikeError,
    StoreUnavailable,
)
from lookalike_service.jobs.pulse import Pulse
from lookalike_service.jobs.records import FINISHED, Record, Records
from lookalike_service.jobs.worker import Cancelled, Worker
from lookalike_service.schemas.jobs import Job
from lookalike_service.schemas.jobs import Progress as ProgressOut
from lookalike_service.schemas.problems import ItemError
from lookalike_service.settings import Settings, get_settings
from lookalike_service.store.protocol import Store
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

KEPT = 1000
"""Finished jobs that are kept; the oldest beyond are forgotten."""
MOST_STARTS = 5
"""A job that was begun so often and never ended (say, because it kills the service) has failed."""
_IDLE_SECONDS = 5.0
_ABANDONED_SECONDS = 60.0


@dataclass(frozen=True)
class Task:
    """What a workflow works with while its job runs."""

    store: Store
    collection: str
    parameters: Mapping[str, Any]
    folder: Path
    """A temporary folder for arrays, emptied when the job ends."""
    progress: Progress
    """Call with (stage, done, total); raises Cancelled when the job is to stop."""
    compute: Callable[[str, dict[str, Any]], tuple[dict[str, NDArray[Any]], dict[str, Any]]]
    """Run `module:name` with parameters on the arrays of `folder`, in the computing process."""
    settings: Settings = field(default_factory=get_settings)


Workflow = Callable[[Task], dict[str, Any]]
"""Does a job's work and returns its result, JSON. Raises LookalikeError, or Cancelled."""


class JobRunner:
    """Runs this process's jobs in a thread, and tells of all jobs in the store. Thread-safe."""

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, Workflow],
        settings: Settings,
        metrics: Metrics | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics or Metrics()
        for kind in kinds:  # or the first end of each would be no increase to Prometheus
            for state in FINISHED:
                self._metrics.jobs_ended.labels(kind, state)
        self._records = Records(store)
        self._kinds = kinds
        self._settings = settings
        self._worker = Worker(settings.job_threads)
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        """Held while a record changes its state, and for `_running`."""
        self._running: tuple[str, threading.Event] | None = None
        self._signs: dict[str, tuple[object, float]] = {}
        """Of jobs that are others': what was last seen of them, and when it was first."""
        self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)

    def start(self) -> None:
        """Take up the jobs that a dead process left, and begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within seconds; a running job goes back into the queue, for the next start."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            if self._running:
                self._running[1].set()
        if self._thread.is_alive():
            self._thread.join(30)
        self._worker.stop()

    def submit(self, kind: str, collection: str, parameters: Mapping[str, Any]) -> Job:
        """Queue a job; it is in the store when this returns."""
        job = Job(
            id=uuid.uuid4().hex,
            kind=kind,
            collection=collection,
            state="queued",
            progress=ProgressOut(stage="queued", done=0, total=None),
            parameters=dict(parameters),
            created_at=_now(),
        )
        self._records.put(job)
        self._wake.set()
        return job

    def get(self, id: str) -> Job:
        """One job. Raises UnknownJob."""
        return self._records.get(id).job

    def recent(
        self,
        collection: str | None = None,
        limit: int = 100,
        *,
        sees: Callable[[Job], bool] = lambda _: True,
    ) -> list[Job]:
        """Jobs, newest first; `sees` says which."""
        jobs = [record.job for record in self._records.all()]
        return [job for job in jobs if collection in (None, job.collection) and sees(job)][:limit]

    def cancel(self, id: str) -> Job:
        """Stop a job; the record says so at once. Raises UnknownJob, JobNotFinished if it ended."""
        with self._lock:
            record = self._records.get(id)
            if record.job.state in FINISHED:
                raise JobNotFinished(
                    f"Job '{id}' has {record.job.state} already; it cannot be cancelled."
                )
            cancelled = record.job.model_copy(update={"state": "cancelled", "finished_at": _now()})
            self._records.put(cancelled, record.owner, record.starts, record.turn)
            if self._running and self._running[0] == id:
                self._running[1].set()
            return cancelled

    # -- the thread

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._run_next():
                    continue
            except StoreUnavailable as error:  # what ran is still ours, and is run again
                log.warning("jobs wait for the store", error=error.detail)
            except Exception:  # without this thread no job would ever run again
                log.exception("jobs stumbled, and go on")
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()

    def _run_next(self) -> bool:
        """Run the oldest job that nobody works on; False if there is none."""
        records = self._records.all()
        self._forget_old(records)
        return any(self._free(record) and self._run(record.job.id) for record in reversed(records))

    def _free(self, record: Record) -> bool:
        """Whether a job waits, or was left behind. Asked only while nothing runs here."""
        if record.job.state != "running":
            return record.job.state == "queued"
        # An embedded store admits one process, so whoever else owned the job is dead.
        if record.owner == self._owner or self._store.kind == "embedded":
            return True
        return self._silent(record)

    def _silent(self, record: Record) -> bool:
        """Whether nothing of a record has changed for long, as we have seen it."""
        id, sign = record.job.id, (record.job.state, record.turn, record.beat)
        if self._signs.get(id, (None, 0.0))[0] != sign:
            self._signs[id] = (sign, time.monotonic())
        return time.monotonic() - self._signs[id][1] > _ABANDONED_SECONDS

    def _run(self, id: str) -> bool:
        """Run a job; False if it is not to be run after all."""
        cancel = threading.Event()
        job = self._claim(id, cancel)
        if job is None:
            return False
        with structlog.contextvars.bound_contextvars(job_id=id):
            self._run_claimed(job, cancel)
        return True

    def _run_claimed(self, job: Job, cancel: threading.Event) -> None:
        log.info("job started", kind=job.kind, collection=job.collection)
        start = time.monotonic()
        try:
            with (
                Pulse(self._records, job.id, self._is_mine, cancel) as pulse,
                tracing.span(f"job {job.kind}", job_id=job.id, collection=job.collection),
            ):
                ended = self._work(job, pulse.progress, cancel)
            state = self._end(job.id, ended)
        finally:
            with self._lock:
                self._running = None
        self._metrics.job_seconds.labels(job.kind).observe(time.monotonic() - start)
        if state in FINISHED:
            self._metrics.jobs_ended.labels(job.kind, state).inc()
        if state == "queued":
            log.info("job goes back into the queue: the service stops")
        else:
            log.info("job ended", state=state)

    def _claim(self, id: str, cancel: threading.Event) -> Job | None:
        """The job, now running and ours; None if it is not to be run after all."""
        with self._lock:
            record = self._records.get(id)
            if self._stopping.is_set() or not self._free(record):
                return None
            if record.starts >= MOST_STARTS:
                error = Internal(
                    f"The job was begun {record.starts} times and never came to an end: the "
                    "service died, or the store stopped answering, each time. Its log may tell why."
                )
                self._records.put(record.job.model_copy(update=_failure(error)))
                return None
            if not self._records.claim(record, self._owner):
                if self._silent(record):  # whoever claimed it died before it said so
                    self._records.unclaim(record)
                return None
            self._signs.pop(id, None)
            # The pulse first: without one, others would take the job for abandoned.
            self._records.beat(id, ProgressOut(stage="starting", done=0))
            job = record.job.model_copy(update={"state": "running", "started_at": _now()})
            self._records.put(job, self._owner, record.starts + 1, record.turn + 1)
            self._running = (id, cancel)
            self._records.unclaim(record)
            return job

    def _is_mine(self, record: Record) -> bool:
        return record.job.state == "running" and record.owner == self._owner

    def _work(self, job: Job, progress: Progress, cancel: threading.Event) -> dict[str, Any]:
        """Do the job; what then changes in its record. Raises StoreUnavailable."""

        def compute(
            function: str, parameters: dict[str, Any]
        ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
            return self._worker.compute(function, task.folder, parameters, progress, cancel)

        try:
            with tempfile.TemporaryDirectory(prefix="lookalike-job-") as folder:
                task = Task(
                    self._store,
                    job.collection,
                    job.parameters,
                    Path(folder),
                    progress,
                    compute,
                    self._settings,
                )
                result = self._kinds[job.kind](task)
                json.dumps(result, allow_nan=False)  # what is no JSON could not be stored
        except Cancelled:
            # By `stop`. If somebody cancelled it, or took it over, `_end` writes nothing.
            stage = "queued again: the service stopped"
            return {"state": "queued", "progress": ProgressOut(stage=stage, done=0)}
        except StoreUnavailable:
            raise
        except LookalikeError as error:
            return _failure(error)
        except Exception as error:  # one job's fault must not end the thread
            log.exception("job failed")
            return _failure(Internal(f"The job failed: {type(error).__name__}: {error}"))
        done = ProgressOut(stage="done", done=1, total=1)
        return {"state": "succeeded", "result": result, "progress": done, "finished_at": _now()}

    def _end(self, id: str, changes: Mapping[str, Any]) -> str:
        """Write the job's end, unless the job is no longer ours; the state it is in then."""
        with self._lock:
            record = self._records.get(id)
            job, starts = record.job, record.starts
            if self._is_mine(record):
                job = job.model_copy(update=changes)
                if job.state == "queued":
                    starts -= 1  # that the service stopped is no fault of the job's
                self._records.put(job, starts=starts, turn=record.turn)
            if job.state != "running":  # otherwise it is another's by now, and so is the pulse
                self._records.still(id)
            return job.state

    def _forget_old(self, records: Sequence[Record]) -> None:
        finished = [record.job.id for record in records if record.job.state in FINISHED]
        for id in finished:
            self._signs.pop(id, None)
        for id in finished[KEPT:]:
            self._records.forget(id)


def _failure(error: LookalikeError) -> dict[str, Any]:
    problem = ItemError(code=error.code, detail=error.detail)
    return {"state": "failed", "error": problem, "finished_at": _now()}


def _now() -> str:
    """To the microsecond: jobs are run in the order of it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
