"""Overlays are pictures that show the map where it belongs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.overlay import Panel, blend, sheet
from lookalike_service.images import Pixels, Region

EMPTY = Heatmap(np.zeros((7, 7), np.float32), 0.0, empty=True)


def spot(row: int, column: int) -> Heatmap:
    grid = np.zeros((7, 7), np.float32)
    grid[row, column] = 1
    return Heatmap(grid, 0.02, empty=False)


def grey(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), 128, np.uint8)


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        image.load()
        return image.size


@pytest.mark.parametrize(
    ("width", "height"), [(500, 375), (375, 500), (4000, 3000), (20, 30), (1, 500), (3000, 2)]
)
def test_the_aspect_is_kept_at_a_size_worth_looking_at(width: int, height: int) -> None:
    drawn = blend(grey(width, height), spot(3, 3), Region(0, 0, width, height))
    assert 384 <= max(drawn.shape[:2]) <= 768
    expected = max(1, round(min(width, height) * max(drawn.shape[:2]) / max(width, height)))
    assert min(drawn.shape[:2]) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 3), (6, 0), (2, 5)])
def test_the_hottest_place_is_drawn_within_the_region(row: int, column: int) -> None:
    region = Region(100, 40, 280, 280)
    drawn = blend(grey(480, 400), spot(row, column), region).astype(int)
    warmth = drawn[..., 0] + drawn[..., 1] - 2 * drawn[..., 2]  # yellow is hottest
    y, x = np.unravel_index(warmth.argmax(), warmth.shape)
    assert x == pytest.approx(region.left + (column + 0.5) * 40, abs=25)
    assert y == pytest.approx(region.top + (row + 0.5) * 40, abs=25)


def test_what_lies_outside_the_region_is_grey_and_the_region_outlined() -> None:
    red = np.zeros((400, 480, 3), np.uint8)
    red[..., 0] = 255
    drawn = blend(red, EMPTY, Region(100, 40, 280, 280))
    outside = drawn[:, :90]
    assert (outside == outside[..., :1]).all()
    assert (drawn[40, 100:380] == 255).all()
    assert drawn[200, 240, 0] > drawn[200, 240, 1] + 50


def test_a_map_over_the_whole_picture_has_no_outline() -> None:
    drawn = blend(grey(400, 400), EMPTY, Region(0, 0, 400, 400))
    assert drawn.max() < 200


def test_an_overlay_is_a_png_wider_than_its_picture_by_the_colour_bar() -> None:
    panel = Panel(grey(500, 400), spot(3, 3), Region(50, 0, 400, 400))
    width, height = size_of(sheet([panel]))
    assert 500 < width < 620
    assert 400 < height < 440


def test_an_empty_map_says_so_on_its_overlay() -> None:
    region = Region(50, 0, 400, 400)
    with_note = size_of(sheet([Panel(grey(500, 400), EMPTY, region)]))
    without = size_of(sheet([Panel(grey(500, 400), spot(1, 1), region)]))
    assert with_note[1] > without[1]


def test_panels_of_different_sizes_stand_side_by_side() -> None:
    panels = [
        Panel(grey(500, 400), spot(1, 1), Region(50, 0, 400, 400), "image"),
        Panel(grey(400, 600), EMPTY, Region(0, 100, 400, 400), "reference"),
    ]
    width, height = size_of(sheet(panels))
    assert width > 900
    assert height > 600


def test_panels_beyond_the_columns_go_into_the_next_row() -> None:
    panel = Panel(grey(400, 400), spot(1, 1), Region(0, 0, 400, 400), "one")
    row, rows = size_of(sheet([panel] * 2, columns=2)), size_of(sheet([panel] * 3, columns=2))
    assert rows[0] == row[0]
    assert rows[1] > row[1] + 400


def test_a_caption_longer_than_its_picture_is_cut() -> None:
    region = Region(0, 0, 400, 400)
    short, long = (
        size_of(sheet([Panel(grey(400, 400), spot(1, 1), region, caption)]))
        for caption in ("id", "a/very/long/path\nof/an/image/" * 20)
    )
    assert long == short


def test_a_verdict_is_drawn_whole_after_a_caption_that_is_cut() -> None:
    region, caption = Region(0, 0, 400, 400), "a text that was looked for, and " * 10
    judged, other = (
        sheet([Panel(grey(400, 400), spot(1, 1), region, caption, verdict)])
        for verdict in ("faithful", "no better than chance")
    )
    assert size_of(judged) == size_of(other)
    with Image.open(io.BytesIO(judged)) as one, Image.open(io.BytesIO(other)) as two:
        drawn, another = np.asarray(one).astype(int), np.asarray(two).astype(int)
    differs = np.abs(drawn - another).sum(axis=(1, 2)) > 0
    assert differs[-40:].any()
    assert not differs[:-40].any()


def test_a_title_stands_above_and_is_shown_whole() -> None:
    panel = Panel(grey(400, 400), spot(1, 1), Region(0, 0, 400, 400))
    plain, titled = size_of(sheet([panel])), size_of(sheet([panel], title="why here " * 20))
    assert titled[1] > plain[1]
    assert titled[0] > plain[0]


def test_a_sheet_without_panels_is_still_a_picture() -> None:
    assert size_of(sheet([], title="nobody here"))[0] > 50


def test_a_sheet_needs_columns() -> None:
    with pytest.raises(ValueError, match="columns"):
        sheet([], columns=0)
