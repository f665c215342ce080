"""Sound files of every kind that is read, small, and the same on every run: what the fuzzer breaks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.pictures import rotated_jpeg, saved, scene


@cache
def sound_files() -> dict[str, bytes]:
    """One file of every kind, by name; the name begins with its format."""
    return dict([*_jpegs(), *_pngs(), *_webps(), *_gifs(), *_bmps(), *_tiffs()])


def _picture(mode: str = "RGB", seed: int = 0) -> Image.Image:
    rgb = Image.fromarray(scene(40, 30, seed=seed))
    if mode == "I;16":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)
    if mode in {"RGBA", "LA"}:
        rgb.putalpha(
            Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) % 256).convert("L")
        )
    return rgb.convert(mode)


def _frames() -> list[Image.Image]:
    return [_picture(seed=seed) for seed in range(1, 4)]


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpegs() -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "L", "CMYK"):
        yield f"jpeg {mode}", saved(_picture(mode), "jpeg")
    yield "jpeg progressive", saved(_picture(), "jpeg", progressive=True)
    yield "jpeg progressive grey", saved(_picture("L"), "jpeg", progressive=True, optimize=True)
    yield "jpeg unsampled", saved(_picture(), "jpeg", subsampling=0, quality=97)
    yield "jpeg restarts", saved(_picture(), "jpeg", restart_marker_blocks=1)
    yield "jpeg profile", saved(_picture(), "jpeg", icc_profile=_profile(), comment=b"a comment")
    for orientation in (3, 6):
        yield f"jpeg rotated {orientation}", rotated_jpeg(orientation, 40, 30)


def _pngs() -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA", "L", "LA", "1", "P", "I;16"):
        yield f"png {mode}", saved(_picture(mode), "png")
    yield "png palette with transparency", saved(_picture("P"), "png", transparency=3)
    yield "png colour that is transparent", saved(_picture(), "png", transparency=(250, 240, 30))
    text = PngInfo()
    text.add_text("Comment", "long " * 200, zip=True)
    text.add_itxt("Title", "a title")
    yield "png with text", saved(_picture(), "png", pnginfo=text, icc_profile=_profile())
    more = _frames()
    yield "png animated", saved(more[0], "png", save_all=True, append_images=more[1:])


def _webps() -> Iterator[tuple[str, bytes]]:
    yield "webp lossy", saved(_picture(), "webp")
    yield "webp lossless", saved(_picture(), "webp", lossless=True)
    yield "webp transparent", saved(_picture("RGBA"), "webp", icc_profile=_profile())
    more = _frames()
    yield "webp animated", saved(more[0], "webp", save_all=True, append_images=more[1:])


def _gifs() -> Iterator[tuple[str, bytes]]:
    yield "gif", saved(_picture("P"), "gif", comment=b"a comment")
    yield "gif grey", saved(_picture("L"), "gif", interlace=True)
    yield "gif transparent", saved(_picture("P"), "gif", transparency=3)
    more = _frames()
    yield "gif animated", saved(more[0], "gif", save_all=True, append_images=more[1:], loop=0)


def _bmps() -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA", "L", "P", "1"):
        yield f"bmp {mode}", saved(_picture(mode), "bmp")


def _tiffs() -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA", "L", "P", "CMYK", "I;16", "1"):
        yield f"tiff {mode}", saved(_picture(mode), "tiff")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"tiff {compression}", saved(_picture(), "tiff", compression=compression)
    yield "tiff fax", saved(_picture("1"), "tiff", compression="group4")
    yield "tiff of 64-bit offsets", saved(_picture(), "tiff", big_tiff=True)
    more = _frames()
    yield "tiff of several pages", saved(more[0], "tiff", save_all=True, append_images=more[1:])
    yield "tiff big-endian", _big_endian()


def _big_endian() -> bytes:
    """Grey, uncompressed; Pillow writes the byte order of what it appends to."""
    file = io.BytesIO()
    entries = [
        (256, 40),
        (257, 30),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 0),
        (277, 1),
        (278, 30),
        (279, 1200),
    ]
    file.write(b"MM\0*" + (8).to_bytes(4, "big") + len(entries).to_bytes(2, "big"))
    begins = 8 + 2 + 12 * len(entries) + 4
    for tag, value in entries:
        number = begins if tag == 273 else value
        file.write(tag.to_bytes(2, "big") + (4).to_bytes(2, "big") + (1).to_bytes(4, "big"))
        file.write(number.to_bytes(4, "big"))
    file.write(bytes(4) + _picture("L").tobytes())
    return file.getvalue()
