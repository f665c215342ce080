"""Jobs of one process: states, progress, errors, cancelling, stopping, crashes."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lookalike_service.errors import (
    InvalidParameters,
    JobNotFinished,
    StoreUnavailable,
    UnknownJob,
)
from lookalike_service.jobs import runner as runner_module
from lookalike_service.jobs.records import Records
from lookalike_service.jobs.runner import MOST_STARTS, Task
from lookalike_service.schemas.jobs import Job, Progress
from tests.fakes.jobs import LeavingStore, finished, runner, until
from tests.fakes.store import FakeStore


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_IDLE_SECONDS", 0.02)


class Gate:
    """A workflow that stops in its middle until it is let through, looking for a cancellation."""

    def __init__(self) -> None:
        self.runs = 0
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, task: Task) -> dict[str, Any]:
        self.runs += 1
        task.progress("at the gate", 3, 10)
        self.reached.set()
        while not self.open.wait(0.01):
            task.progress("at the gate", 3, 10)
        return {"collection": task.collection, **task.parameters}


def left_behind(store: FakeStore, id: str = "left", starts: int = 1) -> None:
    """A job that was running when its process died."""
    job = Job(
        id=id,
        kind="clustering",
        collection="c",
        state="running",
        progress=Progress(stage="queued", done=0),
        parameters={"k": 2},
        created_at="2025-01-01T00:00:00.000+00:00",
    )
    Records(store).put(job, "a dead process", starts)
    Records(store).beat(id, Progress(stage="computing", done=0))


def test_a_job_goes_from_queued_through_running_to_succeeded() -> None:
    gate = Gate()
    with runner(FakeStore(), gate, start=False) as jobs:
        job = jobs.submit("clustering", "c", {"k": 2})
        assert (job.state, job.started_at, job.parameters) == ("queued", None, {"k": 2})
        jobs.start()
        assert gate.reached.wait(30)
        running = jobs.get(job.id)
        assert running.state == "running"
        assert running.started_at is not None
        assert running.finished_at is None
        gate.open.set()
        ended = finished(jobs, job.id)
    assert ended.state == "succeeded"
    assert ended.result == {"collection": "c", "k": 2}
    assert ended.progress == Progress(stage="done", done=1, total=1)
    assert ended.created_at <= str(ended.started_at) <= str(ended.finished_at)


def test_progress_can_be_read_while_a_job_runs() -> None:
    gate = Gate()
    with runner(FakeStore(), gate) as jobs:
        job = jobs.submit("clustering", "c", {})
        wanted = Progress(stage="at the gate", done=3, total=10)
        until(lambda: jobs.get(job.id).progress == wanted, "progress is visible")
        assert jobs.recent()[0].progress == wanted
        gate.open.set()
        finished(jobs, job.id)


def test_a_failed_job_tells_the_code_and_where_it_stood() -> None:
    def refuse(task: Task) -> dict[str, Any]:
        task.progress("clustering", 1, 2)
        raise InvalidParameters("k is 9; allowed: 1 to 3")

    with runner(FakeStore(), refuse) as jobs:
        ended = finished(jobs, jobs.submit("clustering", "c", {}).id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert (ended.error.code, ended.error.detail) == (
        "invalid_parameters",
        "k is 9; allowed: 1 to 3",
    )
    assert ended.progress.stage == "clustering"
    assert ended.result is None


@pytest.mark.parametrize("result", [{"figure": float("nan")}, {"figure": object()}])
def test_a_result_that_is_no_json_fails_its_job_alone(result: dict[str, Any]) -> None:
    with runner(FakeStore(), lambda task: result if task.collection == "bad" else {}) as jobs:
        bad = jobs.submit("clustering", "bad", {})
        good = jobs.submit("clustering", "good", {})
        assert finished(jobs, good.id).state == "succeeded"
        ended = jobs.get(bad.id)
    assert ended.error is not None
    assert ended.error.code == "internal_error"


def test_jobs_run_one_at_a_time_in_the_order_of_their_submission() -> None:
    order: list[int] = []

    def note(task: Task) -> dict[str, Any]:
        order.append(task.parameters["i"])
        return {}

    with runner(FakeStore(), note, start=False) as jobs:
        ids = [jobs.submit("clustering", "c", {"i": i}).id for i in range(3)]
        jobs.start()
        assert all(finished(jobs, id).state == "succeeded" for id in ids)
        assert [job.id for job in jobs.recent()] == ids[::-1]
        assert [job.id for job in jobs.recent(limit=1)] == ids[2:]
        assert jobs.recent("another collection") == []
    assert order == [0, 1, 2]


def test_an_unknown_job_is_an_error() -> None:
    with runner(FakeStore(), Gate()) as jobs:
        with pytest.raises(UnknownJob, match="nope"):
            jobs.get("nope")
        with pytest.raises(UnknownJob, match="nope"):
            jobs.cancel("nope")


# -- cancelling


def test_a_queued_job_that_is_cancelled_never_runs() -> None:
    gate = Gate()
    with runner(FakeStore(), gate) as jobs:
        first = jobs.submit("clustering", "c", {})
        assert gate.reached.wait(30)
        second = jobs.submit("clustering", "c", {})
        assert jobs.cancel(second.id).state == "cancelled"
        gate.open.set()
        finished(jobs, first.id)
        third = jobs.submit("clustering", "c", {})
        finished(jobs, third.id)
        assert jobs.get(second.id).state == "cancelled"
    assert gate.runs == 2


def test_a_running_job_that_is_cancelled_stops_and_the_next_one_runs() -> None:
    gate = Gate()
    with runner(FakeStore(), gate) as jobs:
        first = jobs.submit("clustering", "c", {})
        assert gate.reached.wait(30)
        cancelled = jobs.cancel(first.id)
        assert cancelled.state == "cancelled"
        assert cancelled.progress.stage == "at the gate"
        second = jobs.submit("clustering", "c", {})
        until(lambda: gate.runs == 2, "the next job runs")
        gate.open.set()
        assert finished(jobs, second.id).state == "succeeded"
        assert jobs.get(first.id) == cancelled


def test_cancelling_ends_a_computation_and_the_next_job_computes() -> None:
    def compute(task: Task) -> dict[str, Any]:
        return task.compute(f"tests.fakes.jobs:{task.parameters['name']}", {})[1]

    with runner(FakeStore(), compute) as jobs:
        first = jobs.submit("clustering", "c", {"name": "never_ends"})
        until(lambda: jobs.get(first.id).progress.stage == "computing", "it computes")
        jobs.cancel(first.id)
        second = jobs.submit("clustering", "c", {"name": "tells_much"})
        ended = finished(jobs, second.id)
        assert jobs.get(first.id).state == "cancelled"
    assert ended.result == {"said": "much"}


def test_a_job_whose_computing_process_is_killed_fails_and_the_next_one_computes() -> None:
    def compute(task: Task) -> dict[str, Any]:
        return task.compute(f"tests.fakes.jobs:{task.parameters['name']}", {})[1]

    with runner(FakeStore(), compute) as jobs:
        first = jobs.submit("clustering", "c", {"name": "kills_itself"})
        ended = finished(jobs, first.id)
        assert ended.error is not None
        assert ended.error.code == "internal_error"
        assert "computing process died" in ended.error.detail
        second = jobs.submit("clustering", "c", {"name": "tells_much"})
        assert finished(jobs, second.id).state == "succeeded"


def test_a_job_cancelled_at_its_very_end_stays_cancelled() -> None:
    def cancelled_meanwhile(task: Task) -> dict[str, Any]:
        jobs.cancel(jobs.recent()[0].id)
        return {"done": True}

    with runner(FakeStore(), cancelled_meanwhile) as jobs:
        job = jobs.submit("clustering", "c", {})
        assert finished(jobs, job.id).state == "cancelled"
        until(lambda: jobs._running is None, "the runner is through with it")
        assert jobs.get(job.id).state == "cancelled"
        assert jobs.get(job.id).result is None


def succeed(task: Task) -> dict[str, Any]:
    return {}


def fail(task: Task) -> dict[str, Any]:
    raise ZeroDivisionError


@pytest.mark.parametrize("workflow", [succeed, fail])
def test_a_job_that_has_ended_cannot_be_cancelled(workflow: Any) -> None:
    with runner(FakeStore(), workflow) as jobs:
        ended = finished(jobs, jobs.submit("clustering", "c", {}).id)
        with pytest.raises(JobNotFinished, match=ended.state):
            jobs.cancel(ended.id)
        assert jobs.get(ended.id) == ended


def test_a_job_cannot_be_cancelled_twice() -> None:
    with runner(FakeStore(), Gate(), start=False) as jobs:
        job = jobs.submit("clustering", "c", {})
        jobs.cancel(job.id)
        with pytest.raises(JobNotFinished, match="cancelled already"):
            jobs.cancel(job.id)


# -- stopping and crashing


def test_stopping_puts_the_running_job_back_for_the_next_start() -> None:
    store, gate = FakeStore(), Gate()
    with runner(store, gate) as jobs:
        job = jobs.submit("clustering", "c", {})
        assert gate.reached.wait(30)
    waiting = Records(store).get(job.id)
    assert waiting.job.state == "queued"
    assert "service stopped" in waiting.job.progress.stage
    assert (waiting.owner, waiting.starts) == (None, 0), "an orderly stop is no failed start"
    gate.open.set()
    with runner(store, gate) as jobs:
        assert finished(jobs, job.id).state == "succeeded"


def test_a_cancelled_job_does_not_come_back_after_a_stop() -> None:
    store, gate = FakeStore(), Gate()
    with runner(store, gate) as jobs:
        job = jobs.submit("clustering", "c", {})
        assert gate.reached.wait(30)
        jobs.cancel(job.id)
    with runner(store, gate) as jobs:
        assert jobs.get(job.id).state == "cancelled"


def test_stopping_before_or_right_after_the_start_is_harmless() -> None:
    store, gate = FakeStore(), Gate()
    before = set(threading.enumerate())  # other services of this process may run on
    with runner(store, gate, start=False) as jobs:
        jobs.submit("clustering", "c", {})
    for _ in range(20):
        with runner(store, gate):
            pass
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("job")]
    assert Records(store).all()[0].job.state == "queued"


def test_jobs_left_by_a_dead_process_are_run_on_start() -> None:
    store = FakeStore()
    left_behind(store)
    with runner(store, Gate(), start=False) as jobs:
        queued = jobs.submit("clustering", "c", {"k": 3})
    with runner(store, lambda task: dict(task.parameters)) as jobs:
        assert finished(jobs, "left").result == {"k": 2}
        assert finished(jobs, queued.id).result == {"k": 3}


def test_a_job_that_kills_the_service_each_time_fails_in_the_end() -> None:
    store = FakeStore()
    left_behind(store, starts=MOST_STARTS)
    gate = Gate()
    with runner(store, gate) as jobs:
        ended = finished(jobs, "left")
    assert gate.runs == 0
    assert ended.error is not None
    assert f"begun {MOST_STARTS} times" in ended.error.detail


def test_a_job_waits_for_a_store_that_is_away_for_a_moment() -> None:
    store, runs = LeavingStore(), 0

    def loses_the_store(task: Task) -> dict[str, Any]:
        nonlocal runs
        runs += 1
        if runs == 1:
            store.away.set()
            raise StoreUnavailable("the store is away")
        return {"runs": runs}

    with runner(store, loses_the_store) as jobs:
        job = jobs.submit("clustering", "c", {})
        assert store.away.wait(30)
        until(lambda: jobs._running is None, "the job is given up for now")
        store.away.clear()
        assert finished(jobs, job.id).result == {"runs": 2}


def test_a_job_that_met_an_unavailable_store_is_run_again_and_has_not_failed() -> None:
    runs: list[str] = []

    def meets_it_once(task: Task) -> dict[str, Any]:
        runs.append(task.collection)
        if len(runs) == 1:
            raise StoreUnavailable("the store is away")
        return {}

    with runner(FakeStore(), meets_it_once) as jobs:
        ended = finished(jobs, jobs.submit("clustering", "c", {}).id)
    assert (ended.state, ended.error, len(runs)) == ("succeeded", None, 2)


def test_a_job_goes_on_while_its_progress_cannot_be_written() -> None:
    store = LeavingStore()

    def computes(task: Task) -> dict[str, Any]:
        store.away.set()
        for stage in ("one", "two", "three"):
            task.progress(stage, 0, None)
        store.away.clear()
        return {"done": True}

    with runner(store, computes) as jobs:
        job = jobs.submit("clustering", "c", {})
        until(lambda: not store.away.is_set(), "the store is back")
        assert finished(jobs, job.id).state == "succeeded"


def test_the_thread_survives_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    store, stumbled = FakeStore(), threading.Event()
    documents = store.documents

    def stumble(kind: str) -> list[tuple[str, dict[str, Any]]]:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("out of the blue")
        return documents(kind)

    monkeypatch.setattr(store, "documents", stumble)
    with runner(store, succeed) as jobs:
        assert stumbled.wait(30)
        assert finished(jobs, jobs.submit("clustering", "c", {}).id).state == "succeeded"


def test_the_oldest_finished_jobs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "KEPT", 2)
    store, gate = FakeStore(), Gate()
    left_behind(store, "oldest")
    gate.open.set()
    with runner(store, gate) as jobs:
        finished(jobs, "oldest")
        for _ in range(3):
            finished(jobs, jobs.submit("clustering", "c", {}).id)
        until(lambda: len(jobs.recent()) == 2, "two are kept")
        with pytest.raises(UnknownJob):
            jobs.get("oldest")
    assert store.documents("job-pulse") == []
