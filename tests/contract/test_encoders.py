"""What every encoder of the catalogue must hold."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lookalike_service.encoders.catalog import CATALOG
from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.encoders.timm_encoder import TimmEncoder
from tests import pictures
from tests.encoders import encode_images, loaded
from tests.fakes.encoder import FakeEncoder

SIZES = [(1, 1), (1, 500), (500, 1), (3000, 40), (40, 900), (224, 224), (256, 256), (255, 257)]
SIZES += [(500, 375), (37, 53), (641, 479), (300, 700), (600, 1500)]


@pytest.fixture(params=[entry.spec for entry in CATALOG])
def catalogued(request: pytest.FixtureRequest) -> TimmEncoder:
    return loaded(request.param)


@pytest.fixture(params=[*(entry.spec for entry in CATALOG), "fake:patches"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    """Every encoder, and the fake that other tests rely on to behave like one."""
    return FakeEncoder() if request.param == "fake:patches" else loaded(request.param)


@pytest.fixture
def batch(encoder: Encoder) -> Pixels:
    photographs = [pictures.photograph(n) for n in ("chelsea", "coffee", "rocket", "astronaut")]
    return np.stack([encoder.preprocess(rgb) for rgb in photographs])


def test_shapes_and_types_are_as_described(encoder: Encoder, batch: Pixels) -> None:
    encoded = encoder.encode(batch, features=True)
    dim = encoder.info.space.dim
    assert batch.shape == (4, *encoder.info.input_size, 3)
    assert batch.dtype == np.uint8
    assert encoded.embeddings.shape == (4, dim)
    assert encoded.norms.shape == (4,)
    assert encoded.features is not None
    assert encoded.features.shape[:2] == (4, dim)
    arrays = (encoded.embeddings, encoded.norms, encoded.features)
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert encoder.encode(batch).features is None


def test_embeddings_have_unit_norm(encoder: Encoder, batch: Pixels) -> None:
    norms = np.linalg.norm(encoder.encode(batch).embeddings, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)


def test_an_embedding_does_not_depend_on_its_batch(encoder: Encoder, batch: Pixels) -> None:
    together = encoder.encode(batch).embeddings
    alone = np.concatenate([encoder.encode(batch[i : i + 1]).embeddings for i in range(len(batch))])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(batch[::-1]).embeddings[::-1], together, atol=1e-5)


def test_asking_for_features_does_not_change_the_embedding(encoder: Encoder, batch: Pixels) -> None:
    with_features, without = encoder.encode(batch, features=True), encoder.encode(batch)
    np.testing.assert_array_equal(with_features.embeddings, without.embeddings)


def test_encoding_again_gives_the_same_bits(encoder: Encoder, batch: Pixels) -> None:
    np.testing.assert_array_equal(
        encoder.encode(batch).embeddings, encoder.encode(batch).embeddings
    )


def test_features_average_to_the_unnormalised_embedding(encoder: Encoder, batch: Pixels) -> None:
    encoded = encoder.encode(batch, features=True)
    assert encoded.features is not None
    pooled = encoded.features.mean(axis=(2, 3))
    np.testing.assert_allclose(pooled, encoded.embeddings * encoded.norms[:, None], atol=1e-5)


def test_threads_get_the_same_embeddings_as_one_alone(encoder: Encoder, batch: Pixels) -> None:
    expected = encoder.encode(batch).embeddings
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: encoder.encode(batch).embeddings, range(8)))
    for embeddings in results:
        np.testing.assert_allclose(embeddings, expected, atol=1e-5)


def test_different_photographs_have_different_embeddings(catalogued: TimmEncoder) -> None:
    photographs = [pictures.photograph(n) for n in ("chelsea", "coffee", "rocket", "astronaut")]
    embeddings = encode_images(catalogued, *photographs).embeddings
    cosines = embeddings @ embeddings.T
    assert cosines[~np.eye(4, dtype=bool)].max() < 0.9


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_constant_picture_has_a_finite_embedding(encoder: Encoder, value: int) -> None:
    flat = np.full((1, *encoder.info.input_size, 3), value, dtype=np.uint8)
    encoded = encoder.encode(flat)
    assert np.isfinite(encoded.embeddings).all()
    expected = 1 if encoded.norms[0] > 0 else 0
    assert np.linalg.norm(encoded.embeddings) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 224, 224), (1, 200, 224, 3), (224, 224, 3)])
def test_pixels_of_another_shape_are_refused(
    catalogued: TimmEncoder, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="not uint8"):
        catalogued.encode(np.zeros(shape, dtype=np.uint8))


def test_pixels_of_another_type_are_refused(catalogued: TimmEncoder) -> None:
    with pytest.raises(ValueError, match="float32"):
        catalogued.encode(np.zeros((1, *catalogued.info.input_size, 3), dtype=np.float32))


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
    margin = 8  # pixels that the resampling kernel reaches beyond the crop
    rows = slice(max(0, int(region.top) - margin), int(region.top + region.height) + margin)
    columns = slice(max(0, int(region.left) - margin), int(region.left + region.width) + margin)
    changed[rows, columns] = rgb[rows, columns]
    np.testing.assert_array_equal(encoder.preprocess(changed), encoder.preprocess(rgb))


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_corners_of_the_region_are_seen(
    catalogued: TimmEncoder, corner: tuple[int, int]
) -> None:
    region = catalogued.region(512, 384)
    rgb = np.zeros((384, 512, 3), dtype=np.uint8)
    top = int(region.top) + corner[0] * (int(region.height) - 8)
    left = int(region.left) + corner[1] * (int(region.width) - 8)
    rgb[top : top + 8, left : left + 8] = 255
    size = catalogued.info.input_size[0]
    seen = catalogued.preprocess(rgb)[-corner[0] * 10 :, -corner[1] * 10 :][:10, :10]
    assert seen.max() > 200
    assert catalogued.preprocess(rgb).sum() == pytest.approx(
        3 * 255 * (8 * size / region.height) ** 2, rel=0.3
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_preprocessing_embeds_like_timms_reference_transform(
    catalogued: TimmEncoder, width: int, height: int
) -> None:
    from PIL import Image
    from timm.data.transforms_factory import create_transform

    recipe = next(e.preprocessing for e in CATALOG if e.spec == catalogued.info.model)
    transform = create_transform(
        (3, recipe.size, recipe.size),
        interpolation=recipe.interpolation,
        crop_pct=recipe.crop,
        mean=recipe.mean,
        std=recipe.std,
    )
    photograph = Image.fromarray(pictures.photograph("coffee")).resize((width, height))
    normalised = transform(photograph).permute(1, 2, 0).numpy()
    reference = np.round((normalised * recipe.std + recipe.mean) * 255).astype(np.uint8)
    ours = catalogued.preprocess(np.asarray(photograph))
    assert np.abs(ours.astype(int) - reference).max() <= 1
    embeddings = catalogued.encode(np.stack([ours, reference])).embeddings
    assert embeddings[0] @ embeddings[1] >= 0.9999


def test_the_catalogues_preprocessing_is_the_architectures_own(catalogued: TimmEncoder) -> None:
    import timm

    entry = next(e for e in CATALOG if e.spec == catalogued.info.model)
    own = timm.get_pretrained_cfg(entry.architecture)
    assert own is not None
    recipe = entry.preprocessing
    assert (own.input_size, own.crop_pct) == ((3, recipe.size, recipe.size), recipe.crop)
    assert (own.interpolation, own.mean, own.std) == (recipe.interpolation, recipe.mean, recipe.std)


def test_info_describes_the_encoder(encoder: Encoder) -> None:
    info = encoder.info
    assert info.space.model == info.model
    assert len(info.space.weights) == 64
    assert info.license
    assert info.dtype == "float32"
    assert encode_images(encoder, pictures.scene()).embeddings.shape == (1, info.space.dim)


def test_importing_the_encoders_does_not_import_torch() -> None:
    code = "import lookalike_service.encoders.registry, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - fixed arguments
