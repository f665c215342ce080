"""Files made to be costly are refused, or embedded like any other, and cost their neighbours nothing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from examples.demo.server import LiveService
from tests.faults.hostile_files import hostile_files
from tests.faults.live import PATIENCE, assert_unharmed
from tests.pictures import jpeg


@pytest.fixture(scope="module")
def service(fragile: LiveService) -> Iterator[LiveService]:
    yield fragile
    assert_unharmed(fragile)


@pytest.mark.parametrize("name", hostile_files())
def test_a_costly_file_is_answered_and_its_neighbour_is_embedded_as_ever(
    service: LiveService, name: str
) -> None:
    data, code = hostile_files()[name]
    sound = jpeg()
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as http:
        wanted = http.post("/v1/embed", files=[("images", sound)]).json()["items"][0]["embedding"]
        answer = http.post("/v1/embed", files=[("images", sound), ("images", data)])
        assert answer.status_code == 200, answer.text
        neighbour, item = answer.json()["items"]
    assert neighbour["embedding"] == wanted
    assert item.get("error", {}).get("code") == code, item
