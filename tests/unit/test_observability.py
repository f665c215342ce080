"""The dashboard and the alert rules ask for series, and labels, that the service really has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from tests.fakes.metrics import Scrape, scrape
from tests.fakes.service import fake_service

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "lookalike.json").read_text())
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
OURS = re.compile(r"\b(?:lookalike|process)_\w+")
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
}
EVERYWHERE = {"job", "instance", "le"}
"""Labels that Prometheus gives to what it scrapes, and the one of all histograms."""


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression, with where it is."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard: {panel['title']}", target["expr"]
    for rule in ALERTS:
        yield f"alert: {rule['alert']}", rule["expr"]


@pytest.fixture(scope="module")
def told() -> tuple[Scrape, dict[str, set[str]]]:
    """A scrape of a service with a GPU, and the labels of each series."""
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 1,
        mem_get_info={0: (3, 8)}.__getitem__,
        memory_reserved={0: 4}.__getitem__,
    )
    with fake_service() as service, pytest.MonkeyPatch.context() as patch:
        context = service.client.app.state.context  # type: ignore[attr-defined] # a FastAPI
        context.encoders.get()
        patch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
        found = scrape(service.client)
        labels = {
            metric._name: set(metric._labelnames)
            for metric in vars(context.metrics).values()
            if isinstance(metric, MetricWrapperBase)
        }
    for name, family in found.families.items():
        for sample in family.samples:
            labels.setdefault(name, set()).update(sample.labels)
    labels["lookalike_stage_seconds"] = {"stage"}
    return found, labels


def series(found: Scrape) -> dict[str, str]:
    """The family of every series that can be asked for."""
    return {
        family.name + suffix: family.name
        for family in found.families.values()
        for suffix in SUFFIXES.get(family.type, ())
    }


def faults(expression: str, told: tuple[Scrape, dict[str, set[str]]]) -> list[str]:
    """Series that do not exist, and labels that theirs do not have."""
    known, labels = series(told[0]), told[1]
    without_strings = re.sub(r'"[^"]*"', '""', expression)
    asked = set(OURS.findall(without_strings))
    wrong = sorted(asked - known.keys())
    allowed = EVERYWHERE.union(*(labels.get(known.get(name, ""), set()) for name in asked))
    used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=(?!=))", without_strings))
    for group in re.findall(r"\b(?:by|ignoring|on)\s*\(([^)]*)\)", without_strings):
        used |= {label.strip() for label in group.split(",")}
    return wrong + sorted(used - allowed)


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_series_and_label_asked_for_exists(
    where: str, expression: str, told: tuple[Scrape, dict[str, set[str]]]
) -> None:
    assert faults(expression, told) == [], where


def test_a_series_or_label_that_does_not_exist_would_be_found(
    told: tuple[Scrape, dict[str, set[str]]],
) -> None:
    assert faults("rate(lookalike_no_such_total[5m])", told) == ["lookalike_no_such_total"]
    assert faults("lookalike_requests", told) == ["lookalike_requests"]
    assert faults('lookalike_ready{colour="red"}', told) == ["colour"]
    assert faults("sum by (colour) (lookalike_ready)", told) == ["colour"]


def test_every_series_of_ours_is_explained_in_the_manual(
    told: tuple[Scrape, dict[str, set[str]]],
) -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    ours = {name for name in told[0].families if name.startswith("lookalike_")}
    assert {name for name in ours if f"`{name}" not in manual} == set()


def test_every_alert_says_what_is_wrong_and_what_to_do_here_and_in_the_manual() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert f"`{rule['alert']}`" in manual


def test_panels_do_not_overlap_and_have_a_description() -> None:
    taken: dict[tuple[int, int], Any] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert panel["type"] == "row" or panel["description"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
        assert place["x"] + place["w"] <= 24


def data_sources(part: Any) -> Iterator[Any]:
    """Every data source that a part of the dashboard names."""
    if isinstance(part, dict):
        yield from [part["datasource"]] if "datasource" in part else []
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from data_sources(inner)


def test_the_dashboard_asks_the_prometheus_that_is_chosen_on_it() -> None:
    first = DASHBOARD["templating"]["list"][0]
    assert first["type"] == "datasource"
    chosen = {"type": first["query"], "uid": f"${{{first['name']}}}"}
    used = list(data_sources(DASHBOARD))
    asking = [panel for panel in DASHBOARD["panels"] if "targets" in panel]
    assert all(panel["datasource"] == chosen for panel in asking)
    assert used == [chosen] * len(used)


def test_every_alert_is_tested_to_fire_and_to_be_silent() -> None:
    _, sick = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    (fired,) = (each["exp_samples"] for each in sick["promql_expr_test"])
    assert [re.findall('"(.*)"', each["labels"])[0] for each in fired] == [
        rule["alert"] for rule in ALERTS
    ]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_alerts_pass_their_tests() -> None:
    command = ["promtool", "test", "rules", "alerts_test.yml"]
    subprocess.run(command, cwd=FOLDER, check=True)
