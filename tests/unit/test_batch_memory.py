"""A pass that runs out of memory is halved until it fits; nothing is lost, and nothing hangs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lookalike_service.encoders import batch
from lookalike_service.encoders.batch import EncodedItem, EncodeItem, Outcome, encode_items
from lookalike_service.encoders.protocol import Encoded, Pixels
from lookalike_service.errors import EncoderFailed, InvalidModel, LookalikeError
from tests.fakes.encoder import POISON, SIZE, FakeEncoder


class Cuda(RuntimeError):
    """As torch.cuda.OutOfMemoryError: a RuntimeError that says so."""


OUT_OF_MEMORY = [
    MemoryError(),
    Cuda("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
]


class SmallEncoder(FakeEncoder):
    """Has memory for `room` images at a time."""

    def __init__(self, room: int, error: Exception = OUT_OF_MEMORY[0]) -> None:
        super().__init__()
        self.room, self.error = room, error

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        if len(pixels) > self.room:
            self.batches.append(len(pixels))
            raise self.error
        return super().encode(pixels, features=features)


def items(encoder: FakeEncoder, count: int) -> list[EncodeItem]:
    rng = np.random.default_rng(0)
    return [EncodeItem(encoder, p) for p in rng.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)]


def embeddings(outcomes: list[Outcome]) -> np.ndarray:
    assert all(isinstance(outcome, EncodedItem) for outcome in outcomes)
    return np.stack([o.embedding for o in outcomes if isinstance(o, EncodedItem)])


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_running_out_of_memory_halves_the_batch(error: Exception) -> None:
    encoder = SmallEncoder(4, error)
    outcomes = encode_items(items(encoder, 16))
    assert encoder.batches == [16, 8, 4, 4, 8, 4, 4]
    expected = embeddings(encode_items(items(FakeEncoder(), 16)))
    np.testing.assert_allclose(embeddings(outcomes), expected, atol=1e-5)


@given(count=st.integers(1, 40), room=st.integers(1, 40))
def test_every_image_is_embedded_whatever_fits(count: int, room: int) -> None:
    outcomes = encode_items(items(SmallEncoder(room), count))
    expected = embeddings(encode_items(items(FakeEncoder(), count)))
    np.testing.assert_allclose(embeddings(outcomes), expected, atol=1e-5)


def test_one_image_that_does_not_fit_is_an_error_that_says_so() -> None:
    with capture_logs() as logs:
        (outcome,) = encode_items(items(SmallEncoder(0), 1))
    assert [line["event"] for line in logs] == ["encoder failed"]
    assert isinstance(outcome, EncoderFailed)
    assert "not memory enough" in outcome.detail
    assert "32 × 32" in outcome.detail


def test_another_failure_is_not_taken_for_lack_of_memory() -> None:
    encoder = FakeEncoder()
    poison = EncodeItem(encoder, np.broadcast_to(POISON, (SIZE, SIZE, 3)).copy())
    outcomes = encode_items([*items(encoder, 3), poison])
    assert encoder.batches == [4, 1, 1, 1, 1]
    assert isinstance(outcomes[3], EncoderFailed)
    assert "memory" not in outcomes[3].detail
    embeddings(outcomes[:3])


def test_an_error_with_a_code_of_its_own_is_answered_as_it_is() -> None:
    (outcome,) = encode_items(items(SmallEncoder(0, InvalidModel("The weights are damaged.")), 1))
    assert isinstance(outcome, LookalikeError)
    assert outcome.detail == "The weights are damaged."


def test_a_pass_holds_no_more_pixels_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BATCH_PIXELS", 5 * SIZE * SIZE)
    encoder = FakeEncoder()
    embeddings(encode_items(items(encoder, 12)))
    assert encoder.batches == [5, 5, 2]


def test_an_image_larger_than_the_budget_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BATCH_PIXELS", 10)
    encoder = FakeEncoder()
    embeddings(encode_items(items(encoder, 2)))
    assert encoder.batches == [1, 1]


def test_an_outcome_does_not_depend_on_the_other_encoders_of_its_batch() -> None:
    small, other = SmallEncoder(1), FakeEncoder("timm:fake_other")
    mixed = [i for pair in zip(items(small, 3), items(other, 3), strict=True) for i in pair]
    outcomes = encode_items(mixed)
    expected = embeddings(encode_items(items(FakeEncoder(), 3)))
    np.testing.assert_allclose(embeddings(outcomes[::2]), expected, atol=1e-5)
    np.testing.assert_allclose(embeddings(outcomes[1::2]), expected, atol=1e-5)
