"""The Helm chart, rendered: valid manifests for every way to install it, and refusals for what cannot work.

Where `helm` is installed it lints the chart and must render the same documents.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from lookalike_service.settings import Settings
from tests.gotemplate import Refused
from tests.helm import CHART, KEYS, META, ROOT, SCHEMA, VALUES, WAYS, merged, rendered

KUBERNETES = "1.29"
OPERATORS = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, which Kubernetes does not know."""
FIXED = {"PORT", "DATA", "CACHE", "API_KEYS"}
"""Settings that the chart leaves alone, because its probes, volumes and Secret fit to them."""


def kind(documents: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    (found,) = (each for each in documents if each["kind"] == wanted)
    return found


def pod(documents: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = kind(documents, "Deployment")["spec"]["template"]["spec"]
    return spec


def environment(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["name"]: each for each in pod(documents)["containers"][0]["env"]}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_install_it_gives_valid_manifests(way: str) -> None:
    documents = rendered(WAYS[way])
    assert {"Deployment", "Service", "ServiceAccount"} <= {each["kind"] for each in documents}
    for document in documents:
        if document["kind"] not in OPERATORS:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        assert document["metadata"]["name"].startswith("demo-lookalike")
    names = [(each["kind"], each["metadata"]["name"]) for each in documents]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("way", WAYS)
def test_the_pod_can_do_nothing_but_serve(way: str) -> None:
    spec = pod(rendered(WAYS[way]))
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"--uid {spec['securityContext']['runAsUser']} " in dockerfile
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted - {"/etc/lookalike/keys"} == {"/tmp", *written(dockerfile)}  # noqa: S108 - in the image
    assert {each["name"] for each in container["volumeMounts"]} == {
        v["name"] for v in spec["volumes"]
    }


def written(dockerfile: str) -> list[str]:
    """The folders that the image declares to be written to."""
    (folders,) = re.findall(r"^VOLUME (.*)$", dockerfile, re.MULTILINE)
    found: list[str] = json.loads(folders)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_every_setting_in_the_pod_is_one_of_the_service(way: str) -> None:
    known = {f"LOOKALIKE_{name.upper()}" for name in Settings.model_fields}
    names = [name for name in environment(rendered(WAYS[way])) if name.startswith("LOOKALIKE_")]
    assert set(names) <= known
    assert len(names) == len(set(names))


def test_settings_may_be_all_of_the_service_but_those_of_the_chart_itself() -> None:
    known, own = {name.upper() for name in Settings.model_fields}, set(FIXED)
    for over in WAYS.values():
        given = {f"LOOKALIKE_{name}" for name in merged(VALUES, over)["settings"]}
        own |= {
            name.removeprefix("LOOKALIKE_") for name in environment(rendered(over)).keys() - given
        }
    assert {"HOST", "OPEN", "API_KEYS_FILE", "MODEL", "QDRANT_URL"} <= own
    assert set(SCHEMA["properties"]["settings"]["propertyNames"]["enum"]) == known - own


@pytest.mark.parametrize(
    ("way", "seconds"), [("one pod, open", 65), ("behind a load balancer", 73)]
)
def test_a_pod_has_the_time_to_hear_of_its_end_to_drain_and_to_answer(
    way: str, seconds: int
) -> None:
    spec = pod(rendered(WAYS[way]))
    assert spec["terminationGracePeriodSeconds"] == seconds
    asleep = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert asleep == ["sleep", "5"]


def test_probes_and_service_reach_the_port_by_name() -> None:
    documents = rendered(WAYS["one pod, open"])
    (container,) = pod(documents)["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": Settings().port}]
    paths = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert {probe["port"] for probe in paths.values()} == {"http"}
    assert [paths[name]["path"] for name in paths] == ["/livez", "/livez", "/readyz"]
    service = kind(documents, "Service")["spec"]
    assert service["ports"][0]["targetPort"] == "http"
    labels = kind(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()


def test_one_pod_has_the_volume_and_is_replaced_only_once_it_is_gone() -> None:
    documents = rendered(WAYS["one pod, open"])
    assert kind(documents, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    claim = kind(documents, "PersistentVolumeClaim")
    data = next(volume for volume in pod(documents)["volumes"] if volume["name"] == "data")
    assert data["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_several_pods_share_a_server_and_are_replaced_one_by_one() -> None:
    documents = rendered(WAYS["three on a server"])
    deployment = kind(documents, "Deployment")["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert kind(documents, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "PersistentVolumeClaim" not in {each["kind"] for each in documents}
    found = environment(documents)
    assert found["LOOKALIKE_QDRANT_URL"]["value"] == "http://qdrant:6333"
    secret = found["LOOKALIKE_QDRANT_API_KEY"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "qdrant-key", "key": "api-key"}
    offered = Settings(models=tuple(json.loads(found["LOOKALIKE_MODELS"]["value"]))).models
    assert offered == ("timm:resnet50", "pixels:8x8-grey")


def test_models_trained_beside_a_server_are_kept_where_a_volume_is_given() -> None:
    for way, source in (
        ("three on a server", {"emptyDir": {}}),
        ("training on a server", {"persistentVolumeClaim": {"claimName": "shared"}}),
    ):
        (data,) = (each for each in pod(rendered(WAYS[way]))["volumes"] if each["name"] == "data")
        assert data == {"name": "data", **source}


def test_it_scales_by_a_metric_that_the_service_has() -> None:
    documents = rendered(WAYS["scaled"])
    assert "replicas" not in kind(documents, "Deployment")["spec"]
    (metric,) = kind(documents, "HorizontalPodAutoscaler")["spec"]["metrics"]
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert f"`{metric['pods']['metric']['name']}`" in manual


def test_a_gpu_is_asked_for_by_count() -> None:
    limits = pod(rendered(WAYS["on a GPU"]))["containers"][0]["resources"]["limits"]
    assert limits == {"memory": "6Gi", "nvidia.com/gpu": 1}


def test_keys_come_from_a_secret_and_open_is_said_aloud() -> None:
    keyed, opened = environment(rendered(KEYS)), environment(rendered({"open": True}))
    assert keyed["LOOKALIKE_API_KEYS_FILE"]["value"] == "/etc/lookalike/keys/keys.json"
    assert "LOOKALIKE_OPEN" not in keyed
    assert opened["LOOKALIKE_OPEN"]["value"] == "true"


def test_prometheus_gets_the_alert_rules_and_grafana_the_dashboard() -> None:
    documents = rendered(WAYS["watched"])
    folder = ROOT / "deploy" / "observability"
    rules = yaml.safe_load((folder / "alerts.yml").read_text())
    assert kind(documents, "PrometheusRule")["spec"] == rules
    dashboard = kind(documents, "ConfigMap")["data"]["lookalike.json"]
    file = folder / "grafana" / "dashboards" / "lookalike.json"
    assert json.loads(dashboard) == json.loads(file.read_text())
    monitor = kind(documents, "ServiceMonitor")["spec"]
    jobs = set(re.findall(r'job="(\w+)"', json.dumps(rules).replace("\\", "")))
    assert jobs == {kind(documents, "Service")["metadata"]["labels"][monitor["jobLabel"]]}
    (endpoint,) = monitor["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "reader", "key": "key"}


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({}, "Who may call?"),
        ({"open": True, "replicas": 2}, "set qdrant.url, or replicas to 1"),
        ({"open": True, "autoscaling": {"enabled": True}}, "set qdrant.url"),
        (KEYS | {"monitoring": {"serviceMonitor": {"enabled": True}}}, "keySecret"),
    ],
)
def test_what_would_not_work_is_refused_with_what_to_do(over: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        rendered(over)


@pytest.mark.parametrize(
    "over",
    [
        {"replica": 2},
        {"replicas": 0},
        {"qdrant": {"url": "qdrant:6333"}},
        {"settings": {"MAX_QUEUE": 512}},
        {"settings": {"max_queue": "512"}},
        {"settings": {"MAX_QUEU": "8080"}},
        {"settings": {"PORT": "8080"}},
        {"settings": {"DRAIN_SECONDS": "a while"}},
        {"persistence": {"size": "lots"}},
        {"service": {"type": "Ingress"}},
    ],
)
def test_values_that_are_misspelt_or_of_the_wrong_type_are_refused(over: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        rendered({"open": True, **over})


def test_names_stay_within_what_kubernetes_allows() -> None:
    documents = rendered({"open": True}, release="r" * 53)
    assert all(len(each["metadata"]["name"]) <= 63 for each in documents)
    same = rendered({"open": True}, release="lookalike")
    assert kind(same, "Deployment")["metadata"]["name"] == "lookalike"


def test_the_chart_is_of_the_version_of_the_service_and_of_the_images_elsewhere() -> None:
    from lookalike_service import __version__

    assert META["appVersion"] == META["version"] == __version__
    image = f"{VALUES['image']['repository']}:{META['appVersion']}"
    assert f"image: {image}\n" in (ROOT / "docker-compose.yml").read_text()


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed")
def test_helm_finds_no_fault_and_renders_the_same(tmp_path: Path) -> None:
    def helm(*arguments: str) -> str:
        command = ["helm", *arguments, str(CHART), "--values", str(values)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    values = tmp_path / "values.yaml"
    for way, over in WAYS.items():
        values.write_text(yaml.safe_dump(over))
        helm("lint", "--strict")
        theirs = [each for each in yaml.safe_load_all(helm("template", "demo")) if each]
        assert in_order(theirs) == in_order(rendered(over)), way


def in_order(documents: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(document, sort_keys=True) for document in documents)
