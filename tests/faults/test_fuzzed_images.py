"""Broken files, sent to a live service: each is answered, as documented, and spoils nobody's answer.

LOOKALIKE_FUZZ_CASES says how many; 5,000 take a minute or two. Case i is the same on every run.
"""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest

from examples.demo.server import LiveService
from lookalike_service.errors import ImageError, all_errors
from tests.faults.live import PATIENCE, assert_unharmed
from tests.faults.mutations import MUTATIONS
from tests.faults.sound_files import sound_files

CASES = int(os.environ.get("LOOKALIKE_FUZZ_CASES", "400"))
AT_ONCE = 6
STATUS = {e.code: e.status for e in all_errors() if issubclass(e, ImageError)}
JPEG = {"content-type": "image/jpeg"}


@dataclass(frozen=True)
class Case:
    """A broken file, how it came to be, and how it is sent."""

    name: str
    data: bytes
    sending: str
    beside: tuple[str, ...]
    """Sound files in the same request; the broken one stands among them at `place`."""
    place: int


def case(number: int) -> Case:
    draw = random.Random(number)  # noqa: S311 - reproducible
    sound = sound_files()
    kind = draw.choice(list(sound))
    data, name = sound[kind], f"case {number}: {kind}"
    for mutation in draw.choices(MUTATIONS, k=draw.choice((1, 1, 2, 3))):
        data, name = mutation(data, draw), f"{name}, {mutation.__name__}"
    sending = draw.choice(("raw", "multipart", "json", "batch", "json batch"))
    beside = tuple(draw.choices(list(sound), k=draw.randint(1, 3))) if "batch" in sending else ()
    return Case(name, data, sending, beside, draw.randint(0, len(beside)))


@pytest.fixture(scope="module")
def http(fragile: LiveService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fragile.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def alone(http: httpx.Client) -> dict[str, list[float]]:
    """The embedding of every sound file when it is the only one that the service has to do."""
    answers = {
        name: http.post("/v1/embed", content=data, headers=JPEG)
        for name, data in sound_files().items()
    }
    assert {name: answer.text for name, answer in answers.items() if not answer.is_success} == {}
    return {name: answer.json()["items"][0]["embedding"] for name, answer in answers.items()}


def test_broken_files_fail_alone_and_the_service_goes_on(
    fragile: LiveService, http: httpx.Client, alone: dict[str, list[float]]
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda number: sent(http, case(number), alone), range(CASES)))
    assert_unharmed(fragile)
    # Otherwise the fuzzer would break too little, or so much that no decoder is reached.
    refused = [code for code in codes if code is not None]
    assert 0.3 < len(refused) / CASES < 0.95
    assert {"truncated_image", "corrupt_image", "unsupported_image"} <= set(refused)


def sent(http: httpx.Client, case: Case, alone: dict[str, list[float]]) -> str | None:
    """The code that the broken file was answered with, None if it could be embedded after all."""
    answer = http.request("POST", "/v1/embed", **request(case))
    if not case.beside:
        return judged_alone(case, answer)
    assert answer.status_code == 200, f"{case.name}: {answer.text}"
    items = answer.json()["items"]
    mine = items.pop(case.place)
    assert [item["embedding"] for item in items] == [alone[name] for name in case.beside], case.name
    if "error" in mine:
        return judged(case, mine["error"])
    assert_embedding(case, mine["embedding"])
    return None


def request(case: Case) -> dict[str, Any]:
    files = [sound_files()[name] for name in case.beside]
    files.insert(case.place, case.data)
    if case.sending == "raw":
        return {"content": case.data, "headers": JPEG}
    if "json" in case.sending:
        images = [{"base64": base64.b64encode(data).decode()} for data in files]
        return {"json": {"images": images}}
    return {"files": [("images", ("name", data)) for data in files]}


def judged_alone(case: Case, answer: httpx.Response) -> str | None:
    if answer.status_code == 200:
        assert_embedding(case, answer.json()["items"][0]["embedding"])
        return None
    assert answer.headers["content-type"] == "application/problem+json", case.name
    problem = answer.json()
    code = judged(case, problem)
    assert answer.status_code == problem["status"] == STATUS[code], case.name
    return code


def judged(case: Case, error: dict[str, str]) -> str:
    assert error["code"] in STATUS, f"{case.name}: {json.dumps(error)}"
    assert 10 < len(error["detail"]) < 300, f"{case.name}: {error['detail']}"
    assert " at 0x" not in error["detail"], f"{case.name}: {error['detail']}"
    return error["code"]


def assert_embedding(case: Case, embedding: list[float]) -> None:
    """Of unit length, or zero, as the pixel encoder has it for a picture of one colour."""
    norm = float(np.linalg.norm(embedding))
    assert norm == 0 or abs(norm - 1) < 1e-5, f"{case.name}: {norm}"
