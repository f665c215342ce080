"""A faithfulness score tells maps that found what matters from maps of noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lookalike_service.explain.faithfulness import NOISE_MAPS, PASSES, SHARES, judge, perturbed
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.objectives import Along
from lookalike_service.images import Pixels
from tests import pictures
from tests.encoders import encode_images, features_of, loaded

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = 64


def stripes() -> Pixels:
    """Black and white lines, which blurring turns grey."""
    lines = np.tile(np.array([0, 255], np.uint8), SIZE // 2)
    return np.repeat(np.broadcast_to(lines, (SIZE, SIZE))[..., None], 3, axis=2).copy()


def left_half() -> NDArray[np.float32]:
    grid = np.zeros((4, 4), np.float32)
    grid[:, :2] = 1
    return grid


def sharpness_on_the_left(images: Pixels) -> NDArray[np.float64]:
    """A target that the left half alone decides."""
    steps = np.abs(np.diff(images[:, :, : SIZE // 2, 0].astype(np.float64), axis=2))
    return np.asarray(steps.mean(axis=(1, 2)))


def test_each_share_of_the_image_is_replaced() -> None:
    images = perturbed(stripes(), left_half())
    assert images.shape == (PASSES, SIZE, SIZE, 3)
    changed = (images != stripes()).any(axis=3).mean(axis=(1, 2))
    expected = [*SHARES, *(1 - share for share in SHARES)] * (1 + NOISE_MAPS)
    np.testing.assert_allclose(changed, expected, atol=0.01)


def test_the_hottest_places_go_first_and_come_first() -> None:
    images = perturbed(stripes(), left_half())
    quarter_gone, quarter_shown = images[1], images[1 + len(SHARES)]
    gone = (quarter_gone != stripes()).any(axis=2)
    shown = (quarter_shown == stripes()).all(axis=2)
    for touched in (gone, shown):
        assert touched[:, : SIZE // 2].mean() > 4 * touched[:, SIZE // 2 :].mean()


def test_the_same_map_is_judged_the_same_every_time() -> None:
    np.testing.assert_array_equal(
        perturbed(stripes(), left_half()), perturbed(stripes(), left_half())
    )


def test_a_map_of_what_decides_is_faithful_and_its_opposite_is_not() -> None:
    right, wrong = (
        judge(sharpness_on_the_left(perturbed(stripes(), grid)))
        for grid in (left_half(), 1 - left_half())
    )
    assert right.verdict == "faithful"
    assert right.score > 2 * right.chance
    assert right.insertion > right.deletion
    assert wrong.verdict == "no better than chance"
    assert wrong.score < 0


def test_a_target_that_nothing_changes_is_no_better_than_chance() -> None:
    found = judge(np.full(PASSES, 0.5))
    assert (found.score, found.chance) == (0, 0)
    assert found.verdict == "no better than chance"


def test_maps_of_noise_are_seldom_called_faithful() -> None:
    rng = np.random.default_rng(5)
    verdicts = [
        judge(sharpness_on_the_left(perturbed(stripes(), rng.random((4, 4), dtype=np.float32))))
        for _ in range(60)
    ]
    assert sum(found.verdict == "faithful" for found in verdicts) <= 12


@pytest.mark.parametrize(("left", "right"), [("chelsea", "coffee"), ("rocket", "astronaut")])
def test_likeness_on_the_right_tile_is_faithful_with_the_real_encoder(
    left: str, right: str
) -> None:
    def tile(name: str) -> Pixels:
        return np.asarray(ImageOps.fit(Image.fromarray(pictures.photograph(name)), (128, 256)))

    encoder, image = loaded(), np.concatenate([tile(left), tile(right)], axis=1)
    query = Along(encode_images(encoder, tile(right)).embeddings[0])
    heatmap = closed_form_map(features_of(encoder, image), query)
    encoded = encoder.encode(perturbed(encoder.preprocess(image), heatmap.grid))
    values = [query.value(embedding.astype(np.float64)) for embedding in encoded.embeddings]
    assert judge(np.array(values)).verdict == "faithful"
