"""The limits on a file's structure are beyond what encoders, cameras and phones make."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike_service.errors import CorruptImage
from lookalike_service.images import Limits, decode
from tests.faults.hostile_files import jpeg_segment, of_scans, tiff_of_strips
from tests.faults.sound_files import sound_files
from tests.pictures import jpeg, saved

LIMITS = Limits(max_bytes=32 * 2**20, max_pixels=100_000_000)
SCANS = b"\xff\xda\0\0" * 500
"""What looks like scans where nothing is decoded."""


@pytest.mark.parametrize("name", sound_files())
def test_ordinary_files_are_decoded(name: str) -> None:
    assert decode(sound_files()[name], LIMITS).width in (30, 40)


def test_a_progressive_jpeg_of_100_scans_is_decoded_and_of_more_is_not() -> None:
    ordinary = saved(Image.new("L", (64, 64), 7), "jpeg", progressive=True).count(b"\xff\xda")
    assert decode(of_scans(101 - ordinary, side=64), LIMITS).width == 64
    with pytest.raises(CorruptImage, match="100 scans"):
        decode(of_scans(102 - ordinary, side=64), LIMITS)


@pytest.mark.parametrize(
    "between", [b"\xff\x01", b"\xff\xd0", b"\xff\xff\xff", b"garbage", b"\xff\0"]
)
def test_scans_are_counted_whatever_stands_between_them(between: bytes) -> None:
    data = of_scans(200, side=64)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    with pytest.raises(CorruptImage, match="100 scans"):
        decode(data.replace(scan, scan + between), LIMITS)


@pytest.mark.parametrize("hidden", ["thumbnail", "video"])
def test_scans_in_a_thumbnail_or_a_film_do_not_count(hidden: str) -> None:
    data, film = jpeg(), SCANS
    if hidden == "thumbnail":
        data, film = data[:2] + jpeg_segment(0xE1, b"Exif\0\0" + SCANS) + data[2:], b""
    np.testing.assert_array_equal(decode(data + film, LIMITS).rgb, decode(jpeg(), LIMITS).rgb)


def test_a_tiff_of_a_strip_per_row_is_decoded() -> None:
    image = decode(tiff_of_strips(20_000), LIMITS)
    assert image.rgb.shape == (20_000, 4, 3)
    np.testing.assert_array_equal(image.rgb[19_999, :, 0], [0x10, 0x20, 0x30, 0x40])


def test_a_png_written_in_small_chunks_is_decoded() -> None:
    import io

    from PIL import ImageFile

    rng = np.random.default_rng(3)
    picture = Image.fromarray(rng.integers(0, 256, (1000, 1000, 3), np.uint8))
    file = io.BytesIO()
    usual, ImageFile.MAXBLOCK = ImageFile.MAXBLOCK, 512
    try:
        picture.save(file, "png", compress_level=0)
    finally:
        ImageFile.MAXBLOCK = usual
    assert decode(file.getvalue(), LIMITS).width == 1000
