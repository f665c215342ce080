"""The pixel encoder compares pictures by the correlation of their samples."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike_service.encoders.pixels import PixelEncoder
from lookalike_service.encoders.protocol import Pixels
from lookalike_service.encoders.spec import EncoderSpec
from tests import pictures
from tests.encoders import encode_images


def encoder(name: str) -> PixelEncoder:
    return PixelEncoder(EncoderSpec(provider="pixels", name=name))


def grey(seed: int, low: int = 40, high: int = 120) -> Pixels:
    samples = np.random.default_rng(seed).integers(low, high, (10, 20, 1), dtype=np.uint8)
    return np.repeat(samples, 3, axis=2)


def test_the_size_is_width_by_height() -> None:
    info = encoder("20x10-grey").info
    assert (info.input_size, info.space.dim) == ((10, 20), 200)
    assert encoder("20x10-rgb").info.space.dim == 600


def test_the_cosine_of_grey_pictures_is_their_correlation() -> None:
    one, other = grey(1), grey(2)
    embeddings = encode_images(encoder("20x10-grey"), one, other).embeddings
    expected = np.corrcoef(one[..., 0].ravel(), other[..., 0].ravel())[0, 1]
    assert embeddings[0] @ embeddings[1] == pytest.approx(expected, abs=1e-5)


def test_brightness_and_contrast_do_not_matter() -> None:
    image = grey(1)
    changed = (image * 2 + 10).astype(np.uint8)
    embeddings = encode_images(encoder("20x10-grey"), image, changed).embeddings
    assert embeddings[0] @ embeddings[1] == pytest.approx(1, abs=1e-5)


def test_a_colour_cast_does_not_matter_and_colours_do() -> None:
    image = pictures.scene(20, 10) // 2
    cast = image + np.array([60, 0, 20], np.uint8)
    swapped = image[..., ::-1]
    embeddings = encode_images(encoder("20x10-rgb"), image, cast, swapped).embeddings
    assert embeddings[0] @ embeddings[1] == pytest.approx(1, abs=1e-5)
    assert embeddings[0] @ embeddings[2] < 0.99


def test_grey_is_luma() -> None:
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = (0, 100, 0)
    encoded = encode_images(encoder("2x1-grey"), image, features=True)
    assert encoded.features is not None
    half = 100 * 0.587 / 255 / 2
    np.testing.assert_allclose(encoded.features[0, 0], [[half, -half]], atol=1e-6)


@pytest.mark.parametrize("name", ["8x8-grey", "8x8-rgb"])
@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_a_picture_of_one_colour_is_a_zero_vector(name: str, value: int) -> None:
    encoded = encode_images(encoder(name), np.full((30, 40, 3), value, np.uint8))
    assert not encoded.embeddings.any()
    assert encoded.norms[0] == 0
