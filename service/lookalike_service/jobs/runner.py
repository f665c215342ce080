"""Durable jobs: records in the store, run one at a time, gone on with after a crash.

A job is only its kind, collection and parameters, so one that a dead process left behind is simply run
again from the start. Each record carries its owner and a heartbeat: where several replicas share a Qdrant
server, a job is taken over only when its owner has been silent for a while.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from numpy.typing import NDArray

from lookalike_service.errors import (
    Internal,
    JobNotFinished,
    LookalikeError,
    UnknownJob,
)
from lookalike_service.jobs.worker import Cancelled, Progress, Worker
from lookalike_service.schemas import ItemError, Job
from lookalike_service.schemas import Progress as ProgressOut
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Store

log = structlog.get_logger(__name__)

KIND = "job"
FINISHED = frozenset({"succeeded", "failed", "cancelled"})
KEPT = 1000
"""Finished jobs that are kept; the oldest beyond are forgotten."""
_WRITE_SECONDS, _HEARTBEAT_SECONDS, _ABANDONED_SECONDS = 0.5, 5.0, 60.0


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


Workflow = Callable[[Task], dict[str, Any]]
"""Does a job's work and returns its result. Raises LookalikeError, or Cancelled."""


class JobRunner:
    """Runs this process's jobs in a thread, and tells of all jobs in the store. Thread-safe."""

    def __init__(self, store: Store, kinds: Mapping[str, Workflow], settings: Settings) -> None:
        self._store = store
        self._kinds = kinds
        self._worker = Worker(settings.job_threads)
        self._owner = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._running: tuple[str, threading.Event] | None = None
        self._lock = threading.RLock()
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
        self._write(job)
        self._wake.set()
        return job

    def get(self, id: str) -> Job:
        """One job. Raises UnknownJob."""
        return Job.model_validate(self._document(id)["job"])

    def recent(self, collection: str | None = None, limit: int = 100) -> list[Job]:
        """Jobs, newest first."""
        jobs = [job for job, _ in self._all() if collection in (None, job.collection)]
        return jobs[:limit]

    def cancel(self, id: str) -> Job:
        """Ask a job to stop; the record says so at once. Raises UnknownJob, JobNotFinished if it ended."""
        with self._lock:
            document = self._document(id)
            job = Job.model_validate(document["job"])
            if job.state in FINISHED:
                raise JobNotFinished(f"Job '{id}' has {job.state} already; it cannot be cancelled.")
            cancelled = job.model_copy(update={"state": "cancelled", "finished_at": _now()})
            self._write(cancelled, owner=document.get("owner"))
            if self._running and self._running[0] == id:
                self._running[1].set()
            return cancelled

    # -- the thread

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                job = self._next()
                if job is not None:
                    self._run(job)
                    continue
            except LookalikeError as error:  # the store is away: what ran is run again
                log.warning("jobs wait for the store", error=error.detail)
                self._running = None
            self._wake.wait(_HEARTBEAT_SECONDS)
            self._wake.clear()

    def _next(self) -> Job | None:
        """The oldest job that waits, or was left behind by a process that died."""
        for job, document in reversed(self._all()):
            if job.state == "queued" or (job.state == "running" and self._abandoned(document)):
                return job
        return None

    def _abandoned(self, document: Mapping[str, Any]) -> bool:
        if document.get("owner") == self._owner:  # asked only while nothing runs here
            return True
        # One process owns an embedded store, so any other owner is dead.
        silent = time.time() - float(document.get("heartbeat", 0))
        return self._store.kind == "embedded" or silent > _ABANDONED_SECONDS

    def _run(self, job: Job) -> None:
        cancel = threading.Event()
        with self._lock:
            if self.get(job.id).state == "cancelled":
                return
            self._running = (job.id, cancel)
            job = job.model_copy(update={"state": "running", "started_at": _now()})
            self._write(job)
        if self._stopping.is_set():
            cancel.set()
        log.info("job started", id=job.id, kind=job.kind, collection=job.collection)
        with self._beating(job.id, cancel):
            ended = self._outcome(job, cancel)
        with self._lock:
            self._running = None
            if self._stored_state(job.id) != "cancelled":
                self._write(ended)
        log.info("job ended", id=job.id, state=ended.state)
        self._forget_old()

    def _outcome(self, job: Job, cancel: threading.Event) -> Job:
        try:
            with tempfile.TemporaryDirectory(prefix="lookalike-job-") as folder:
                result = self._kinds[job.kind](self._task(job, Path(folder), cancel))
        except Cancelled:
            waiting = ProgressOut(stage="queued again: the service stopped", done=0, total=None)
            return job.model_copy(update={"state": "queued", "progress": waiting})
        except LookalikeError as error:
            return _failed(job, error)
        except Exception as error:  # one job's fault must not end the thread
            log.exception("job failed", id=job.id)
            return _failed(job, Internal(f"The job failed: {type(error).__name__}: {error}"))
        done = ProgressOut(stage="done", done=1, total=1)
        return job.model_copy(
            update={"state": "succeeded", "result": result, "progress": done, "finished_at": _now()}
        )

    def _task(self, job: Job, folder: Path, cancel: threading.Event) -> Task:
        progress = self._progress(job, cancel)

        def compute(
            function: str, parameters: dict[str, Any]
        ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
            return self._worker.compute(function, folder, parameters, progress, cancel)

        return Task(self._store, job.collection, job.parameters, folder, progress, compute)

    def _progress(self, job: Job, cancel: threading.Event) -> Progress:
        written, shown = 0.0, ""

        def progress(stage: str, done: int, total: int | None) -> None:
            nonlocal written, shown
            if cancel.is_set():
                raise Cancelled
            if stage != shown or time.monotonic() - written > _WRITE_SECONDS:
                written, shown = time.monotonic(), stage
                current = ProgressOut(stage=stage, done=done, total=total)
                with self._lock:
                    if self._stored_state(job.id) == "running":
                        self._write(job.model_copy(update={"progress": current}))

        return progress

    @contextmanager
    def _beating(self, id: str, cancel: threading.Event) -> Iterator[None]:
        """Keep the heartbeat, and notice when another replica cancels the job."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(_HEARTBEAT_SECONDS):
                with suppress(LookalikeError), self._lock:
                    document = self._document(id)
                    if document["job"]["state"] == "cancelled":
                        cancel.set()
                    elif not ended.is_set():
                        self._write(Job.model_validate(document["job"]))

        thread = threading.Thread(target=beat, name="job-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    # -- records

    def _stored_state(self, id: str) -> str:
        return str(self._document(id)["job"]["state"])

    def _document(self, id: str) -> dict[str, Any]:
        document = self._store.document(KIND, id)
        if document is None:
            raise UnknownJob(f"There is no job '{id}'; GET /v1/jobs lists all.")
        return document

    def _all(self) -> list[tuple[Job, dict[str, Any]]]:
        found = [(Job.model_validate(body["job"]), body) for _, body in self._store.documents(KIND)]
        return sorted(found, key=lambda pair: (pair[0].created_at, pair[0].id), reverse=True)

    def _write(self, job: Job, owner: str | None = None) -> None:
        document = {
            "job": job.model_dump(mode="json"),
            "owner": owner or self._owner,
            "heartbeat": time.time(),
        }
        self._store.put_document(KIND, job.id, document)

    def _forget_old(self) -> None:
        finished = [job.id for job, _ in self._all() if job.state in FINISHED]
        for id in finished[KEPT:]:
            self._store.delete_document(KIND, id)


def _failed(job: Job, error: LookalikeError) -> Job:
    problem = ItemError(code=error.code, detail=error.detail)
    return job.model_copy(update={"state": "failed", "error": problem, "finished_at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
