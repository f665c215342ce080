"""Every kind of image a caller may have becomes bytes to send, or an error that says why not."""

from __future__ import annotations

import base64
import io
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from lookalike import downloads
from lookalike.errors import DownloadFailed, InvalidInput
from lookalike.images import ImageFile, read_image, read_images
from tests.pictures import jpeg, scene


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_path_is_sent_as_the_bytes_of_its_file_and_named(tmp_path: Path) -> None:
    path = tmp_path / "ä [x].jpg"
    path.write_bytes(jpeg())
    for given_path in (path, str(path)):
        file = read_image(given_path)
        assert (file.data, file.source) == (jpeg(), str(path))


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO])
def test_encoded_bytes_are_sent_as_they_are(wrap: Any) -> None:
    assert read_image(wrap(jpeg())).data == jpeg()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_pillow_image_keeps_its_pixels(mode: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    sent = opened(read_image(image).data)
    assert np.array_equal(np.asarray(sent.convert("RGBA")), np.asarray(image.convert("RGBA")))


def test_a_pillow_image_in_cmyk_is_sent_in_rgb() -> None:
    image = Image.fromarray(scene()).convert("CMYK")
    sent = opened(read_image(image).data)
    assert np.array_equal(np.asarray(sent), np.asarray(image.convert("RGB")))


def test_a_sixteen_bit_pillow_image_keeps_its_depth() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    sent = opened(read_image(Image.fromarray(pixels)).data)
    assert np.array_equal(np.asarray(sent), pixels)


def test_a_pillow_image_of_real_numbers_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"mode F .* convert it"):
        read_image(Image.new("F", (2, 2)))


def test_a_photo_opened_with_pillow_keeps_its_orientation() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene()).save(buffer, "JPEG", exif=exif)
    sent = opened(read_image(opened(buffer.getvalue())).data)
    assert sent.getexif()[0x0112] == 6


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.just((4, 5, 3))))
def test_an_array_keeps_its_pixels(pixels: Any) -> None:
    assert np.array_equal(np.asarray(opened(read_image(pixels).data)), pixels)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
    ids=["float", "stack", "channels first", "empty"],
)
def test_an_array_of_another_shape_or_type_is_refused_with_both_named(array: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_image(array)
    assert str(array.dtype) in caught.value.detail
    assert str(array.shape) in caught.value.detail


def test_an_array_without_pillow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(InvalidInput, match="pip install pillow"):
        read_image(scene())


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A web server with a picture at /a.jpg, to which /moved leads; it refuses to know who asks."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"/a.jpg": 200, "/moved": 302, "/cut.jpg": 200}
            self.send_response(
                400 if "authorization" in self.headers else known.get(self.path, 404)
            )
            self.send_header("Location", "/a.jpg")
            self.send_header("Content-Length", str(len(jpeg()) + (self.path == "/cut.jpg")))
            self.end_headers()
            self.wfile.write(jpeg())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/a.jpg", "/moved"])
def test_a_url_is_fetched_without_the_services_key_and_named(
    web: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_API_KEY", "secret")
    for url in (web + path, web.replace("http", "HTTP") + path):
        assert read_image(url) == ImageFile(jpeg(), url)


@pytest.mark.parametrize(
    ("path", "said"), [("/gone.jpg", "404 Not Found"), ("/cut.jpg", "fetched")]
)
def test_a_url_that_cannot_be_fetched_is_said_with_its_reason(
    web: str, path: str, said: str
) -> None:
    with pytest.raises(DownloadFailed, match=said):
        read_image(web + path)


def test_a_download_ends_at_its_limit(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_MAX_BYTES", 100)
    with pytest.raises(DownloadFailed, match="more than 100 bytes"):
        read_image(f"{web}/a.jpg")


def test_a_data_url_holds_its_bytes() -> None:
    text = base64.b64encode(jpeg()).decode()
    assert read_image(f"data:image/jpeg;base64,{text}") == ImageFile(jpeg())
    assert read_image("DATA:image/svg+xml,%3Csvg/%3E") == ImageFile(b"<svg/>")


@pytest.mark.parametrize(
    "url", ["s3://b/k", "file:///etc/passwd", "http://", "data:image/png", "data:;base64,?"]
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        read_image(url)


@pytest.mark.parametrize("thing", [3, object(), {"a": 1}, io.StringIO("text")])
def test_what_is_no_image_is_refused(thing: Any) -> None:
    with pytest.raises(InvalidInput):
        read_image(thing)


def test_a_missing_file_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_image("there is no such file.jpg")


def test_one_image_and_a_list_of_one_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    for image in (path, str(path), jpeg(), scene(), Image.fromarray(scene())):
        assert read_images(image) == read_images([image])
    assert read_images(io.BytesIO(jpeg())) == read_images(jpeg())


def test_no_images_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        read_images([])
