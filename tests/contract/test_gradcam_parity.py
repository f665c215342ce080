"""The closed form of Grad-CAM agrees with autograd, and with the `grad-cam` package on the real encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image

from lookalike_service.encoders.catalog import CATALOG, TimmEntry
from lookalike_service.encoders.weights import load_in_order, packaged_file, read_state
from lookalike_service.explain.gradcam import self_map, similarity_map
from tests import pictures
from tests.encoders import encode_images, features_of, loaded

PAIRS = [("chelsea", "coffee"), ("astronaut", "rocket"), ("coffee", "astronaut")]


class Pooled(torch.nn.Module):
    """The encoder's network as the package needs it: differentiable, giving the pooled features."""

    def __init__(self, entry: TimmEntry) -> None:
        import timm

        super().__init__()
        self.network: Any = timm.create_model(entry.architecture, pretrained=False)
        load_in_order(self.network, read_state(packaged_file(entry.weights)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.network.forward_features(x).mean(dim=(2, 3))
        return pooled


@pytest.fixture(scope="module")
def entry() -> TimmEntry:
    return CATALOG[0]


@pytest.fixture(scope="module")
def network(entry: TimmEntry) -> Pooled:
    return Pooled(entry).eval()


def package_map(
    network: Pooled, entry: TimmEntry, pixels: NDArray[np.uint8], target: object
) -> NDArray[np.float32]:
    """What `grad-cam` draws for one preprocessed image: float32 (size, size), scaled to [0, 1]."""
    recipe = entry.preprocessing
    normalised = (pixels / 255 - np.array(recipe.mean)) / np.array(recipe.std)
    batch = torch.tensor(normalised, dtype=torch.float32).permute(2, 0, 1)[None]
    with GradCAM(model=network, target_layers=[network.network.bn2]) as cam:
        drawn: NDArray[np.float32] = cam(input_tensor=batch, targets=[target])[0]
    return drawn


def enlarged(grid: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Our map scaled and enlarged by the package's own function."""
    scaled: NDArray[np.float32] = scale_cam_image(scale_cam_image(grid[None], (size, size)))[0]
    return scaled


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_the_similarity_map_is_the_packages(
    network: Pooled, entry: TimmEntry, name: str, other: str
) -> None:
    encoder = loaded(entry.spec)
    query = encode_images(encoder, pictures.photograph(other)).embeddings[0]
    image = pictures.photograph(name)
    expected = package_map(
        network,
        entry,
        encoder.preprocess(image),
        lambda output: torch.cosine_similarity(output, torch.from_numpy(query), dim=0),
    )
    ours = similarity_map(features_of(encoder, image), query)
    assert np.abs(enlarged(ours.grid, entry.preprocessing.size) - expected).max() < 1e-3


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut"])
def test_the_self_map_is_the_packages_for_the_norm(
    network: Pooled, entry: TimmEntry, name: str
) -> None:
    encoder = loaded(entry.spec)
    image = pictures.photograph(name)
    expected = package_map(network, entry, encoder.preprocess(image), torch.linalg.vector_norm)
    ours = self_map(features_of(encoder, image))
    assert np.abs(enlarged(ours.grid, entry.preprocessing.size) - expected).max() < 1e-3


def gradient_map(features: NDArray[np.float32], target: object) -> NDArray[np.float64]:
    """Grad-CAM by definition, in float64: autograd's weights, averaged over positions, then ReLU."""
    maps = torch.tensor(features, dtype=torch.float64, requires_grad=True)
    assert callable(target)
    target(maps.mean(dim=(1, 2))).backward()
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(1, 2), keepdim=True)
    raw: NDArray[np.float64] = torch.relu((weights * maps).sum(dim=0)).detach().numpy()
    return raw


@pytest.mark.parametrize("seed", range(5))
def test_both_maps_are_those_of_autograd(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((32, 5, 7)).astype(np.float32)
    query = rng.standard_normal(32).astype(np.float32)
    unit = torch.tensor(query / np.linalg.norm(query), dtype=torch.float64)
    for ours, expected in (
        (
            similarity_map(features, query),
            gradient_map(features, lambda e: (e / e.norm()) @ unit),
        ),
        (self_map(features), gradient_map(features, torch.linalg.vector_norm)),
    ):
        assert ours.peak == pytest.approx(expected.max(), rel=1e-5)
        np.testing.assert_allclose(ours.grid, expected / expected.max(), atol=1e-5)


def test_the_comparison_would_notice_another_map(network: Pooled, entry: TimmEntry) -> None:
    encoder = loaded(entry.spec)
    image, other = pictures.photograph("chelsea"), pictures.photograph("coffee")
    expected = package_map(network, entry, encoder.preprocess(image), torch.linalg.vector_norm)
    query = encode_images(encoder, other).embeddings[0]
    wrong = similarity_map(features_of(encoder, image), query)
    assert np.abs(enlarged(wrong.grid, entry.preprocessing.size) - expected).max() > 0.1
