"""Containers run without rights, write where they must and nowhere else, and are reached from here alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lookalike_service.access.keyring import open_keyring
from lookalike_service.api.browsers import Browsers
from lookalike_service.errors import Forbidden, InvalidField
from lookalike_service.settings import Settings
from tests.compose import ROOT, compose_file
from tests.unit.test_example_manifests import COMPOSE_FILES, EXAMPLES, containers, manifests

DOCKERFILE = (ROOT / "Dockerfile").read_text()
MANUAL = (ROOT / "docs" / "operations.md").read_text()
WRITTEN = {"/data", "/cache", "/tmp"}  # noqa: S108 - in containers


def services() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every service of every Compose file that is no variant of another: its file, name and description."""
    for path in COMPOSE_FILES:
        for name, service in compose_file(path)["services"].items():
            if "extends" not in service:
                yield path, name, service


def environment() -> dict[str, str]:
    """The variables of the image."""
    final = DOCKERFILE.rpartition("FROM ")[2]
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", final, re.MULTILINE)
    assert block
    return dict(pair.split("=", 1) for pair in block[1].replace("\\\n", " ").split())


@pytest.mark.parametrize(("path", "name", "service"), services())
def test_a_container_has_no_rights_and_a_read_only_file_system(
    path: str, name: str, service: dict[str, Any]
) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name != "qdrant")
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize(("path", "name", "service"), services())
def test_ports_are_this_machines_images_are_pinned_and_volumes_declared(
    path: str, name: str, service: dict[str, Any]
) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    declared = compose_file(path)["volumes"]
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert ((ROOT / path).parent / source).exists(), source
            assert volume.endswith(":ro")
        else:
            assert source in declared


def let_in() -> dict[str, str]:
    """The variables of the manual's example of letting others in."""
    found = re.findall(r"^    (LOOKALIKE_\w+)='?(.*?)'?$", MANUAL, re.MULTILINE)
    return {name: value.replace("…", "0" * 64) for name, value in found}


def given_to(service: dict[str, Any]) -> Settings:
    """The settings about access that a Compose file gives to the service."""
    found = service["environment"]
    return Settings(
        api_keys=found["LOOKALIKE_API_KEYS"],
        hosts=tuple(json.loads(found["LOOKALIKE_HOSTS"])),
        open=found["LOOKALIKE_OPEN"],
    )


def test_others_are_let_in_as_the_manual_says() -> None:
    services = compose_file("docker-compose.yml", let_in())["services"]
    settings = given_to(services["lookalike"])
    assert open_keyring(settings) is not None
    browsers, info = Browsers(settings, has_keys=True), {"path": "/v1/info", "method": "GET"}
    for host in (b"search.example.com:3000", b"lookalike:3000", b"127.0.0.1:3000"):
        browsers.check(info, {b"host": host})
    with pytest.raises(Forbidden, match="LOOKALIKE_HOSTS"):
        browsers.check(info, {b"host": b"elsewhere.example.com"})
    assert services["lookalike"]["ports"] == ["0.0.0.0:3000:3000"]
    assert services["lookalike-gpu"]["ports"] == ["0.0.0.0:3001:3000"]


def test_the_compose_file_names_the_variables_of_the_manuals_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    named = re.findall(r"^    #   (LOOKALIKE_\w+)=", text, re.MULTILINE)
    assert named == list(let_in())
    assert f"'{let_in()['LOOKALIKE_HOSTS']}'" in text


def test_without_keys_the_service_starts_unless_it_is_published_to_others() -> None:
    service = compose_file("docker-compose.yml")["services"]["lookalike"]
    assert open_keyring(given_to(service)) is None
    published = {"LOOKALIKE_PUBLISH": "0.0.0.0"}  # noqa: S104 - what is to be refused
    service = compose_file("docker-compose.yml", published)["services"]["lookalike"]
    with pytest.raises(InvalidField, match="LOOKALIKE_API_KEYS"):
        open_keyring(given_to(service))


def stop_seconds() -> int:
    """The time that the manual asks for between the signal to stop and the kill."""
    return int(re.findall(r"Give the process (\d+) s\b", MANUAL)[0])


