"""The examples' Docker Compose files and Kubernetes manifests keep to their schemas and fit together."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from lookalike_service.access.exposure import check_address
from lookalike_service.settings import Settings
from tests.compose import ROOT, compose_file

EXAMPLES = {"shop": 8000, "photos": 8001}
KUBERNETES = "1.29"  # the first with sidecars on by default
COMPOSE_FILES = [
    "docker-compose.yml",
    *(f"examples/{name}/docker-compose.yml" for name in EXAMPLES),
]
IMAGE_HOST = re.findall(r"LOOKALIKE_HOST=(\S+)", (ROOT / "Dockerfile").read_text())[0]


def compose(name: str) -> Any:
    return compose_file(f"examples/{name}/docker-compose.yml")


@pytest.fixture(scope="module")
def compose_schema() -> Any:
    """The Compose Specification's, as check-jsonschema brings it along."""
    schemas = resources.files("check_jsonschema.builtin_schemas.vendor")
    return json.loads((schemas / "compose-spec.json").read_text())


@pytest.mark.parametrize("path", COMPOSE_FILES)
def test_compose_files_keep_to_the_schema_of_compose(path: str, compose_schema: Any) -> None:
    jsonschema.validate(compose_file(path), compose_schema)


def test_the_compose_schema_would_find_a_wrong_field(compose_schema: Any) -> None:
    wrong = compose("shop")
    wrong["services"]["shop"]["port"] = 1
    with pytest.raises(jsonschema.ValidationError, match="port"):
        jsonschema.validate(wrong, compose_schema)


def manifests(name: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "examples" / name / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def containers(name: str) -> dict[str, Any]:
    pod = manifests(name)["Deployment"]["spec"]["template"]["spec"]
    return {each["name"]: each for each in [*pod["initContainers"], *pod["containers"]]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_manifests_keep_to_the_schema_of_kubernetes(name: str) -> None:
    found = manifests(name)
    assert set(found) == {"PersistentVolumeClaim", "Deployment", "Service"}
    for manifest in found.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_schema_would_find_a_wrong_field() -> None:
    wrong = manifests("shop")["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["port"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize(("name", "port"), EXAMPLES.items())
def test_the_pod_runs_the_service_as_a_sidecar_that_the_app_reaches(name: str, port: int) -> None:
    found, pod = manifests(name), containers(name)
    spec = found["Deployment"]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == spec["selector"]["matchLabels"]
    sidecar, app = pod["lookalike"], pod[name]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["ports"][0]["containerPort"] == Settings().port
    own = {entry["name"]: entry["value"] for entry in sidecar["env"]}
    check_address(Settings(host=own["LOOKALIKE_HOST"]), has_keys=False)
    environment = {entry["name"]: entry["value"] for entry in app["env"]}
    assert environment["LOOKALIKE_URL"] == f"http://127.0.0.1:{Settings().port}"
    assert app["ports"][0]["containerPort"] == port
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == app["ports"][0]["name"]
    for container in pod.values():
        ports = {each["name"] for each in container["ports"]}
        probes = [probe for key, probe in container.items() if key.endswith("Probe")]
        assert len(probes) == 2
        if container is sidecar:
            assert all("127.0.0.1:3000/livez" in probe["exec"]["command"][2] for probe in probes)
        else:
            assert {probe["httpGet"]["port"] for probe in probes} <= ports
    claim = spec["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == found["PersistentVolumeClaim"]["metadata"]["name"]


@pytest.mark.parametrize(("name", "port"), EXAMPLES.items())
def test_compose_and_the_pod_are_of_the_same_images_and_ports(name: str, port: int) -> None:
    services, pod = compose(name)["services"], containers(name)
    assert set(services) == set(pod) == {name, "lookalike"}
    for service, described in services.items():
        assert described["image"] == pod[service]["image"]
        for volume in described["volumes"]:
            assert volume.partition(":")[0] in compose(name)["volumes"]
    assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert "ports" not in services["lookalike"]
    assert services[name]["environment"]["LOOKALIKE_URL"] == f"http://lookalike:{Settings().port}"
    assert f"image: {services['lookalike']['image']}" in (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize("path", COMPOSE_FILES)
def test_the_service_starts_in_its_container_without_keys_where_others_do_not_reach_it(
    path: str,
) -> None:
    lookalike = compose_file(path)["services"]["lookalike"]
    check_address(
        Settings(host=IMAGE_HOST, open=lookalike["environment"]["LOOKALIKE_OPEN"]), has_keys=False
    )
    assert all(port.startswith("127.0.0.1:") for port in lookalike.get("ports", []))


@pytest.mark.parametrize(("name", "port"), EXAMPLES.items())
def test_what_the_image_copies_is_there_and_is_run(name: str, port: int) -> None:
    build = compose(name)["services"][name]["build"]
    folder = ROOT / "examples" / name
    assert (folder / build["context"]).resolve() == ROOT
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] not in ignored
    assert f'"{port}"' in dockerfile
    user = int(re.findall(r"--uid (\d+)", dockerfile)[0])
    assert user == containers(name)[name]["securityContext"]["runAsUser"]
    service_user = int(re.findall(r"--uid (\d+)", (ROOT / "Dockerfile").read_text())[0])
    assert service_user == containers(name)["lookalike"]["securityContext"]["runAsUser"]
