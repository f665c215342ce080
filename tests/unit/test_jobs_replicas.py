"""Jobs of several services that share one store: nobody's job is taken, nobody's job is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest

from lookalike_service.jobs import pulse as pulse_module
from lookalike_service.jobs import runner as runner_module
from lookalike_service.jobs.records import Records
from lookalike_service.jobs.runner import JobRunner, Task
from lookalike_service.schemas.jobs import Progress
from tests.fakes.jobs import ServerStore, finished, runner, until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_IDLE_SECONDS", 0.02)
    monkeypatch.setattr(pulse_module, "_HEARTBEAT_SECONDS", 0.02)


@pytest.fixture
def store() -> ServerStore:
    return ServerStore()


class Blocked:
    """A workflow that works until it is let go, and never looks up unless it is told to."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.go = threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, task: Task) -> dict[str, Any]:
        self.runs.append(task.collection)
        if task.collection == "short":
            return {}
        while not self.go.wait(0.01):
            try:
                task.progress("working", len(self.runs), None)
            except BaseException:
                self.cancelled.set()
                raise
        return {"by": id(self)}


def begun(jobs: JobRunner, workflow: Blocked) -> str:
    job = jobs.submit("clustering", "long", {})
    until(lambda: "long" in workflow.runs, "the job runs")
    return job.id


def test_a_live_owners_job_is_left_alone_and_others_are_shared_out(store: ServerStore) -> None:
    ours, theirs = Blocked(), Blocked()
    with runner(store, ours) as first:
        long = begun(first, ours)
        with runner(store, theirs) as second:
            short = first.submit("clustering", "short", {})
            assert finished(second, short.id).state == "succeeded"
            assert first.get(long).state == second.get(long).state == "running"
        ours.go.set()
        assert finished(first, long).result == {"by": id(ours)}
    assert (ours.runs, theirs.runs) == (["long"], ["short"])


def test_the_heartbeat_goes_on_without_progress(store: ServerStore) -> None:
    entered, go = threading.Event(), threading.Event()

    def silent(task: Task) -> dict[str, Any]:
        entered.set()
        assert go.wait(30)
        return {}

    with runner(store, silent) as jobs:
        job = jobs.submit("clustering", "c", {})
        assert entered.wait(30)
        first = Records(store).get(job.id).beat
        until(lambda: Records(store).get(job.id).beat > first, "the heart beats")
        go.set()
        finished(jobs, job.id)


def test_a_silent_owners_job_is_taken_over(
    store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_ABANDONED_SECONDS", 0.1)
    with runner(store, Blocked(), start=False) as dead:
        job = dead.submit("clustering", "short", {})
    Records(store).put(job.model_copy(update={"state": "running"}), "dead", 1)
    body = {"progress": Progress(stage="x", done=0).model_dump(), "at": time.time() - 61}
    store.put_document("job-pulse", job.id, body)
    with runner(store, Blocked()) as jobs:
        assert finished(jobs, job.id).state == "succeeded"
    assert Records(store).get(job.id).starts == 2


def test_an_owner_whose_job_was_taken_over_stops_and_writes_nothing(store: ServerStore) -> None:
    ours = Blocked()
    with runner(store, ours) as jobs:
        id_ = begun(jobs, ours)
        record = Records(store).get(id_)
        Records(store).put(record.job, "another", record.starts + 1)
        assert ours.cancelled.wait(30)
        until(lambda: jobs._running is None, "the runner is through with it")
        after = Records(store).get(id_)
    assert (after.owner, after.job.state) == ("another", "running")
    assert store.document("job-pulse", id_) is not None, "the pulse is the other's now"


def test_another_replica_can_cancel_and_progress_does_not_undo_it(store: ServerStore) -> None:
    ours = Blocked()
    with runner(store, ours) as owner, runner(store, Blocked(), start=False) as other:
        id_ = begun(owner, ours)
        assert other.cancel(id_).state == "cancelled"
        assert ours.cancelled.wait(30)
        until(lambda: owner._running is None, "the owner is through with it")
        assert owner.get(id_).state == "cancelled"
    assert store.document("job-pulse", id_) is None


def test_a_job_cancelled_between_choosing_and_claiming_it_is_not_run(
    store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Blocked()
    with runner(store, ours, start=False) as owner, runner(store, ours, start=False) as other:
        claim, chosen = owner._claim, threading.Event()

        def late(id: str, cancel: threading.Event) -> Any:
            if not chosen.is_set():
                other.cancel(id)
                chosen.set()
            return claim(id, cancel)

        monkeypatch.setattr(owner, "_claim", late)
        job = owner.submit("clustering", "short", {})
        owner.start()
        assert chosen.wait(30)
        following = owner.submit("clustering", "short", {})
        finished(owner, following.id)
        assert owner.get(job.id).state == "cancelled"
    assert ours.runs == ["short"]


def test_clocks_that_differ_or_jump_take_no_job_from_its_owner(
    store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Blocked(), Blocked()
    with runner(store, ours) as owner, runner(store, theirs) as other:
        id_ = begun(owner, ours)
        real = time.time
        for hours in (1000, -1000):
            monkeypatch.setattr(time, "time", lambda hours=hours: real() + 3600 * hours)
            short = other.submit("clustering", "short", {})
            assert finished(other, short.id).state == "succeeded"
        assert owner.get(id_).state == "running"
        ours.go.set()
        assert finished(owner, id_).state == "succeeded"
    assert (ours.runs + theirs.runs).count("long") == 1


def test_replicas_that_claim_a_job_at_the_same_time_run_it_once(store: ServerStore) -> None:
    runs: list[str] = []

    def work(task: Task) -> dict[str, Any]:
        runs.append(task.collection)
        return {}

    with runner(store, work, start=False) as first:
        jobs = [first.submit("clustering", f"c{i}", {}) for i in range(40)]
        with contextlib.ExitStack() as stack:
            replicas = [stack.enter_context(runner(store, work)) for _ in range(4)]
            for job in jobs:
                assert finished(replicas[0], job.id).state == "succeeded"
    assert sorted(runs) == sorted(f"c{i}" for i in range(40))
    assert not store.documents("job-claim")


def test_a_claim_whose_owner_died_does_not_hold_a_job_for_ever(
    store: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_ABANDONED_SECONDS", 0.1)
    with runner(store, Blocked(), start=False) as dead:
        job = dead.submit("clustering", "short", {})
        assert Records(store).claim(Records(store).get(job.id), "dead")
    with runner(store, Blocked()) as jobs:
        assert finished(jobs, job.id).state == "succeeded"
    assert not store.documents("job-claim")
