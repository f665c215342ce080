"""Plots of projections: pictures of a sane size, whatever is drawn."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lookalike_service.analysis.plot import plot_projection
from lookalike_service.errors import InvalidParameters

XY = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
XYZ = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Drawn = NDArray[np.uint8]


def drawn(coordinates: Any, **options: Any) -> Drawn:
    """The pixels of the plot."""
    data = plot_projection(coordinates, title=options.pop("title", "a map"), **options)
    assert 5_000 < len(data) < 1_000_000
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    assert 900 <= image.width <= 2000
    assert 700 <= image.height <= 1600
    return np.asarray(image.convert("RGB"))


def hues(picture: Drawn) -> int:
    """How many clearly different colours fill some area of the picture."""
    coloured = picture[np.ptp(picture, axis=2) > 60] // 32
    _, counts = np.unique(coloured, axis=0, return_counts=True)
    return int((counts > 60).sum())


@pytest.mark.parametrize("coordinates", [XY, XYZ], ids=["2-D", "3-D"])
@pytest.mark.parametrize(
    "options",
    [{}, {"labels": np.arange(60) % 3 - 1, "legend": "k"}, {"values": np.arange(60.0)}],
    ids=["plain", "clusters", "values"],
)
def test_two_and_three_dimensions_are_drawn(coordinates: Any, options: Any) -> None:
    drawn(coordinates, **options)


def test_clusters_are_coloured_and_noise_is_grey() -> None:
    assert hues(drawn(XY, labels=np.full(60, -1))) == 0
    assert hues(drawn(XY, labels=np.arange(60) % 4)) >= 4


def test_of_many_categories_the_most_frequent_are_named() -> None:
    names = [f"species number {i % 57}" for i in range(60)]
    many, few = drawn(XY, labels=names, legend="metadata.species"), drawn(XY, labels=["a"] * 60)
    assert many.shape == few.shape


def test_unknown_values_are_grey_and_the_others_keep_their_scale() -> None:
    values = np.linspace(0, 1, 60)
    values[::3] = np.nan
    assert hues(drawn(XY, values=values)) > 3


def test_values_that_are_all_unknown_or_all_equal_are_drawn() -> None:
    drawn(XY, values=np.full(60, np.nan))
    drawn(XY, values=np.full(60, 7.0))


def test_one_point_and_points_in_one_place_are_drawn() -> None:
    drawn(XY[:1])
    drawn(np.zeros((5, 2), np.float32), labels=["a"] * 5)


def test_no_points_are_an_empty_map() -> None:
    drawn(np.zeros((0, 2), np.float32), labels=[])


def test_long_and_odd_names_neither_fail_nor_widen_the_picture() -> None:
    names = ["$x^{$", "a" * 400, "_hidden", "", "tab\there", "two\nlines"] * 10
    odd = drawn(XY, labels=names, title="$\\frac{" + "t" * 500, legend="_$_" + "l" * 300)
    assert odd.shape == drawn(XY, labels=["a"] * 60).shape


def test_a_category_whose_name_begins_with_an_underscore_is_in_the_legend_too() -> None:
    def legend_ink(names: list[str]) -> int:
        right = drawn(XY, labels=names)[:, -120:]
        return int((right.min(axis=2) < 128).sum())

    assert legend_ink(["_a", "_b"] * 30) > 1.5 * legend_ink(["_a"] * 60) > 0


@pytest.mark.parametrize(
    ("coordinates", "options", "text"),
    [
        (XY[:, :1], {}, r"\(60, 1\); allowed: \(n, 2\) or \(n, 3\)"),
        (XY, {"labels": ["a"]}, "1 labels for 60 points"),
        (XY, {"values": [1.0, 2.0]}, "2 values for 60 points"),
        (XY, {"labels": ["a"] * 60, "values": [1.0] * 60}, "not by both"),
    ],
)
def test_what_does_not_fit_is_refused(coordinates: Any, options: Any, text: str) -> None:
    with pytest.raises(InvalidParameters, match=text):
        plot_projection(coordinates, title="a map", **options)
