"""Whether a map can be believed: the target should fall when the map's hottest places are blurred.

Deletion and insertion (Petsiuk et al., 2018, arXiv:1806.07421): blur the image where the map is hottest,
more and more of it, and watch the target; and the other way round, show only the hottest places of a blurred
image. A map that found what matters makes the first curve fall early and the second rise early. The score is
the area under the insertion curve less that under the deletion curve, in the target's own unit.

For a map of noise the two areas are equal on average, since its order reversed is noise as well. How far
apart they get by chance is measured on the same image with maps of noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from lookalike_service.images import Pixels

Verdict = Literal["faithful", "weak", "no better than chance"]

SHARES = (1 / 8, 3 / 8, 5 / 8, 7 / 8)
"""Shares of the image that are replaced: midpoints of quarters, so their mean value is the area."""
NOISE_MAPS = 3
PASSES = (1 + NOISE_MAPS) * 2 * len(SHARES)
"""Images that judging one map embeds."""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How a map did: areas under its two curves, their difference, and the largest difference by chance.

    `verdict`: `faithful` if the score is more than twice what chance gave, `weak` if it is more than chance
    gave, else `no better than chance`. A map of noise gets `faithful` about once in twenty times.
    """

    deletion: float
    insertion: float
    score: float
    chance: float
    verdict: Verdict


def perturbed(pixels: Pixels, grid: NDArray[np.float32]) -> Pixels:
    """The images to embed: uint8 (PASSES, height, width, 3), of one (height, width, 3) and its map (h, w).

    In order: the map's deletions, its insertions, then both of each map of noise. The same for every call.
    """
    rng = np.random.default_rng(0)
    blurred = _blurred(pixels)
    maps = [grid, *(rng.random(grid.shape, dtype=np.float32) for _ in range(NOISE_MAPS))]
    images: list[Pixels] = []
    for heat in maps:
        hotness = _hotness(heat, pixels.shape[:2], rng)
        masks = [hotness[..., None] < share for share in SHARES]
        images += [np.where(mask, blurred, pixels) for mask in masks]
        images += [np.where(mask, pixels, blurred) for mask in masks]
    return np.stack(images)


def judge(values: NDArray[np.floating]) -> Faithfulness:
    """The verdict from the target's values, (PASSES,), for the images of `perturbed` in their order."""
    areas = values.reshape(1 + NOISE_MAPS, 2, len(SHARES)).mean(axis=2)
    differences = areas[:, 1] - areas[:, 0]
    score, chance = float(differences[0]), float(np.abs(differences[1:]).max())
    verdict: Verdict = "no better than chance"
    if score > chance:
        verdict = "faithful" if score > 2 * chance else "weak"
    return Faithfulness(float(areas[0, 0]), float(areas[0, 1]), score, chance, verdict)


def _blurred(pixels: Pixels) -> Pixels:
    radius = max(pixels.shape[:2]) / 10
    return np.asarray(Pillow.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _hotness(
    heat: NDArray[np.float32], shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The rank of each pixel, 0 the hottest and just under 1 the coldest; equals in random order."""
    height, width = shape
    smooth = np.asarray(Pillow.fromarray(heat).resize((width, height), Pillow.Resampling.BILINEAR))
    order = np.lexsort((rng.random(smooth.size), -smooth.ravel()))
    rank = np.empty(smooth.size)
    rank[order] = np.arange(smooth.size) / smooth.size
    return rank.reshape(height, width)
