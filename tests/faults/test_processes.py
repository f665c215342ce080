"""The service's other processes die, its disk fills up, its model fails: it says so, and it recovers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from examples.demo.server import LiveService
from tests.fakes.encoder import POISON, FakeEncoder
from tests.fakes.jobs import until
from tests.faults.live import assert_unharmed, fragile_service
from tests.faults.serving import serving
from tests.pictures import encoded, jpeg

C = "/v1/collections/killed"
JPEG = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def http(fragile: LiveService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fragile.url, timeout=60) as client:
        assert client.put(C, json={}).status_code == 201
        assert added(client, *range(8)).status_code == 200
        yield client


def added(client: httpx.Client, *seeds: int, path: str = C) -> httpx.Response:
    files = [("images", jpeg(seed=seed)) for seed in seeds]
    ids = json.dumps([f"i{seed}" for seed in seeds])
    return client.post(f"{path}/images", files=files, data={"ids": ids})


def processes(service: LiveService, module: str) -> list[psutil.Process]:
    family = psutil.Process(service.process.pid).children(recursive=True)
    return [process for process in family if module in " ".join(process.cmdline())]


def test_a_killed_store_is_an_error_once_and_loses_nothing(
    fragile: LiveService, http: httpx.Client
) -> None:
    for _ in range(2):
        engines = processes(fragile, "engine_process")
        assert engines
        for engine in engines:
            engine.kill()
        psutil.wait_procs(engines, timeout=30)
        assert http.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200
        # The first call that needs it finds it dead; repeated, as Retry-After says, it succeeds.
        answer = http.post(f"{C}/search", json={"id": "i1"})
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert len(http.post(f"{C}/search", json={"id": "i1", "limit": 9}).json()["hits"]) == 7
        assert http.get("/readyz").status_code == 200
    assert_unharmed(fragile)


def test_a_killed_computation_fails_its_job_alone(fragile: LiveService, http: httpx.Client) -> None:
    body = {"algorithm": "kmeans", "parameters": {"k": 2}}
    doomed = http.post(f"{C}/clusterings", json={"name": "doomed", **body}).json()["id"]
    until(lambda: bool(processes(fragile, "worker_process")), "the job computes")
    for worker in processes(fragile, "worker_process"):
        worker.kill()
    assert ended(http, doomed) in {"failed", "succeeded"}  # it may have been through already
    following = http.post(f"{C}/clusterings", json={"name": "next", **body}).json()["id"]
    assert ended(http, following) == "succeeded"
    assert http.get("/readyz").status_code == 200


def ended(http: httpx.Client, job: str) -> str:
    def state() -> str:
        found: str = http.get(f"/v1/jobs/{job}").json()["state"]
        return found

    until(lambda: state() not in {"queued", "running"}, "the job ends")
    return state()


class Failing(FakeEncoder):
    """Raises in every pass while `error` is set, as a device that was lost would."""

    error: Exception | None = None

    def encode(self, *arguments: object, **options: object) -> object:  # type: ignore[override] # passed on
        if self.error is not None:
            raise self.error
        return super().encode(*arguments, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        ValueError("anything"),
    ],
)
def test_a_model_that_fails_on_every_pass_is_not_ready_until_it_is_well(error: Exception) -> None:
    encoder = Failing()
    with serving(encoder) as service, httpx.Client(base_url=service.url) as http:
        encoder.error = error
        answer = http.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert (answer.status_code, answer.json()["code"]) == (500, "encoder_failed")
        assert "Traceback" not in answer.text
        assert http.get("/readyz").status_code == 503
        assert http.get("/v1/collections").status_code == 200
        encoder.error = None
        assert http.get("/readyz").status_code == 200
        assert http.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200


def test_an_image_that_breaks_every_pass_fails_alone() -> None:
    poison = encoded(np.broadcast_to(POISON, (40, 40, 3)).copy(), "png")
    with serving() as service, httpx.Client(base_url=service.url) as http:
        files = [("images", jpeg(seed=i)) for i in range(6)]
        wanted = http.post("/v1/embed", files=files).json()["items"]
        poisoned = http.post("/v1/embed", files=[*files, ("images", poison)]).json()["items"]
        assert poisoned[:6] == wanted
        assert poisoned[6]["error"]["code"] == "encoder_failed"
        assert http.get("/readyz").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or mounted("-t", "tmpfs", "-o", "size=160m", "tmpfs", folder) != 0:
        pytest.skip("only root can mount a small file system, and not in every container")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def mounted(*arguments: str | Path) -> int:
    return subprocess.run(
        ["/bin/mount", *map(str, arguments)], capture_output=True, check=False
    ).returncode


def test_a_full_disk_refuses_writes_and_takes_them_again_when_there_is_room(
    small_disk: Path,
) -> None:
    with (
        fragile_service(small_disk) as service,
        httpx.Client(base_url=service.url, timeout=60) as http,
    ):
        assert http.put(C, json={}).status_code == 201
        assert added(http, *range(8)).status_code == 200
        filler = small_disk / "filler"
        fill(filler)
        refused = added(http, 9)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert len(http.post(f"{C}/search", json={"id": "i1", "limit": 9}).json()["hits"]) == 7
        assert http.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200
        assert http.get("/readyz").status_code == 200  # reading and embedding succeed
        filler.unlink()
        assert added(http, 9).status_code == 200
        assert http.get(C).json()["points"] == 9


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**20))


@pytest.mark.parametrize("hours", [-100_000, 100_000])
def test_a_clock_that_jumps_changes_no_answer(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    real = time.time
    with serving() as service, httpx.Client(base_url=service.url, timeout=30) as http:
        assert http.put(C, json={}).status_code == 201
        assert added(http, 0, 1, 2).status_code == 200
        monkeypatch.setattr(time, "time", lambda: max(0.0, real() + 3600 * hours))
        assert http.get("/readyz").status_code == 200
        assert added(http, 3).json()["items"][0]["status"] == "created"
        assert len(http.post(f"{C}/search", json={"id": "i1", "limit": 9}).json()["hits"]) == 3
        body = {"name": "two", "algorithm": "kmeans", "parameters": {"k": 9}}
        refused = http.post(f"{C}/clusterings", json=body)
        assert refused.json()["code"] == "invalid_parameters", refused.text
        assert http.get("/metrics").status_code == 200
