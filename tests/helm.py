"""The Helm chart's ways to be installed, and what it renders for each."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.gotemplate import Renderer

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "lookalike"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
META = yaml.safe_load((CHART / "Chart.yaml").read_text())
SERVER = {"qdrant": {"url": "http://qdrant:6333", "existingSecret": "qdrant-key"}}
KEYS = {"apiKeys": {"existingSecret": "lookalike-keys"}}
WAYS: dict[str, dict[str, Any]] = {
    "one pod, open": {"open": True},
    "one pod with keys": KEYS,
    "its own volumes": {
        "open": True,
        "persistence": {"existingClaim": "mine", "storageClass": "fast"},
        "cache": {"existingClaim": "weights"},
    },
    "behind a load balancer": {"open": True, "settings": {"DRAIN_SECONDS": "7.5"}},
    "storage class": {"open": True, "persistence": {"storageClass": "fast", "size": "1Ti"}},
    "three on a server": KEYS
    | SERVER
    | {"replicas": 3, "models": ["timm:resnet50", "pixels:8x8-grey"]},
    "training on a server": KEYS
    | SERVER
    | {"replicas": 2, "persistence": {"existingClaim": "shared"}},
    "scaled": KEYS | SERVER | {"autoscaling": {"enabled": True}},
    "on a GPU": {
        "open": True,
        "gpu": {"count": 1},
        "nodeSelector": {"nvidia.com/gpu.present": "true"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "priorityClassName": "high",
    },
    "watched": KEYS
    | {
        "monitoring": {
            "serviceMonitor": {"enabled": True, "keySecret": "reader", "labels": {"team": "a"}},
            "prometheusRule": {"enabled": True},
            "dashboard": {"enabled": True},
        },
        "tracing": {"endpoint": "http://collector:4318"},
    },
    "fenced in": KEYS
    | SERVER
    | {
        "networkPolicy": {
            "enabled": True,
            "from": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
            "to": [{"ports": [{"port": 4318}]}],
        },
        "podLabels": {"a": "b"},
        "podAnnotations": {"c": "d"},
        "imagePullSecrets": [{"name": "registry"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "affinity": {"podAntiAffinity": {}},
        "service": {"annotations": {"e": "f"}, "type": "LoadBalancer"},
    },
}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: mappings deeply."""
    result = copy.deepcopy(dict(base))
    for key, value in over.items():
        deep = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if deep else value
    return result


class Files:
    """The chart's files, as `.Files` has them."""

    @staticmethod
    def Get(name: str) -> str:  # noqa: N802 - Helm's name
        return (CHART / name).read_text()


def rendered(over: Mapping[str, Any], release: str = "demo") -> list[dict[str, Any]]:
    """The documents. Raises Refused, and jsonschema's error for values that the schema forbids."""
    values = merged(VALUES, over)
    jsonschema.validate(values, SCHEMA)
    data = {
        "Values": values,
        "Chart": {
            "Name": META["name"],
            "Version": META["version"],
            "AppVersion": META["appVersion"],
        },
        "Release": {"Name": release, "Namespace": "default", "Service": "Helm"},
        "Files": Files,
    }
    sources = {path.name: path.read_text() for path in sorted((CHART / "templates").iterdir())}
    renderer = Renderer(sources, data)
    texts = [renderer.render(name) for name in sources if name.endswith(".yaml")]
    renderer.render("NOTES.txt")
    return [each for text in texts for each in yaml.safe_load_all(text) if each]
