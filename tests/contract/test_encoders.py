"""What every kind of encoder must hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike_service.encoders.autoencoder import Architecture, ConvAutoencoder, save_autoencoder
from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.errors import UnsupportedTarget, UnsupportedText
from lookalike_service.settings import Settings
from tests import pictures
from tests.checkpoints import open_clip_checkpoint, random_state, timm_checkpoint
from tests.encoders import encode_images, loaded
from tests.fakes.encoder import FakeEncoder

SIZES = [(1, 1), (1, 500), (500, 1), (3000, 40), (40, 900), (224, 224), (256, 256), (255, 257)]
SIZES += [(500, 375), (37, 53), (641, 479), (300, 700), (600, 1500)]
PHOTOGRAPHS = ("chelsea", "coffee", "rocket", "astronaut")


def autoencoder(folder: Path) -> Path:
    model = ConvAutoencoder(Architecture(dim=12, size=32, channels=(8, 8), hidden=16))
    model.load_state_dict(random_state(model))
    save_autoencoder(model, folder / "autoencoder")
    return folder / "autoencoder"


KINDS: dict[str, Callable[[Path], str]] = {
    "bundled": lambda _: "timm:tf_efficientnet_lite0",
    "timm cnn": lambda at: f"timm:resnet18@{timm_checkpoint(at, 'resnet18')}?size=64",
    "timm cam": lambda at: f"timm:resnet18@{timm_checkpoint(at, 'resnet18')}?pool=cam&size=64",
    "timm layer": lambda at: (
        f"timm:resnet18@{timm_checkpoint(at, 'resnet18')}?layer=layer2&size=64"
    ),
    "timm vit": lambda at: (
        f"timm:vit_tiny_patch16_224@{timm_checkpoint(at, 'vit_tiny_patch16_224')}?size=64"
    ),
    "timm nhwc": lambda at: f"timm:mambaout_femto@{timm_checkpoint(at, 'mambaout_femto')}?size=64",
    "timm vectors": lambda at: (
        f"timm:resnet18@{timm_checkpoint(at, 'resnet18')}?layer=global_pool&size=64"
    ),
    "open_clip": lambda at: f"open_clip:ViT-S-32-alt@{open_clip_checkpoint(at, 'ViT-S-32-alt')}",
    "pixels grey": lambda _: "pixels:20x10-grey",
    "pixels rgb": lambda _: "pixels:16x16-rgb",
    "autoencoder": lambda at: f"autoencoder:{autoencoder(at)}",
}


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Encoder]:
    """The encoder of a kind, loaded once."""

    @cache
    def encoder_of(kind: str) -> Encoder:
        return load_encoder(KINDS[kind](tmp_path_factory.mktemp("weights")), Settings())

    return encoder_of


@pytest.fixture(params=[*KINDS, "fake"])
def encoder(request: pytest.FixtureRequest, encoder_of: Callable[[str], Encoder]) -> Encoder:
    """Every kind of encoder, and the fake that other tests rely on to behave like one."""
    return FakeEncoder() if request.param == "fake" else encoder_of(request.param)


@pytest.fixture
def bundled() -> TorchEncoder:
    return loaded()


@pytest.fixture(scope="module")
def batches() -> dict[str, Pixels]:
    """What each encoder makes of the photographs, by its spec."""
    return {}


@pytest.fixture
def batch(encoder: Encoder, batches: dict[str, Pixels]) -> Pixels:
    if encoder.info.model not in batches:
        images = [encoder.preprocess(pictures.photograph(name)) for name in PHOTOGRAPHS]
        batches[encoder.info.model] = np.stack(images)
    return batches[encoder.info.model]


def test_shapes_and_types_are_as_described(encoder: Encoder, batch: Pixels) -> None:
    encoded = encoder.encode(batch, features=encoder.info.grid is not None)
    dim = encoder.info.space.dim
    assert batch.shape == (4, *encoder.info.input_size, 3)
    assert batch.dtype == np.uint8
    assert encoded.embeddings.shape == (4, dim)
    assert encoded.norms.shape == (4,)
    assert {encoded.embeddings.dtype, encoded.norms.dtype} == {np.dtype(np.float32)}
    assert encoder.encode(batch).features is None
    if encoded.features is not None:
        assert encoded.features.dtype == np.float32
        assert len(encoded.features) == 4
        if encoder.info.closed_form:
            assert encoded.features.shape[2:] == encoder.info.grid


def test_features_are_refused_where_they_have_no_place_in_the_image(
    encoder: Encoder, batch: Pixels
) -> None:
    if encoder.info.grid is None:
        with pytest.raises(UnsupportedTarget, match="no place in the image"):
            encoder.encode(batch, features=True)


def test_embeddings_have_unit_norm(encoder: Encoder, batch: Pixels) -> None:
    norms = np.linalg.norm(encoder.encode(batch).embeddings, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)


def test_an_embedding_does_not_depend_on_its_batch(encoder: Encoder, batch: Pixels) -> None:
    together = encoder.encode(batch).embeddings
    alone = np.concatenate([encoder.encode(batch[i : i + 1]).embeddings for i in range(len(batch))])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(batch[::-1]).embeddings[::-1], together, atol=1e-5)


def test_asking_for_features_does_not_change_the_embedding(encoder: Encoder, batch: Pixels) -> None:
    with_features = encoder.encode(batch, features=encoder.info.grid is not None)
    without = encoder.encode(batch)
    np.testing.assert_array_equal(with_features.embeddings, without.embeddings)


def test_encoding_again_gives_the_same_bits(encoder: Encoder, batch: Pixels) -> None:
    np.testing.assert_array_equal(
        encoder.encode(batch).embeddings, encoder.encode(batch).embeddings
    )


def test_features_average_to_the_unnormalised_embedding_where_the_closed_form_is_said_to_hold(
    encoder: Encoder, batch: Pixels
) -> None:
    if encoder.info.grid is None:
        assert not encoder.info.closed_form
        return
    encoded = encoder.encode(batch, features=True)
    assert encoded.features is not None
    embedded = encoded.embeddings * encoded.norms[:, None]
    if encoded.features.ndim != 4:  # tokens
        assert not encoder.info.closed_form
        return
    pooled = encoded.features.mean(axis=(2, 3))
    holds = pooled.shape == embedded.shape and np.allclose(pooled, embedded, rtol=1e-4, atol=1e-5)
    assert encoder.info.closed_form == holds


def test_threads_get_the_same_embeddings_as_one_alone(encoder: Encoder, batch: Pixels) -> None:
    expected = encoder.encode(batch).embeddings
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: encoder.encode(batch).embeddings, range(8)))
    for embeddings in results:
        np.testing.assert_allclose(embeddings, expected, atol=1e-5)


def test_different_photographs_have_different_embeddings(encoder: Encoder, batch: Pixels) -> None:
    embeddings = encoder.encode(batch).embeddings
    cosines = embeddings @ embeddings.T
    assert cosines[~np.eye(4, dtype=bool)].max() < 0.9999  # random weights tell little apart


def test_the_bundled_weights_tell_photographs_apart(bundled: TorchEncoder) -> None:
    embeddings = encode_images(bundled, *map(pictures.photograph, PHOTOGRAPHS)).embeddings
    assert (embeddings @ embeddings.T)[~np.eye(4, dtype=bool)].max() < 0.9


def test_an_encoder_embeds_text_into_its_space_or_names_one_that_does(encoder: Encoder) -> None:
    if not encoder.info.text:
        with pytest.raises(UnsupportedText, match="open_clip:ViT-B-32"):
            encoder.encode_text(["a cat"])
        return
    embeddings = encoder.encode_text(["a cat", "two dogs", "a cat"])
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (3, encoder.info.space.dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embeddings[0], embeddings[2], atol=1e-5)
    assert embeddings[0] @ embeddings[1] < 0.9999
    assert encoder.encode_text([]).shape == (0, encoder.info.space.dim)


def test_an_encoder_that_knows_its_classes_scores_them(encoder: Encoder, batch: Pixels) -> None:
    if not isinstance(encoder, TorchEncoder) or encoder.network.classifier is None:
        return
    assert encoder.class_logits(batch).shape == (4, 1000)


def test_the_network_embeds_as_the_encoder_does(encoder: Encoder, batch: Pixels) -> None:
    """What explanations differentiate is what made the embedding."""
    if not isinstance(encoder, TorchEncoder):
        return
    import torch

    encoded = encoder.encode(batch)
    images = torch.from_numpy(batch).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor(encoder.mean), torch.tensor(encoder.std)
    images = ((images - mean[:, None, None]) / std[:, None, None]).requires_grad_()
    embedded = encoder.network(images)
    expected = encoded.embeddings * encoded.norms[:, None]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(embedded.detach().numpy() / scale, expected / scale, atol=1e-4)
    embedded.norm(dim=1).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_an_encoder_whose_features_are_the_networks_resumes_from_them(
    encoder: Encoder, batch: Pixels
) -> None:
    if not isinstance(encoder, TorchEncoder) or encoder.info.grid is None or not encoder.resumes:
        return
    import torch

    encoded = encoder.encode(batch, features=True)
    assert encoded.features is not None
    resumed = encoder.network.pool(encoder.network.ending(torch.from_numpy(encoded.features)))
    expected = encoded.embeddings * encoded.norms[:, None]
    np.testing.assert_allclose(resumed, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    if encoder.network.classifier is not None:
        logits = encoder.class_logits(batch, encoded.features)
        np.testing.assert_allclose(logits, encoder.class_logits(batch), rtol=1e-4, atol=1e-4)
    if encoder.class_weights is not None:
        weights, bias = encoder.class_weights
        np.testing.assert_allclose(expected @ weights.T + bias, logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_constant_picture_has_a_finite_embedding(encoder: Encoder, value: int) -> None:
    flat = np.full((1, *encoder.info.input_size, 3), value, dtype=np.uint8)
    encoded = encoder.encode(flat)
    assert np.isfinite(encoded.embeddings).all()
    expected = 1 if encoded.norms[0] > 0 else 0
    assert np.linalg.norm(encoded.embeddings) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 224, 224), (1, 200, 224, 3), (224, 224, 3)])
def test_pixels_of_another_shape_are_refused(encoder: Encoder, shape: tuple[int, ...]) -> None:
    if isinstance(encoder, FakeEncoder):
        return
    with pytest.raises(ValueError, match="not uint8"):
        encoder.encode(np.zeros(shape, dtype=np.uint8))


def test_pixels_of_another_type_are_refused(encoder: Encoder) -> None:
    if isinstance(encoder, FakeEncoder):
        return
    with pytest.raises(ValueError, match="float32"):
        encoder.encode(np.zeros((1, *encoder.info.input_size, 3), dtype=np.float32))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_region_lies_within_the_picture_and_is_centred(
    encoder: Encoder, width: int, height: int
) -> None:
    region = encoder.region(width, height)
    right, bottom = region.left + region.width, region.top + region.height
    assert region.left >= 0
    assert region.top >= 0
    assert right <= width + 1e-9
    assert bottom <= height + 1e-9
    pixel = min(width, height) / min(encoder.info.input_size)  # of the input, in source pixels
    assert (region.left + right) / 2 == pytest.approx(width / 2, abs=pixel)
    assert (region.top + bottom) / 2 == pytest.approx(height / 2, abs=pixel)


@pytest.mark.parametrize(("width", "height"), [(500, 375), (300, 900), (640, 640)])
def test_what_lies_outside_the_region_does_not_matter(
    encoder: Encoder, width: int, height: int
) -> None:
    region = encoder.region(width, height)
    rgb = pictures.scene(width, height)
    changed = np.zeros_like(rgb)
    pixel = max(
        region.width / encoder.info.input_size[1], region.height / encoder.info.input_size[0]
    )
    margin = 4 + int(2 * pixel)  # what the resampling kernel reaches beyond the crop
    rows = slice(max(0, int(region.top) - margin), int(region.top + region.height) + margin)
    columns = slice(max(0, int(region.left) - margin), int(region.left + region.width) + margin)
    changed[rows, columns] = rgb[rows, columns]
    np.testing.assert_array_equal(encoder.preprocess(changed), encoder.preprocess(rgb))


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_corners_of_the_region_are_seen(bundled: TorchEncoder, corner: tuple[int, int]) -> None:
    region = bundled.region(512, 384)
    rgb = np.zeros((384, 512, 3), dtype=np.uint8)
    top = int(region.top) + corner[0] * (int(region.height) - 8)
    left = int(region.left) + corner[1] * (int(region.width) - 8)
    rgb[top : top + 8, left : left + 8] = 255
    size = bundled.info.input_size[0]
    seen = bundled.preprocess(rgb)[-corner[0] * 10 :, -corner[1] * 10 :][:10, :10]
    assert seen.max() > 200
    assert bundled.preprocess(rgb).sum() == pytest.approx(
        3 * 255 * (8 * size / region.height) ** 2, rel=0.3
    )


def timm_reference(encoder: TorchEncoder, image: Image.Image) -> Pixels:
    """What timm's own transform makes of an image for this network, as uint8."""
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    network = encoder.network.backbone.model
    side = encoder.info.input_size[0]
    resolve: Any = resolve_data_config
    config = resolve({"input_size": (3, side, side)}, model=network)
    return denormalised(create_transform(**config)(image), config["mean"], config["std"])


