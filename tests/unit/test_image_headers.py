"""Declared sizes agree with what is decoded, and no bytes make reading them fail or last."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookalike_service.image_headers import declared_pixels
from tests.pictures import broken

FORMATS = ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]


def written(format: str, size: tuple[int, int] = (37, 23), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (37, 23), (1, 3000), (400, 300)])
def test_the_size_is_the_one_in_the_file(format: str, size: tuple[int, int]) -> None:
    assert declared_pixels(written(format, size)) == size[0] * size[1]


@pytest.mark.parametrize(
    "data",
    [
        written("WEBP", lossless=True),
        written("WEBP", exif=b"Exif\0\0" + bytes(20)),
        written("JPEG", progressive=True),
        written("JPEG", exif=Image.Exif().tobytes() + bytes(60_000), comment=b"x" * 60_000),
        written("TIFF", compression="tiff_lzw"),
        written("TIFF", big_tiff=False, tiffinfo={270: "a description"}),
    ],
    ids=["lossless webp", "extended webp", "progressive jpeg", "long headers", "lzw tiff", "tags"],
)
def test_variants_of_formats_are_read_too(data: bytes) -> None:
    assert declared_pixels(data) == 37 * 23


@pytest.mark.parametrize("name", [name for name in broken() if "bomb" in name])
def test_a_bomb_declares_what_it_is(name: str) -> None:
    declared = declared_pixels(broken()[name].data)
    assert declared is None or declared > 100_000_000


@given(
    st.sampled_from([written(format) for format in FORMATS]),
    st.integers(0, 200),
    st.binary(max_size=40),
)
def test_damaged_headers_never_raise(sound: bytes, at: int, put: bytes) -> None:
    for data in (sound[:at], sound[:at] + put, sound[:at] + put + sound[at + len(put) :]):
        declared = declared_pixels(data)
        assert declared is None or declared >= 0


def test_a_jpeg_of_endless_segments_is_given_up() -> None:
    assert declared_pixels(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 1_000_000) is None
