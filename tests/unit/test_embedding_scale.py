"""Large files are decoded only as far as the encoder needs, and no answer shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.images import Pixels
from lookalike_service.settings import Settings
from lookalike_service.workflows.embedding import Embedded, Embedder
from tests import pictures
from tests.fakes.encoder import SIZE, FakeEncoder


async def infer(item: EncodeItem) -> Outcome:
    return encode_items([item])[0]


@pytest.fixture
def embedder() -> Iterator[Embedder]:
    embedder = Embedder(Settings(), infer)
    yield embedder
    embedder.close()


@pytest.fixture
def encoder() -> FakeEncoder:
    encoder = FakeEncoder()
    encoder.info = replace(encoder.info, decode_shorter=4 * SIZE)
    return encoder


LARGE = pictures.encoded(pictures.scene(1024, 768), quality=95)


async def embedded(embedder: Embedder, encoder: FakeEncoder, *, keep_rgb: bool) -> Embedded:
    (result,) = await embedder.embed(encoder, [LARGE], keep_rgb=keep_rgb, keep_thumbnail=True)
    assert isinstance(result, Embedded)
    return result


async def test_the_size_and_the_picture_are_the_files_own(
    embedder: Embedder, encoder: FakeEncoder
) -> None:
    image = (await embedded(embedder, encoder, keep_rgb=True)).image
    assert (image.width, image.height) == (1024, 768)
    assert image.rgb is not None
    assert image.rgb.shape == (768, 1024, 3)


async def test_asking_for_the_picture_does_not_change_the_embedding(
    embedder: Embedder, encoder: FakeEncoder
) -> None:
    plain, explained = [await embedded(embedder, encoder, keep_rgb=keep) for keep in (False, True)]
    np.testing.assert_array_equal(plain.encoded.embedding, explained.encoded.embedding)
    assert plain.image.thumbnail == explained.image.thumbnail


async def test_the_encoder_sees_the_reduced_picture(
    embedder: Embedder, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    preprocess = encoder.preprocess

    def watched(rgb: Pixels) -> Pixels:
        seen.append(rgb.shape)
        return preprocess(rgb)

    monkeypatch.setattr(encoder, "preprocess", watched)
    await embedded(embedder, encoder, keep_rgb=True)
    encoder.info = replace(encoder.info, decode_shorter=None)
    await embedded(embedder, encoder, keep_rgb=True)
    assert seen == [(192, 256, 3), (768, 1024, 3)]
