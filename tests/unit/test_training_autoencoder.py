"""An autoencoder trained on a few small pictures, and the encoder it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.analysis.progress import silent
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.settings import Settings
from lookalike_service.training.autoencoder import in_batches, split, train

pytestmark = pytest.mark.usefixtures("one_thread")


def ramps(count: int = 40, size: int = 16) -> NDArray[np.uint8]:
    """Pictures of two numbers each: how a grey ramp leans, and where it starts."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:size, :size] / size
    a, b = rng.uniform(-1, 1, (2, count, 1, 1))
    grey = 127 + 100 * (a * (x - 0.5) + b * (y - 0.5))
    return np.repeat(grey[..., None], 3, axis=3).astype(np.uint8)


PICTURES = ramps()


def parameters(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "folder": str(folder), "dim": 8, "channels": [8, 8], "seed": 0,
        "held_out": 0.2, "epochs": 30, "patience": 30, "batch_size": 8, "learning_rate": 3e-3,
    } | changes  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("autoencoder")
    arrays, figures = train({"pictures": PICTURES}, parameters(folder), silent)
    return folder, arrays["sheet"], figures


def test_it_draws_held_out_pictures_better_than_the_mean_picture(trained: Any) -> None:
    _, _, figures = trained
    measures = figures["measures"]
    assert measures["mse"] < measures["mse_of_mean_picture"] / 2
    losses = [epoch["held_out_loss"] for epoch in figures["curve"]]
    assert min(losses) == losses[figures["best_epoch"] - 1] < losses[0]


def test_the_folder_is_an_encoder_whose_embeddings_are_of_unit_norm(trained: Any) -> None:
    folder, _, _ = trained
    encoder = load_encoder(f"autoencoder:{folder}", Settings(plan="float32"))
    embeddings = encoder.encode(PICTURES).embeddings
    assert embeddings.shape == (40, 8)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert np.ptp(embeddings, axis=0).max() > 0.1, "and tell pictures apart"


def test_the_sheet_shows_held_out_pictures_above_what_was_drawn(trained: Any) -> None:
    _, sheet, _ = trained
    _, held_out = split(40, 0.2, 0)
    assert sheet.shape == (2 * 20 + 4, len(held_out) * 20 + 4, 3)
    for column, row in enumerate(sorted(held_out)):
        left = 4 + column * 20
        np.testing.assert_array_equal(sheet[4:20, left : left + 16], PICTURES[row])
        drawn = sheet[24:40, left : left + 16].astype(int)
        assert np.abs(drawn - PICTURES[row]).mean() < 30


def test_the_same_seed_gives_the_same_model_and_another_another(tmp_path: Path) -> None:
    curves = [
        train({"pictures": PICTURES}, parameters(tmp_path / str(i), epochs=2, seed=seed), silent)[1]
        for i, seed in enumerate((5, 5, 6))
    ]
    assert curves[0]["curve"] == curves[1]["curve"]
    assert curves[0]["curve"] != curves[2]["curve"]


def test_every_picture_is_either_trained_on_or_held_out() -> None:
    for count in (2, 3, 17, 100):
        kept, out = split(count, 0.1, 1)
        assert sorted([*kept, *out]) == list(range(count))
        assert len(out) >= 1
        assert np.concatenate(in_batches(kept, 4)).tolist() == kept.tolist()
