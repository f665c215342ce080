"""Decoding: every format and pixel kind that is read, and what becomes of everything else."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from lookalike_service import errors
from lookalike_service.images import Limits, decode, thumbnail
from tests import pictures

LIMITS = Limits(max_bytes=32 * 2**20, max_pixels=100_000_000)
LOSSLESS = ("png", "webp", "bmp", "tiff")

# Pillow warns of damaged metadata before it goes on; the service's answer must not depend on that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


@pytest.mark.parametrize("format", pictures.FORMATS)
def test_every_format_decodes_to_its_picture(format: str) -> None:
    options: dict[str, Any] = {"lossless": True} if format == "webp" else {}
    scene = pictures.scene(64, 48)
    image = decode(pictures.encoded(scene, format, **options), LIMITS)
    assert (image.format, image.width, image.height) == (format, 64, 48)
    assert image.rgb.shape == (48, 64, 3)
    assert image.rgb.dtype == np.uint8
    difference = np.abs(image.rgb.astype(int) - scene)
    assert difference.mean() <= (0 if format in LOSSLESS else 6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
def test_a_compressed_tiff_decodes(compression: str) -> None:
    scene = pictures.scene()
    rgb = decode(pictures.encoded(scene, "tiff", compression=compression), LIMITS).rgb
    assert np.abs(rgb.astype(int) - scene).mean() <= (6 if compression == "jpeg" else 0)


def test_a_progressive_jpeg_decodes() -> None:
    data = pictures.encoded(pictures.scene(), "jpeg", progressive=True)
    assert decode(data, LIMITS).rgb.shape == (48, 64, 3)


def test_a_multi_picture_jpeg_decodes_to_its_first_picture() -> None:
    first, second = (Pillow.fromarray(pictures.scene(seed=s)) for s in (1, 2))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    image = decode(buffer.getvalue(), LIMITS)
    assert image.format == "jpeg"
    assert np.abs(image.rgb.astype(int) - np.asarray(first)).mean() < 6


def test_an_animated_gif_decodes_to_its_first_frame() -> None:
    frames = [Pillow.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    data = pictures.saved(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert (decode(data, LIMITS).rgb == (255, 0, 0)).all()


# -- pixel kinds


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_16_bit_grey_is_scaled_over_its_full_range(format: str) -> None:
    samples = np.array([[0, 128, 129, 257], [32768, 65407, 65535, 1000]], dtype=np.uint16)
    rgb = decode(pictures.encoded(samples, format), LIMITS).rgb
    expected = np.round(samples / 257).astype(np.uint8)
    np.testing.assert_array_equal(rgb, np.stack([expected] * 3, axis=-1))


def test_big_endian_16_bit_tiff_is_read_alike() -> None:
    samples = np.array([[0, 40000], [65535, 257]], dtype=np.uint16)
    data = pictures.saved(
        Pillow.frombytes("I;16B", (2, 2), samples.astype(">u2").tobytes()), "tiff"
    )
    assert data[:2] == b"MM"
    expected = np.round(samples / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode(data, LIMITS).rgb[..., 0], expected)


def test_16_bit_tiff_where_white_is_zero_is_inverted() -> None:
    samples = np.array([[0, 65535]], dtype=np.uint16)
    data = pictures.encoded(samples, "tiff", tiffinfo={262: 0})
    np.testing.assert_array_equal(decode(data, LIMITS).rgb[..., 0], [[255, 0]])


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_bilevel_and_palette_keep_their_colours(mode: str) -> None:
    black_white = Pillow.fromarray(np.array([[0, 255, 0], [255, 255, 0]], dtype=np.uint8))
    rgb = decode(pictures.saved(black_white.convert(mode), "png"), LIMITS).rgb
    np.testing.assert_array_equal(rgb[..., 0], np.asarray(black_white))
    assert (rgb[..., 0:1] == rgb).all()


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_transparency_is_composited_on_white(format: str) -> None:
    rgba = np.zeros((2, 3, 4), dtype=np.uint8)
    rgba[0] = (200, 0, 0, 255)
    rgba[1] = (200, 0, 0, 0)
    options: dict[str, Any] = {"lossless": True, "exact": True} if format == "webp" else {}
    rgb = decode(pictures.encoded(rgba, format, **options), LIMITS).rgb
    assert (rgb[0] == (200, 0, 0)).all()
    assert (rgb[1] == 255).all()


def test_half_transparent_grey_is_composited_on_white() -> None:
    data = pictures.saved(Pillow.new("LA", (2, 2), (0, 128)), "png")
    assert abs(int(decode(data, LIMITS).rgb[0, 0, 0]) - 127) <= 1


def test_a_transparent_palette_entry_becomes_white() -> None:
    palette = Pillow.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    rgb = decode(pictures.saved(palette, "png", transparency=1), LIMITS).rgb
    np.testing.assert_array_equal(rgb, [[[10, 20, 30], [255, 255, 255]]])


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    red = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))
    rgb = decode(pictures.saved(red, "jpeg", quality=95), LIMITS).rgb
    assert np.abs(rgb.astype(int) - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_samples_without_a_range_are_refused(dtype: type) -> None:
    data = pictures.encoded(np.arange(12, dtype=dtype).reshape(3, 4), "tiff")
    with pytest.raises(errors.UnsupportedImage, match="8- or 16-bit"):
        decode(data, LIMITS)


# -- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    image = decode(pictures.rotated_jpeg(orientation, 64, 48), LIMITS)
    assert (image.width, image.height) == ((64, 48) if orientation < 5 else (48, 64))
    assert image.rgb.shape == (image.height, image.width, 3)
    scene = pictures.scene(64, 48)
    upright = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.swapaxes(0, 1),
        6: np.rot90(scene, -1),
        7: np.rot90(scene, 2).swapaxes(0, 1),
        8: np.rot90(scene),
    }[orientation]
    assert np.abs(image.rgb.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_orientation_is_honoured_outside_jpeg_too(format: str) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    data = pictures.encoded(pictures.scene(64, 48), format, exif=exif)
    assert (decode(data, LIMITS).width, decode(data, LIMITS).height) == (48, 64)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_leaves_the_picture_as_stored(orientation: int) -> None:
    assert decode(pictures.rotated_jpeg(orientation), LIMITS).width == 64


def test_damaged_exif_leaves_the_picture_as_stored() -> None:
    data = pictures.encoded(pictures.scene(), "jpeg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")
    assert decode(data, LIMITS).rgb.shape == (48, 64, 3)


# -- decoding at a reduced scale


def test_a_large_jpeg_is_decoded_smaller_where_that_suffices() -> None:
    data = pictures.encoded(pictures.scene(800, 600), quality=95)
    image = decode(data, LIMITS, shorter=140)
    assert image.rgb.shape == (150, 200, 3)
    assert (image.width, image.height) == (800, 600)
    small = Pillow.fromarray(pictures.scene(800, 600)).resize((200, 150), Pillow.Resampling.BOX)
    assert np.abs(image.rgb.astype(int) - np.asarray(small)).mean() < 6


@given(
    width=st.integers(1, 90).flatmap(lambda n: st.sampled_from([n, 4 * n, 8 * n])),
    height=st.integers(1, 90).flatmap(lambda n: st.sampled_from([n, 4 * n, 8 * n])),
    shorter=st.integers(1, 300),
)
@settings(max_examples=60, deadline=None)
def test_a_reduced_picture_is_never_shorter_than_asked_nor_larger_than_its_file(
    width: int, height: int, shorter: int
) -> None:
    image = decode(pictures.encoded(pictures.scene(width, height)), LIMITS, shorter=shorter)
    assert (image.width, image.height) == (width, height)
    height_, width_, _ = image.rgb.shape
    assert min(shorter, width, height) <= min(height_, width_) <= min(width, height)
    assert width_ * height == height_ * width


@pytest.mark.parametrize("size", [(801, 600), (800, 601), (802, 602)])
def test_a_jpeg_is_not_reduced_to_a_fraction_of_a_pixel(size: tuple[int, int]) -> None:
    rgb = decode(pictures.encoded(pictures.scene(*size)), LIMITS, shorter=140).rgb
    assert rgb.shape[:2] in [(size[1], size[0]), (size[1] / 2, size[0] / 2)]
    assert size[0] * rgb.shape[0] == size[1] * rgb.shape[1]


@pytest.mark.parametrize("format", [f for f in pictures.FORMATS if f != "jpeg"])
def test_other_formats_are_decoded_in_full(format: str) -> None:
    data = pictures.encoded(pictures.scene(640, 480), format)
    assert decode(data, LIMITS, shorter=10).rgb.shape == (480, 640, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_picture_comes_out_upright_with_its_full_size(orientation: int) -> None:
    data = pictures.rotated_jpeg(orientation, 640, 480)
    reduced, full = decode(data, LIMITS, shorter=120), decode(data, LIMITS)
    assert (reduced.width, reduced.height) == (full.width, full.height)
    assert reduced.rgb.shape == (full.height // 4, full.width // 4, 3)
    small = Pillow.fromarray(full.rgb).resize((full.width // 4, full.height // 4))
    assert np.abs(reduced.rgb.astype(int) - np.asarray(small)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_colours_are_reduced_too(mode: str) -> None:
    data = pictures.saved(Pillow.fromarray(pictures.scene(640, 480)).convert(mode), "jpeg")
    assert decode(data, LIMITS, shorter=120).rgb.shape == (120, 160, 3)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.3, 0.7, 0.95])
def test_a_jpeg_cut_short_is_truncated_at_any_scale(kept: float, progressive: bool) -> None:
    data = pictures.encoded(pictures.scene(640, 480), progressive=progressive)
    with pytest.raises(errors.TruncatedImage):
        decode(data[: int(len(data) * kept)], LIMITS, shorter=60)


def test_limits_are_those_of_the_file_at_any_scale() -> None:
    with pytest.raises(errors.TooManyPixels, match="307,200"):
        decode(pictures.jpeg(640, 480), Limits(2**20, 640 * 480 - 1), shorter=60)


# -- broken files and limits


@pytest.mark.parametrize("name", pictures.broken())
def test_each_kind_of_broken_file_has_its_error(name: str) -> None:
    file = pictures.broken()[name]
    with pytest.raises(errors.ImageError) as caught:
        decode(file.data, LIMITS)
    assert type(caught.value) is file.error
    assert "object at" not in caught.value.detail


@pytest.mark.parametrize("format", pictures.FORMATS)
@pytest.mark.parametrize("kept", [0.1, 0.3, 0.7, 0.95])
def test_a_file_cut_short_is_called_truncated(format: str, kept: float) -> None:
    data = pictures.encoded(pictures.scene(320, 240), format)
    with pytest.raises(errors.TruncatedImage):
        decode(data[: int(len(data) * kept)], LIMITS)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
def test_a_compressed_tiff_cut_short_is_called_truncated(compression: str) -> None:
    data = pictures.encoded(pictures.scene(320, 240), "tiff", compression=compression)
    with pytest.raises(errors.TruncatedImage):
        decode(data[: len(data) * 9 // 10], LIMITS)


def test_the_byte_limit_is_inclusive() -> None:
    data = pictures.jpeg()
    decode(data, Limits(len(data), 10_000))
    with pytest.raises(errors.ImageTooLarge, match=f"{len(data) - 1:,}"):
        decode(data, Limits(len(data) - 1, 10_000))


def test_the_pixel_limit_is_inclusive() -> None:
    data = pictures.jpeg(64, 48)
    decode(data, Limits(2**20, 64 * 48))
    with pytest.raises(errors.TooManyPixels, match="3,071"):
        decode(data, Limits(2**20, 64 * 48 - 1))


def test_pillows_own_ceiling_does_not_undercut_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    assert decode(pictures.jpeg(64, 48), Limits(2**20, 64 * 48)).width == 64


def test_pixels_are_not_decoded_before_the_limit_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PIL import ImageFile

    def load(file: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(errors.TooManyPixels):
        decode(pictures.jpeg(64, 48), Limits(2**20, 100))


def test_a_gif_whose_frame_outgrows_its_screen_is_a_bomb() -> None:
    data = bytearray(pictures.encoded(pictures.scene(), "gif"))
    frame = data.index(b",", 13 + 768)
    data[frame + 5 : frame + 9] = struct.pack("<HH", 65_000, 65_000)
    with pytest.raises(errors.TooManyPixels):
        decode(bytes(data), LIMITS)


def test_a_picture_without_pixels_is_corrupt() -> None:
    data = bytearray(pictures.encoded(pictures.scene(), "bmp"))
    data[18:22] = struct.pack("<i", 0)
    with pytest.raises(errors.CorruptImage):
        decode(bytes(data), LIMITS)


def test_running_out_of_memory_is_not_called_corruption(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    def load(file: ImageFile.ImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(errors.TooManyPixels, match="memory"):
        decode(pictures.jpeg(), LIMITS)


SOUND = {
    **{format: pictures.encoded(pictures.scene(), format) for format in pictures.FORMATS},
    "progressive jpeg": pictures.encoded(pictures.scene(), "jpeg", progressive=True),
    "rotated jpeg": pictures.rotated_jpeg(6),
    "lossless webp": pictures.encoded(pictures.scene(), "webp", lossless=True),
    "lzw tiff": pictures.encoded(pictures.scene(), "tiff", compression="tiff_lzw"),
    "jpeg tiff": pictures.encoded(pictures.scene(), "tiff", compression="jpeg"),
    "16-bit png": pictures.encoded(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100, "png"),
}


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """A sound file with bytes overwritten, most often near its header, removed or inserted."""
    data = bytearray(SOUND[draw(st.sampled_from(sorted(SOUND)))])
    for _ in range(draw(st.integers(1, 6))):
        reach = draw(st.sampled_from([64, 1024, len(data)]))
        place = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        removed = draw(st.sampled_from([1, 1, 1, 0, 4, 200]))
        data[place : place + removed] = draw(st.binary(max_size=4))
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutated_files())
def test_a_mutated_file_decodes_or_raises_an_image_error(data: bytes) -> None:
    limits = Limits(2**20, 1_000_000)
    try:
        image = decode(data, limits)
    except errors.ImageError as error:
        assert " at 0x" not in error.detail  # noqa: PT017 - any image error will do, nothing else may be raised
    else:
        assert image.rgb.shape == (image.height, image.width, 3)
        assert image.rgb.dtype == np.uint8
        assert image.rgb.size <= 3 * limits.max_pixels


@given(st.binary(max_size=64), st.sampled_from(["jpeg", "png", "webp", "gif", "bmp", "tiff"]))
def test_a_signature_followed_by_noise_raises_an_image_error(noise: bytes, format: str) -> None:
    with pytest.raises(errors.ImageError):
        decode(SOUND[format][:12] + noise, LIMITS)


@pytest.mark.parametrize("size", [(1, 1_000_001), (1_000_001, 1)])
def test_a_picture_whose_side_takes_more_memory_than_its_pixels_is_refused(
    size: tuple[int, int],
) -> None:
    data = pictures.saved(Pillow.new("1", size), "png")
    with pytest.raises(errors.TooManyPixels, match="1,000,000 pixels a side"):
        decode(data, LIMITS)


# -- thumbnails

BEYOND_MEMORY = np.broadcast_to(np.zeros(3, np.uint8), (2**25, 2**25, 3))
"""Of more pixels than a machine has addresses, all of them the same three bytes."""


def test_a_thumbnail_that_there_is_not_memory_for_is_an_error_of_the_picture() -> None:
    with pytest.raises(errors.TooManyPixels, match="memory"):
        thumbnail(BEYOND_MEMORY)


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 200), (192, 96)), ((1, 500), (1, 192)), ((20, 10), (20, 10))]
)
def test_a_thumbnail_is_a_jpeg_within_its_square(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = decode(thumbnail(pictures.scene(*size)), LIMITS)
    assert image.format == "jpeg"
    assert (image.width, image.height) == expected
