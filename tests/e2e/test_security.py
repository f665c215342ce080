"""The service as it is run: no port but its own, no answer without a key once there are keys."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from examples.demo.server import COMMAND, LiveService, free_port
from lookalike import Lookalike
from lookalike import errors as sdk
from tests.e2e.live import live_service
from tests.pictures import jpeg


def listening(pid: int) -> set[tuple[str, int]]:
    """Every address that a process or one of its descendants listens on."""
    process = psutil.Process(pid)
    return {
        (connection.laddr.ip, connection.laddr.port)
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN or not connection.raddr
    }


def test_lookalike_serve_listens_on_its_own_port_alone(shared_service: LiveService) -> None:
    """BentoML's process manager would open two more, through which programs can be started."""
    with Lookalike(shared_service.url) as client:
        collection = client.create_collection("ports")
        collection.add([jpeg(seed=seed) for seed in range(3)])
        collection.cluster("kmeans", {"k": 2}).wait(timeout=120)
    found = listening(shared_service.process.pid)
    assert found == {("127.0.0.1", shared_service.port)}


def test_answers_do_not_say_which_server_sent_them(shared_service: LiveService) -> None:
    for path in ("/livez", "/v1/info", "/nowhere"):
        answer = httpx.get(shared_service.url + path)
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


def lookalike(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - it is refused
def test_without_keys_it_does_not_listen_where_others_reach_it(tmp_path: Path, host: str) -> None:
    port = free_port()
    data = tmp_path / "data"
    ran = lookalike("serve", "--host", host, "--port", str(port), LOOKALIKE_DATA=str(data))
    assert ran.returncode == 2
    assert "lookalike keys new" in ran.stderr
    assert "--open" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not data.exists(), "it stopped before it did anything"


def test_a_broken_file_of_keys_stops_the_start_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("[{}]")
    ran = lookalike("serve", LOOKALIKE_API_KEYS_FILE=str(file), LOOKALIKE_DATA=str(tmp_path / "d"))
    assert ran.returncode == 2
    assert f"{file}: 0.sha256" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_keys_are_made_used_and_revoked_while_the_service_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    monkeypatch.setenv("LOOKALIKE_API_KEYS_FILE", str(file))
    made = lookalike("keys", "new", "--role", "admin", "--name", "ops")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key not in file.read_text()
    with live_service(tmp_path) as service:
        with Lookalike(service.url) as nobody, pytest.raises(sdk.Unauthorized):
            nobody.collections()
        with Lookalike(service.url, key) as ops:
            ops.create_collection("shop-eu")
        shop = lookalike(
            "keys", "new", "--role", "write", "--collection", "shop-*", "--name", "shop"
        )
        with Lookalike(service.url, shop.stdout.strip(), retries=0) as client:
            _until_known(client)
            assert client.collection("shop-eu").add([jpeg()]).created == 1
            with pytest.raises(sdk.Forbidden, match="shop-"):
                client.collection("other").describe()
            listed = lookalike("keys", "list")
            assert listed.stdout.splitlines()[1].split("\t")[:3] == ["shop", "write", "shop-*"]
            assert lookalike("keys", "revoke", "shop").returncode == 0
            _until_unknown(client)
        assert lookalike("keys", "revoke", "shop").returncode == 1
        assert key not in service.log.read_text()


def _until_known(client: Lookalike) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.collections()
        except sdk.Unauthorized:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the new key is not known")


def _until_unknown(client: Lookalike) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.collections()
        except sdk.Unauthorized:
            return
        time.sleep(0.1)
    raise AssertionError("the revoked key is still known")
