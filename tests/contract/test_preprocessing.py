"""The fast ways to decode and resize embed as the encoder's reference transform does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from lookalike_service.encoders.preprocessing import Preprocessing, resize
from lookalike_service.encoders.protocol import Pixels
from lookalike_service.errors import TooManyPixels
from lookalike_service.images import Limits, decode
from tests import pictures
from tests.encoders import loaded

pytestmark = pytest.mark.usefixtures("one_thread")

LIMITS = Limits(max_bytes=2**26, max_pixels=100_000_000)
RECIPE = Preprocessing(224, 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
PHOTOGRAPHS = ("chelsea", "coffee", "rocket", "astronaut")
SIZES = [(200, 150), (320, 240), (500, 375), (375, 500), (640, 480), (700, 540), (1023, 511)]
SIZES += [(1024, 768), (1030, 1026), (768, 1400), (2048, 1536), (2731, 2048), (2048, 2732)]
SIZES += [(4032, 2100), (4096, 4100)]


def photograph(name: str, width: int, height: int, *, grain: float) -> bytes:
    """A JPEG of a sample photograph in this size, with the grain of a real sensor where asked for.

    The photograph is enlarged for most sizes; without grain it would hold nothing for scaling to lose.
    """
    resized = Pillow.fromarray(pictures.photograph(name)).resize((width, height))
    noise = np.random.default_rng(0).normal(0, grain, (height, width, 1))
    return pictures.encoded(
        np.clip(np.asarray(resized) + noise, 0, 255).astype(np.uint8), quality=90
    )


def reference(data: bytes) -> Pixels:
    """Every pixel decoded, then the transform that timm evaluates the default encoder with."""
    from timm.data.transforms_factory import create_transform

    transform = create_transform(
        (3, RECIPE.size, RECIPE.size),
        interpolation=RECIPE.interpolation,
        crop_pct=RECIPE.crop,
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    with Pillow.open(io.BytesIO(data)) as image:
        samples = transform(image.convert("RGB")).permute(1, 2, 0).numpy()
    pixels: Pixels = np.round(samples * 255).astype(np.uint8)
    return pixels


def ours(data: bytes) -> Pixels:
    return RECIPE.apply(decode(data, LIMITS, shorter=RECIPE.decode_shorter).rgb)


def cosines(files: list[bytes]) -> NDArray[np.float32]:
    """Of each file's embedding by the fast way, and by the reference."""
    encoder = loaded()
    fast = encoder.encode(np.stack([ours(data) for data in files])).embeddings
    slow = encoder.encode(np.stack([reference(data) for data in files])).embeddings
    cosines: NDArray[np.float32] = (fast * slow).sum(axis=1)
    return cosines


@pytest.mark.parametrize("grain", [0, 10])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_photographs_of_every_size_embed_as_by_the_reference(
    width: int, height: int, grain: float
) -> None:
    files = [photograph(name, width, height, grain=grain) for name in PHOTOGRAPHS]
    assert cosines(files).min() >= 0.999


def test_real_photographs_embed_as_by_the_reference(clothing: Path) -> None:
    files = [path.read_bytes() for path in sorted(clothing.rglob("*.jpg"))[::150][:24]]
    assert cosines(files).min() >= 0.999


def test_these_sizes_are_decoded_at_full_a_half_and_a_quarter() -> None:
    sides = {}
    for width, height in SIZES:
        data = photograph("coffee", width, height, grain=0)
        rgb = decode(data, LIMITS, shorter=RECIPE.decode_shorter).rgb
        sides[width, height] = round(width / rgb.shape[1])
    assert set(sides.values()) == {1, 2, 4}


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (7, 300), (300, 7), (640, 480), (100, 90), (224, 200)]
)
def test_resizing_is_pillows_to_within_rounding(
    interpolation: str, width: int, height: int
) -> None:
    rgb = np.asarray(Pillow.fromarray(pictures.photograph("coffee")).resize((width, height)))
    fast = resize(rgb, 200, 224, interpolation)  # type: ignore[arg-type] # parameters are plain strings
    method = Pillow.Resampling[interpolation.upper()]
    slow = np.asarray(Pillow.fromarray(rgb).resize((224, 200), method))
    assert fast.shape == slow.shape == (200, 224, 3)
    # Two roundings, of rows and of columns, which Pillow takes in either order.
    assert np.abs(fast.astype(int) - slow).max() <= 2
    assert np.abs(fast.astype(int) - slow).mean() < 0.2


@pytest.mark.parametrize(("width", "height"), [(4000, 90), (90, 4000), (1, 3000), (3000, 1)])
def test_a_very_long_picture_costs_no_more_than_its_crop(width: int, height: int) -> None:
    rgb = pictures.scene(width, height)
    pixels = RECIPE.apply(rgb)
    assert pixels.shape == (224, 224, 3)
    short = min(width, height)
    middle = (np.array(rgb.shape[:2]) - short) // 2
    square = rgb[middle[0] : middle[0] + short, middle[1] : middle[1] + short]
    assert np.abs(pixels.astype(int) - RECIPE.apply(square)).mean() < 4


def uncut(recipe: Preprocessing, rgb: Pixels) -> Pixels:
    """All of the picture resized by Pillow, in the order of `apply`, then the crop."""
    image, region = Pillow.fromarray(rgb), recipe.region(rgb.shape[1], rgb.shape[0])
    method = Pillow.Resampling[recipe.interpolation.upper()]
    rows_first = not recipe._columns_first(image.width, image.height)
    for along_rows in (rows_first, not rows_first):
        if along_rows:
            across = (region.left, 0, region.left + region.width, image.height)
            image = image.resize((recipe.size, image.height), method, box=across)
        else:
            down = (0, region.top, image.width, region.top + region.height)
            image = image.resize((image.width, recipe.size), method, box=down)
    return np.asarray(image)


@settings(max_examples=60, deadline=None)
@given(
    short=st.integers(1, 90),
    times=st.floats(4.5, 60),
    upright=st.booleans(),
    recipe=st.builds(
        Preprocessing,
        st.sampled_from([16, 33, 64]),
        st.sampled_from([0.5, 0.875, 0.95, 1.0]),
        st.sampled_from(["bicubic", "bilinear"]),
        st.just((0.5,) * 3),
        st.just((0.5,) * 3),
    ),
)
def test_leaving_out_what_the_crop_drops_changes_no_bit(
    short: int, times: float, upright: bool, recipe: Preprocessing
) -> None:
    shape = (round(short * times), short, 3) if upright else (short, round(short * times), 3)
    rgb = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(recipe._resize_crop(rgb), uncut(recipe, rgb))


@pytest.mark.parametrize("shape", [(2**40, 1, 3), (1, 2**40, 3)])
def test_a_picture_longer_than_memory_is_cropped_all_the_same(shape: tuple[int, ...]) -> None:
    endless = np.broadcast_to(np.full(3, 7, np.uint8), shape)
    assert (RECIPE.apply(endless) == 7).all()


def test_a_picture_that_there_is_not_memory_for_is_an_error_of_its_own() -> None:
    beyond = np.broadcast_to(np.zeros(3, np.uint8), (2**25, 2**25, 3))
    with pytest.raises(TooManyPixels, match="memory"):
        RECIPE.apply(beyond)