def denormalised(samples: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Pixels:
    scaled = (samples.permute(1, 2, 0).numpy() * std + mean) * 255
    pixels: Pixels = np.round(scaled).astype(np.uint8)
    return pixels


def open_clip_reference(encoder: TorchEncoder, image: Image.Image) -> Pixels:
    """What open_clip's own transform makes of an image for this network, as uint8."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = PreprocessCfg(size=encoder.info.input_size)
    samples = image_transform_v2(config, is_train=False)(image)
    return denormalised(samples, config.mean, config.std)


@pytest.mark.parametrize(
    ("kind", "reference", "width", "height"),
    [("bundled", timm_reference, *size) for size in SIZES]
    + [
        (kind, reference, *size)
        for kind, reference in (
            ("timm cnn", timm_reference),
            ("timm vit", timm_reference),
            ("open_clip", open_clip_reference),
        )
        for size in ((3000, 40), (37, 53), (500, 375))
    ],
)
def test_preprocessing_embeds_like_the_librarys_own_transform(
    encoder_of: Callable[[str], Encoder],
    kind: str,
    reference: Callable[[TorchEncoder, Image.Image], Pixels],
    width: int,
    height: int,
) -> None:
    encoder = encoder_of(kind)
    assert isinstance(encoder, TorchEncoder)
    photograph = Image.fromarray(pictures.photograph("coffee")).resize((width, height))
    expected = reference(encoder, photograph)
    ours = encoder.preprocess(np.asarray(photograph))
    assert np.abs(ours.astype(int) - expected).max() <= 2
    embeddings = encoder.encode(np.stack([ours, expected])).embeddings
    assert embeddings[0] @ embeddings[1] >= 0.9999


def test_info_describes_the_encoder(encoder: Encoder) -> None:
    info = encoder.info
    assert info.space.model == info.model
    assert info.space.weights == "none" or len(info.space.weights) == 64
    assert info.memory_bytes > 0 or info.space.weights == "none"
    assert info.license
    assert info.dtype == "float32"
    assert encode_images(encoder, pictures.scene()).embeddings.shape == (1, info.space.dim)


def test_listing_the_encoders_does_not_import_torch() -> None:
    code = (
        "import lookalike_service.encoders.registry, lookalike_service.encoders.availability, sys;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