@pytest.mark.parametrize("path", COMPOSE_FILES)
def test_the_service_has_the_time_to_stop_that_the_manual_asks_for(path: str) -> None:
    service = compose_file(path)["services"]["lookalike"]
    assert service["stop_grace_period"] == f"{stop_seconds()}s"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pod_has_the_time_to_stop_that_the_manual_asks_for(name: str) -> None:
    spec = manifests(name)["Deployment"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == stop_seconds()


def test_the_service_on_gpus_is_this_machines_too() -> None:
    variant = compose_file("docker-compose.yml")["services"]["lookalike-gpu"]
    assert variant["ports"] == ["127.0.0.1:3001:3000"]


@pytest.mark.parametrize("path", COMPOSE_FILES)
def test_the_service_may_write_where_its_image_says_that_it_does(path: str) -> None:
    service = compose_file(path)["services"]["lookalike"]
    mounted = {volume.split(":")[1] for volume in service["volumes"]} | set(service["tmpfs"])
    assert mounted == WRITTEN


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pods_containers_have_no_rights_and_a_read_only_file_system(name: str) -> None:
    for container in containers(name).values():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
    mounts = containers(name)["lookalike"]["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts} == WRITTEN


def test_the_image_runs_as_a_numbered_user_who_owns_what_it_writes() -> None:
    final = DOCKERFILE.rpartition("FROM ")[2]
    user = re.search(r"^USER (\d+):(\d+)$", final, re.MULTILINE)
    assert user
    assert f"--uid {user[1]} lookalike" in final
    volumes = json.loads(re.findall(r"^VOLUME (.*)$", final, re.MULTILINE)[0])
    assert {*volumes, "/tmp"} == WRITTEN  # noqa: S108 - in the image
    assert f"chown lookalike:lookalike {' '.join(volumes)}" in final
    assert final.index("USER") < final.index("CMD")


def test_all_that_is_written_goes_to_those_folders() -> None:
    found = environment()
    known = {f"LOOKALIKE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in found if name.startswith("LOOKALIKE_")} <= known
    folders = [value for value in found.values() if value.startswith("/") and ":" not in value]
    assert len(folders) >= 6
    for folder in folders:
        assert "/" + folder.split("/")[1] in WRITTEN, folder
    assert "--home-dir /cache" in DOCKERFILE


def test_the_image_is_built_in_stages_with_pinned_packages_and_checks_its_health() -> None:
    assert DOCKERFILE.count("FROM python:${PYTHON}") == 2
    assert "--constraint constraints.txt" in DOCKERFILE
    health = re.search(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", DOCKERFILE)
    assert health
    compile(json.loads(health[1])[2], "health check", "exec")
    assert f":{Settings().port}/readyz" in health[1]


def test_the_image_installs_every_extra_that_serving_needs() -> None:
    command = re.search(r'RUN python -c "(.*?)" >', DOCKERFILE, re.DOTALL)
    assert command
    source = command[1].replace("\\\n", "")
    ran = [sys.executable, "-W", "ignore", "-c", source]
    printed = subprocess.run(ran, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {*project["dependencies"], *extras["service"], *extras["indexer"], *extras["otel"]}
    assert set(printed.splitlines()) == needed


def test_grafana_finds_what_the_profile_gives_it() -> None:
    found = compose_file("docker-compose.yml")["services"]
    grafana, prometheus = found["grafana"], found["prometheus"]
    folder = ROOT / "deploy" / "observability"
    providers = yaml.safe_load(
        (folder / "grafana/provisioning/dashboards/lookalike.yml").read_text()
    )["providers"]
    mounts = dict(volume.split(":")[1::-1] for volume in grafana["volumes"])
    assert mounts[providers[0]["options"]["path"]] == "./deploy/observability/grafana/dashboards"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / "grafana" / "dashboards" / Path(home).name).is_file()
    sources = folder / "grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(sources.read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    dashboard = json.loads((folder / "grafana/dashboards/lookalike.json").read_text())
    chosen = dashboard["templating"]["list"][0]
    assert (chosen["type"], chosen["query"]) == ("datasource", source["type"])
    assert chosen["current"] == {"text": source["name"], "value": source["uid"]}
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    files = {volume.split(":")[1] for volume in prometheus["volumes"]}
    assert set(config["rule_files"]) <= files
    targets = {
        target
        for scraped in config["scrape_configs"]
        for each in scraped["static_configs"]
        for target in each["targets"]
    }
    assert {target.partition(":")[0] for target in targets} <= set(found)
    assert f"lookalike:{Settings().port}" in targets
