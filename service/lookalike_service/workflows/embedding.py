"""Bytes in, embedding out: wait for a turn, decode in threads, join a batch, answer each image alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.perceptual_hash import perceptual_hash
from lookalike_service.batching.bounds import Bounds, Size
from lookalike_service.batching.turns import Turn, Turns
from lookalike_service.batching.work import current
from lookalike_service.encoders.batch import EncodedItem, EncodeItem, Outcome
from lookalike_service.encoders.plans.plan import Plan
from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import LookalikeError, Overloaded
from lookalike_service.image_headers import declared_pixels
from lookalike_service.images import Crop, Limits, cut, decode, shrink, thumbnail
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics
from lookalike_service.telemetry.origin import ContextThreads

T = TypeVar("T")

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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be made of an image; see `Embedder.embed`."""

    encoder: Encoder
    features: bool = False
    rgb: bool = False
    thumbnail: bool = False
    crop: Crop | None = None


_FEW = 8
"""Images that one person might wait for; more in a request are bulk."""


class Embedder:
    """Decodes and encodes images in turn, under bounds on the work accepted.

    Belongs to one event loop. `turns.places` is how many images are under way at the same time.
    """

    def __init__(self, settings: Settings, infer: Infer, metrics: Metrics | None = None) -> None:
        self._infer, self.metrics = infer, metrics or Metrics()
        self._limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
        bounds = Bounds(
            settings.max_queue,
            settings.max_queue_pixels,
            settings.max_queue_seconds,
            settings.max_bulk_seconds,
            settings.max_decoding_pixels,
        )
        self._decoders = settings.decode_threads
        self.turns = Turns(bounds, self._decoders + 2 * settings.max_batch_size, self.metrics)
        self._threads = ContextThreads(self._decoders, thread_name_prefix="decode")

    @property
    def in_flight(self) -> int:
        """Images accepted and not yet answered."""
        return self.turns.images

    @property
    def pixels_in_flight(self) -> int:
        """Pixels that they declare."""
        return self.turns.pixels

    @property
    def capacity(self) -> int:
        """Most images in flight."""
        return self.turns.bounds.images

    @property
    def pixel_capacity(self) -> int:
        """Most pixels in flight."""
        return self.turns.bounds.pixels

    def fit(self, batch: int, passes: int, fewest: int | None = None) -> None:
        """Let as many images be under way as these passes of the model hold, and the decoders besides.

        `fewest`: how many suffice, where more would only take longer.
        """
        places = self._decoders + batch * passes
        self.turns.fit(places, places if fewest is None else min(fewest, places))

    def fit_to(self, plan: Plan, max_batch_size: int) -> None:
        """Let as many be under way as suits this way to run the network."""
        fewest = plan.fewest_under_way(self._decoders)
        self.fit(plan.pipelined_batch(max_batch_size), plan.passes_at_once, fewest)

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
        bulk: bool = False,
    ) -> list[Embedded | LookalikeError]:
        """Embed each image, or this part of it; one that fails comes back as its error, in its place.

        `bulk`: nobody waits for it, unless the caller said so. Raises Overloaded, before any work, if it must
        not wait, and if the caller's deadline passes; ClientGone if nobody wants it any more.
        """
        wanted = _Wanted(encoder, features, keep_rgb, keep_thumbnail, crop)

        async def one(turn: Turn, data: bytes) -> Embedded | LookalikeError:
            async with turn:
                return await self._embed_one(wanted, data, turn)

        if not images:
            return []
        sizes = [Size(pixels=self._pixels(data)) for data in images]
        with self._admitted(sizes, bulk=bulk) as turns:
            return await _all(map(one, turns, images))

    async def embed_texts(self, encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the encoder's space: float32 (n, dim), unit L2 norm.

        Raises UnsupportedText, and as `embed`.
        """
        with self._admitted([Size(len(texts))]) as (turn,):
            async with turn:
                return await asyncio.to_thread(encoder.encode_text, list(texts))

    def picture(self, data: bytes) -> Pixels:
        """The upright picture, uint8 (height, width, 3), within the limits. Raises ImageError."""
        return decode(data, self._limits).rgb

    async def encode(
        self, encoder: Encoder, pixels: Pixels, *, features: bool = False
    ) -> list[EncodedItem]:
        """Embed preprocessed images, uint8 (n, height, width, 3), through the same batches.

        Raises the first image's error, and as `embed`.
        """

        async def one(turn: Turn, image: Pixels) -> Outcome:
            async with turn:
                return await self._infer(EncodeItem(encoder, image, features))

        with self._admitted([Size() for _ in pixels]) as turns:
            outcomes = await _all(map(one, turns, pixels))
        for outcome in outcomes:
            if isinstance(outcome, LookalikeError):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, EncodedItem)]

    async def canary(self, encoder: Encoder, seconds: float) -> str:
        """Embed a known image past the queue: "ok", or what went wrong."""
        try:
            result = await asyncio.wait_for(
                self._embed_one(_Wanted(encoder), _canary(), None), seconds
            )
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        return result.detail if isinstance(result, LookalikeError) else "ok"

    def _admitted(
        self, sizes: Sequence[Size], *, bulk: bool = False
    ) -> AbstractContextManager[list[Turn]]:
        work = current()
        priority = work.priority or ("bulk" if bulk else "interactive")
        if sum(size.images for size in sizes) > _FEW:
            priority = "bulk"
        return self.turns.admitted(work, priority, sizes)

    def _pixels(self, data: bytes) -> int:
        """Pixels that a file declares, which may be more than are decoded: the most that are, if unknown."""
        declared, most = declared_pixels(data), self._limits.max_pixels
        return most if declared is None else min(declared, most)

    async def _embed_one(
        self, wanted: _Wanted, data: bytes, turn: Turn | None
    ) -> Embedded | LookalikeError:
        loop = asyncio.get_running_loop()
        try:
            image = await loop.run_in_executor(self._threads, self._decode, wanted, data)
            if turn is not None:
                turn.decoded()
            outcome = await self._infer(EncodeItem(wanted.encoder, image.pixels, wanted.features))
        except Overloaded:
            raise
        except LookalikeError as error:
            return error
        if isinstance(outcome, LookalikeError):
            return outcome
        return Embedded(image, outcome)

    def _decode(self, wanted: _Wanted, data: bytes) -> Decoded:
        with self.metrics.stage("decode"):
            return self._decoded(wanted, data)

    def _decoded(self, wanted: _Wanted, data: bytes) -> Decoded:
        encoder, crop = wanted.encoder, wanted.crop
        # A part may be small, so it is cut from all the pixels that there are.
        shorter = encoder.info.decode_shorter if crop is None else None
        image = decode(data, self._limits, shorter=shorter)
        rgb = image.rgb if crop is None else cut(image.rgb, crop)
        # The embedding is of the same pixels whether or not the picture itself is wanted too.
        reduced = image.rgb.shape[:2] != (image.height, image.width)
        full = decode(data, self._limits).rgb if wanted.rgb and reduced else rgb
        small = shrink(rgb) if wanted.thumbnail else None
        return Decoded(
            pixels=encoder.preprocess(rgb),
            width=image.width,
            height=image.height,
            format=image.format,
            rgb=full if wanted.rgb else None,
            thumbnail=None if small is None else thumbnail(small),
            phash=None if small is None else perceptual_hash(small),
        )


async def _all(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the calls give, in order. If one raises, so does this, but only when all have ended."""
    first, *others = calls
    if not others:
        return [await first]  # without a task, which costs a lone image more than its turn
    tasks = [asyncio.ensure_future(call) for call in (first, *others)]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]
