"""An autoencoder's folder becomes an encoder whose embedding is its bottleneck."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike_service.encoders.autoencoder import (
    ARCHITECTURE,
    WEIGHTS,
    Architecture,
    ConvAutoencoder,
    read_autoencoder,
    save_autoencoder,
)
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.weights import sha256
from lookalike_service.errors import InvalidModel, WeightsMissing
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import random_state

SMALL = Architecture(dim=12, size=32, channels=(8, 4), hidden=16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = ConvAutoencoder(SMALL)
    model.load_state_dict(random_state(model))
    save_autoencoder(model, tmp_path / "scans")
    return tmp_path / "scans"


def test_the_default_is_the_network_of_the_mammograms() -> None:
    model = ConvAutoencoder(Architecture())
    encoding = [*model.features.parameters(), *model.bottleneck.parameters()]
    # 2,232,022 trainable parameters up to the 150 numbers, at 128 × 128 RGB.
    assert sum(p.numel() for p in encoding) == 2_232_022
    assert model.features(torch.zeros(1, 3, 128, 128)).shape == (1, 32, 16, 16)
    assert model.encode(torch.zeros(1, 3, 128, 128)).shape == (1, 150)


def test_a_reconstruction_is_a_picture_of_the_same_size() -> None:
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        back = ConvAutoencoder(SMALL).eval()(images)
    assert back.shape == images.shape
    assert back.min() >= 0
    assert back.max() <= 1


def test_what_is_saved_is_what_is_read(folder: Path) -> None:
    model = read_autoencoder(folder)
    assert model.architecture == SMALL
    expected = random_state(ConvAutoencoder(SMALL))
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_the_embedding_is_the_bottleneck_of_the_whole_picture(folder: Path) -> None:
    encoder = load_encoder(f"autoencoder:{folder}", Settings())
    info = encoder.info
    assert (info.space.dim, info.space.weights) == (12, sha256(folder / WEIGHTS))
    assert (info.input_size, info.grid, info.closed_form) == ((32, 32), (8, 8), False)
    pixels = encoder.preprocess(pictures.scene(90, 40))[None]
    with torch.inference_mode():
        images = torch.from_numpy(pixels / 255).float().permute(0, 3, 1, 2)
        expected = read_autoencoder(folder).encode(images)[0].numpy()
    encoded = encoder.encode(pixels)
    np.testing.assert_allclose(encoded.embeddings[0] * encoded.norms[0], expected, atol=1e-4)
    region = encoder.region(90, 40)
    assert (region.width, region.height) == (90, 40)


@pytest.mark.parametrize("name", [ARCHITECTURE, WEIGHTS])
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsMissing, match=f"no '{name}'"):
        load_encoder(f"autoencoder:{folder}", Settings())


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    parts = json.loads((folder / ARCHITECTURE).read_text())
    (folder / ARCHITECTURE).write_text(json.dumps(parts | {"dim": 13}))
    with pytest.raises(InvalidModel, match=r"of another shape \(bottleneck"):
        load_encoder(f"autoencoder:{folder}", Settings())


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"size": 30}, {"size": "32"}, {"channels": []}, {"dim": 0}, {"other": 1}],
)
def test_an_architecture_that_is_none_is_refused(folder: Path, change: dict[str, object]) -> None:
    parts = json.loads((folder / ARCHITECTURE).read_text())
    (folder / ARCHITECTURE).write_text(json.dumps(parts | change))
    with pytest.raises(InvalidModel):
        load_encoder(f"autoencoder:{folder}", Settings())


@pytest.mark.parametrize("content", ["", "[]", "3", '{"channels": 3}'])
def test_a_damaged_architecture_is_refused(folder: Path, content: str) -> None:
    (folder / ARCHITECTURE).write_text(content)
    with pytest.raises(InvalidModel):
        load_encoder(f"autoencoder:{folder}", Settings())
