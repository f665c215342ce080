"""Bytes in, embedding out: decode in threads, join a batch, answer each image alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.perceptual_hash import perceptual_hash
from lookalike_service.encoders.batch import EncodedItem, EncodeItem, Outcome
from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import LookalikeError, Overloaded
from lookalike_service.images import Crop, Limits, cut, decode, shrink, thumbnail
from lookalike_service.settings import Settings

Infer = Callable[[EncodeItem], Awaitable[Outcome]]
"""Joins the adaptive batch: one item in, its outcome back."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image ready for the encoder, with what is kept of the original.

    `pixels`: uint8 (height, width, 3) of the encoder's input size; of a part of the image, where
    one was asked for; `width` and `height` are the whole upright original's. `rgb` (what was embedded, before
    it was scaled, uint8) only where asked for; `thumbnail` (JPEG) and `phash`, its perceptual hash, as well.
    """

    pixels: Pixels
    width: int
    height: int
    format: str
    rgb: Pixels | None = None
    thumbnail: bytes | None = None
    phash: int | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """One image with its embedding."""

    image: Decoded
    encoded: EncodedItem


@lru_cache(maxsize=1)
def _canary() -> bytes:
    """A small JPEG that certainly decodes."""
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    return thumbnail(
        np.stack(
            [
                np.tile(ramp, (64, 1)),
                np.tile(ramp[:, None], (1, 64)),
                np.full((64, 64), 128, np.uint8),
            ],
            -1,
        )
    )


class Embedder:
    """Decodes and encodes images under a bound on the work accepted."""

    def __init__(self, settings: Settings, infer: Infer) -> None:
        self._infer = infer
        self._limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
        self._capacity = settings.max_queue
        self._in_flight = 0
        self._threads = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decode")

    @property
    def in_flight(self) -> int:
        """Images accepted and not yet answered."""
        return self._in_flight

    def close(self) -> None:
        """Stop the decode threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def embed(
        self,
        encoder: Encoder,
        images: Sequence[bytes],
        *,
        features: bool = False,
        keep_rgb: bool = False,
        keep_thumbnail: bool = False,
        crop: Crop | None = None,
    ) -> list[Embedded | LookalikeError]:
        """Embed each image, or this part of it; one that fails comes back as its error, in its place.

        Raises Overloaded, before any work, if the images do not fit the queue.
        """
        self._admit(len(images))
        try:
            return await asyncio.gather(
                *(
                    self._embed_one(
                        encoder,
                        data,
                        features=features,
                        keep_rgb=keep_rgb,
                        keep_thumbnail=keep_thumbnail,
                        crop=crop,
                    )
                    for data in images
                )
            )
        finally:
            self._in_flight -= len(images)

    async def embed_texts(self, encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the encoder's space: float32 (n, dim), unit L2 norm.

        Raises UnsupportedText, and Overloaded, before any work, if they do not fit the queue.
        """
        self._admit(len(texts))
        try:
            return await asyncio.to_thread(encoder.encode_text, list(texts))
        finally:
            self._in_flight -= len(texts)

    def picture(self, data: bytes) -> Pixels:
        """The upright picture, uint8 (height, width, 3), within the limits. Raises ImageError."""
        return decode(data, self._limits).rgb

    async def encode(
        self, encoder: Encoder, pixels: Pixels, *, features: bool = False
    ) -> list[EncodedItem]:
        """Embed preprocessed images, uint8 (n, height, width, 3), through the same batches.

        Raises Overloaded, before any work, if they do not fit the queue, and the first image's error.
        """
        self._admit(len(pixels))
        try:
            outcomes = await asyncio.gather(
                *(self._infer(EncodeItem(encoder, image, features)) for image in pixels)
            )
        finally:
            self._in_flight -= len(pixels)
        for outcome in outcomes:
            if isinstance(outcome, LookalikeError):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, EncodedItem)]

    async def canary(self, encoder: Encoder, seconds: float) -> str:
        """Embed a known image past the queue's bound: "ok", or what went wrong."""
        try:
            result = await asyncio.wait_for(self._embed_one(encoder, _canary()), seconds)
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        return result.detail if isinstance(result, LookalikeError) else "ok"

    def _admit(self, count: int) -> None:
        if self._in_flight and self._in_flight + count > self._capacity:
            raise Overloaded(
                f"{self._in_flight} images are waiting and at most {self._capacity} may; try again shortly."
            )
        self._in_flight += count

    async def _embed_one(
        self,
        encoder: Encoder,
        data: bytes,
        *,
        features: bool = False,
        keep_rgb: bool = False,
        keep_thumbnail: bool = False,
        crop: Crop | None = None,
    ) -> Embedded | LookalikeError:
        loop = asyncio.get_running_loop()
        try:
            image = await loop.run_in_executor(
                self._threads, self._decode, encoder, data, keep_rgb, keep_thumbnail, crop
            )
            outcome = await self._infer(EncodeItem(encoder, image.pixels, features))
        except LookalikeError as error:
            return error
        if isinstance(outcome, LookalikeError):
            return outcome
        return Embedded(image, outcome)

    def _decode(
        self,
        encoder: Encoder,
        data: bytes,
        keep_rgb: bool,
        keep_thumbnail: bool,
        crop: Crop | None,
    ) -> Decoded:
        # A part may be small, so it is cut from all the pixels that there are.
        shorter = encoder.info.decode_shorter if crop is None else None
        image = decode(data, self._limits, shorter=shorter)
        rgb = image.rgb if crop is None else cut(image.rgb, crop)
        # The embedding is of the same pixels whether or not the picture itself is wanted too.
        reduced = image.rgb.shape[:2] != (image.height, image.width)
        full = decode(data, self._limits).rgb if keep_rgb and reduced else rgb
        small = shrink(rgb) if keep_thumbnail else None
        return Decoded(
            pixels=encoder.preprocess(rgb),
            width=image.width,
            height=image.height,
            format=image.format,
            rgb=full if keep_rgb else None,
            thumbnail=None if small is None else thumbnail(small),
            phash=None if small is None else perceptual_hash(small),
        )
