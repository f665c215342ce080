"""What a scrape of /metrics says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

Labels = frozenset[tuple[str, str]]


class Scrape:
    """Families and samples of one exposition."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The sample of exactly these labels; 0 before its first event."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)


def scrape(client: TestClient) -> Scrape:
    """Read /metrics."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return Scrape(response.text)
