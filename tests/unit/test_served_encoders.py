"""Several encoders in one service: loaded when asked for, unloaded when idle or over the budget."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import SpaceMismatch, UnknownModel, WeightsMissing
from tests.fakes.encoder import FakeEncoder

A, B, C = "pixels:8x8-grey", "pixels:16x16-grey", "pixels:32x32-grey"


class Loader:
    def __init__(self) -> None:
        self.loads: list[str] = []
        self.now = 0.0

    def __call__(self, spec: str) -> Encoder:
        self.loads.append(spec)
        encoder = FakeEncoder(spec)
        encoder.info = replace(encoder.info, memory_bytes=100)
        return encoder


@pytest.fixture
def load() -> Loader:
    return Loader()


def served(load: Loader, budget: int = 1000, idle: float = 60.0) -> ServedEncoders:
    return ServedEncoders(
        (A, B, C), load, budget_bytes=budget, idle_seconds=idle, clock=lambda: load.now
    )


def loaded(encoders: ServedEncoders) -> set[str]:
    return {spec for spec, encoder in encoders if encoder is not None}


def test_an_encoder_is_loaded_once_and_only_when_asked_for(load: Loader) -> None:
    encoders = served(load)
    assert loaded(encoders) == set()
    assert encoders.get(B) is encoders.get(B)
    assert load.loads == [B]


def test_none_is_the_default(load: Loader) -> None:
    assert served(load).get().info.model == A


def test_a_spec_in_another_spelling_is_the_same_encoder(load: Loader) -> None:
    encoders = ServedEncoders(
        ("timm:resnet50?layer=layer3&pool=gem",), load, budget_bytes=1, idle_seconds=1
    )
    assert encoders.get("timm:resnet50?pool=gem&layer=layer3") is encoders.get()


def test_an_idle_encoder_is_unloaded_but_the_default_stays(load: Loader) -> None:
    encoders = served(load)
    encoders.get(A)
    encoders.get(B)
    load.now = 61
    encoders.unload_idle()
    assert loaded(encoders) == {A}
    encoders.get(B)
    assert load.loads == [A, B, B]


def test_over_the_budget_the_longest_unused_goes_first(load: Loader) -> None:
    encoders = served(load, budget=250)
    for time, spec in enumerate((A, B, C)):
        load.now = time
        encoders.get(spec)
    assert loaded(encoders) == {A, C}


def test_an_encoder_that_exceeds_the_budget_alone_is_served_all_the_same(load: Loader) -> None:
    encoders = served(load, budget=10)
    assert encoders.get(C).info.model == C


def test_what_is_not_offered_is_refused_with_what_is(load: Loader) -> None:
    with pytest.raises(UnknownModel, match="pixels:8x8-grey"):
        served(load).get("pixels:8x9-grey")
    with pytest.raises(UnknownModel, match="Offered here"):
        served(load).get("nonsense")
    assert load.loads == []


def test_an_encoder_that_came_later_is_offered_at_once(load: Loader) -> None:
    found = list[str]()
    encoders = ServedEncoders(
        (A,), load, budget_bytes=1000, idle_seconds=60, discover=lambda: found
    )
    with pytest.raises(UnknownModel):
        encoders.get(B)
    found.append(B)
    assert encoders.get(B).info.model == B
    assert [spec for spec, _ in encoders] == [A, B]


def test_a_failed_load_is_tried_again_the_next_time(load: Loader) -> None:
    failures = [WeightsMissing("The weights are not here.")]

    def flaky(spec: str) -> Encoder:
        if failures:
            raise failures.pop()
        return load(spec)

    encoders = ServedEncoders((A,), flaky, budget_bytes=1, idle_seconds=1)
    with pytest.raises(WeightsMissing):
        encoders.get()
    assert encoders.get().info.model == A


def test_a_space_of_other_weights_is_refused(load: Loader) -> None:
    encoders = served(load)
    space = encoders.get(B).info.space
    assert encoders.of(space) is encoders.get(B)
    with pytest.raises(SpaceMismatch, match=space.id):
        encoders.of(replace(space, weights="other"))


def test_many_threads_that_ask_at_once_load_it_once(load: Loader) -> None:
    encoders = served(load)
    threads = [threading.Thread(target=encoders.get, args=(B,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load.loads == [B]
