"""The default encoder sees what it was trained to see, and gives the vectors it always gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import pictures
from tests.encoders import encode_images, loaded

GOLDEN = json.loads(Path(__file__).with_name("timm_tf_efficientnet_lite0.json").read_text())
CATS = range(281, 286)  # ImageNet-1k: tabby, tiger cat, Persian, Siamese, Egyptian
ESPRESSO = 967


def top_class(name: str) -> int:
    encoder = loaded()
    logits = encoder.class_logits(encoder.preprocess(pictures.photograph(name))[None])
    assert logits.shape == (1, 1000)
    return int(logits[0].argmax())


def test_chelsea_is_a_cat() -> None:
    assert top_class("chelsea") in CATS


def test_coffee_is_espresso() -> None:
    assert top_class("coffee") == ESPRESSO


def test_classes_of_a_batch_are_those_of_its_images() -> None:
    encoder = loaded()
    names = ("coffee", "chelsea")
    batch = np.stack([encoder.preprocess(pictures.photograph(name)) for name in names])
    coffee, chelsea = encoder.class_logits(batch).argmax(axis=1)
    assert coffee == ESPRESSO
    assert chelsea in CATS


@pytest.mark.parametrize("name", GOLDEN["images"])
def test_the_embedding_is_the_stored_one(name: str) -> None:
    """Stored: the first 32 of 1280 values, and the norm before normalisation.

    Of values about 0.03. Resampling that rounds a sample the other way moves them by up to 0.0005.
    """
    stored = GOLDEN["images"][name]
    encoded = encode_images(loaded(), pictures.photograph(name))
    ours, expected = encoded.embeddings[0, :32], np.array(stored["embedding"])
    np.testing.assert_allclose(ours, expected, atol=1e-3)
    assert ours @ expected / np.linalg.norm(ours) / np.linalg.norm(expected) > 0.9999
    assert encoded.norms[0] == pytest.approx(stored["norm"], rel=2e-3)


def test_the_space_is_the_stored_one() -> None:
    space = loaded().info.space
    assert (space.id, space.weights, space.dim) == (
        GOLDEN["space"],
        GOLDEN["weights"],
        GOLDEN["dim"],
    )


def test_the_classes_have_names() -> None:
    classes = loaded().classes
    assert len(classes) == 1000
    assert classes[ESPRESSO].startswith("espresso")
