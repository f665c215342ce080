"""The perceptual hash: that of the established package, stable where pictures are saved anew."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike_service.analysis.perceptual_hash import as_text, from_text, perceptual_hash
from tests.pictures import scene


def differing(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_it_is_the_hash_that_imagehash_computes() -> None:
    y, x = np.mgrid[0:48, 0:64]
    picture = np.stack([x * 4 % 256, y * 5 % 256, (x * y) % 256], -1).astype(np.uint8)
    assert as_text(perceptual_hash(picture)) == "80031f3f3e787971"  # imagehash 4.3.2, phash()


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_saved_anew_or_scaled_differs_in_few_bits(seed: int) -> None:
    picture = scene(200, 150, seed=seed)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=50)
    saved = np.asarray(Image.open(buffer))
    scaled = np.asarray(Image.fromarray(picture).resize((120, 90)))
    for other in (saved, scaled):
        assert differing(perceptual_hash(picture), perceptual_hash(other)) <= 4


@pytest.mark.parametrize("seed", range(4))
def test_another_picture_and_a_mirrored_one_differ_in_many(seed: int) -> None:
    mine = perceptual_hash(scene(200, 150, seed=seed))
    assert differing(mine, perceptual_hash(scene(200, 150, seed=seed + 10))) > 10
    mirrored = np.ascontiguousarray(scene(200, 150, seed=seed)[:, ::-1])
    assert differing(mine, perceptual_hash(mirrored)) > 10


def test_pictures_of_one_colour_have_one_hash() -> None:
    plain = {perceptual_hash(np.full((40, 50, 3), shade, np.uint8)) for shade in (1, 90, 255)}
    assert len(plain) == 1


def test_text_and_back() -> None:
    for value in (0, 1, 2**64 - 1, 2**63 + 5):
        assert len(as_text(value)) == 16
        assert from_text(as_text(value)) == value
