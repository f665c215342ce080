"""A projection head: its loss, what it is measured by, and the encoder it gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lookalike_service.analysis.progress import silent
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.errors import InvalidModel, UnsupportedText, WeightsMissing
from lookalike_service.settings import Settings
from lookalike_service.training.head import (
    _balanced,
    split_classes,
    supervised_contrastive,
    train,
)
from lookalike_service.training.retrieval import judge
from tests.pictures import scene

BASE = "pixels:4x4-rgb"
DIM = 48
SETTINGS = Settings(plan="float32")


pytestmark = pytest.mark.usefixtures("one_thread")


def buried(count: int = 240, classes: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors whose class is in four small numbers, and whose other 44 are loud and say nothing."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    vectors = rng.normal(size=(count, DIM))
    vectors[:, :4] = 0.6 * np.eye(4)[labels] + 0.1 * rng.normal(size=(count, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


VECTORS, LABELS = buried()
ARRAYS: dict[str, NDArray[Any]] = {"vectors": VECTORS, "labels": LABELS}


def base() -> Encoder:
    return load_encoder(BASE, SETTINGS)


def parameters(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "folder": str(folder), "base": BASE, "base_space": base().info.space.id,
        "form": "linear", "dim": 8, "seed": 0, "held_out": 0.25, "epochs": 80,
        "learning_rate": 1e-2, "temperature": 0.1,
    } | changes  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("head")
    return folder, train(ARRAYS, parameters(folder), silent)[1]


@pytest.mark.parametrize(("form", "gain"), [("linear", 0.5), ("mlp", 0.2)])
def test_a_head_finds_the_class_where_the_raw_embedding_hides_it(
    tmp_path: Path, form: str, gain: float
) -> None:
    measures = train(ARRAYS, parameters(tmp_path, form=form), silent)[1]["measures"]
    assert measures["recall_at_1_before"] < 0.5
    assert measures["recall_at_1_after"] > measures["recall_at_1_before"] + gain
    assert measures["knn_accuracy_after"] > measures["knn_accuracy_before"] + gain


def test_labels_that_say_nothing_bring_nothing_on_held_out_images(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(1).permutation(LABELS)
    measures = train(ARRAYS | {"labels": shuffled}, parameters(tmp_path), silent)[1]["measures"]
    assert measures["recall_at_1_after"] < 0.5, "what is held out was not learnt by heart"


def test_rows_without_a_label_play_no_part(tmp_path: Path) -> None:
    mixed = np.concatenate([VECTORS, -VECTORS[:30]])
    labels = np.concatenate([LABELS, np.full(30, -1)])
    with_them = train({"vectors": mixed, "labels": labels}, parameters(tmp_path, epochs=2), silent)
    without = train(ARRAYS, parameters(tmp_path / "w", epochs=2), silent)
    assert with_them[1]["curve"] == without[1]["curve"]


# -- the parts


def test_the_loss_is_that_of_its_paper() -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(7, 5))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    labels, t = np.array([0, 0, 0, 1, 1, 2, 0]), 0.2
    terms = []
    for i in range(7):
        positives = [p for p in range(7) if p != i and labels[p] == labels[i]]
        if not positives:
            continue
        below = sum(np.exp(z[i] @ z[a] / t) for a in range(7) if a != i)
        logs = [np.log(np.exp(z[i] @ z[p] / t) / below) for p in positives]
        terms.append(-np.mean(logs))
    found = supervised_contrastive(torch.tensor(z), torch.tensor(labels), t)
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-6)


def test_the_loss_has_finite_gradients() -> None:
    z = torch.nn.functional.normalize(torch.ones(4, 3)).requires_grad_()
    supervised_contrastive(z, torch.tensor([0, 0, 1, 1]), 0.1).backward()  # type: ignore[no-untyped-call] # torch's
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_each_class_is_split_with_company_left() -> None:
    labels = np.array([0] * 3 + [1] * 4 + [2] * 50)
    for share in (0.01, 0.2, 0.5):
        kept, out = split_classes(labels, share, 0)
        assert sorted([*kept, *out]) == list(range(57))
        assert np.bincount(labels[kept]).min() >= 2
        assert np.bincount(labels[out]).min() >= 1
    assert np.bincount(labels[split_classes(labels, 0.2, 0)[1]]).tolist() == [1, 1, 10]


def test_an_epoch_has_every_row_once_and_none_without_company() -> None:
    labels = np.repeat(np.arange(90), 3)
    batches = _balanced(np.arange(270), labels, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(270))
    for rows in batches:
        assert np.unique(labels[rows], return_counts=True)[1].min() >= 2
        assert len(np.unique(labels[rows])) >= 16


def test_retrieval_is_counted_by_the_nearest_and_by_the_vote() -> None:
    angles = np.radians([0, 10, 20, 30, 40, 1, 89])
    points = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    labels = np.array([0, 1, 1, 1, 0, 0, 0])
    found = judge(points, labels, np.arange(5), np.array([5, 6]))
    assert found == {"recall_at_1": 1.0, "knn_accuracy": 0.0}


# -- the encoder


def test_the_folder_is_an_encoder_that_projects_its_base(trained: Any) -> None:
    folder, _ = trained
    encoder = load_encoder(f"head:{folder}", SETTINGS)
    pixels = np.stack([encoder.preprocess(scene(seed=i)) for i in range(3)])
    encoded = encoder.encode(pixels)
    assert encoded.embeddings.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(encoded.embeddings, axis=1), 1, atol=1e-5)
    assert encoder.info.space.id != base().info.space.id
    assert (encoder.info.input_size, encoder.info.text) == ((4, 4), False)
    with pytest.raises(UnsupportedText):
        encoder.encode_text(["a word"])


def test_other_weights_make_another_space(trained: Any, tmp_path: Path) -> None:
    train(ARRAYS, parameters(tmp_path, epochs=1), silent)
    spaces = {
        load_encoder(f"head:{folder}", SETTINGS).info.space.weights
        for folder in (trained[0], tmp_path)
    }
    assert len(spaces) == 2


def test_a_head_is_not_put_on_a_base_of_another_space(tmp_path: Path) -> None:
    train(ARRAYS, parameters(tmp_path, epochs=1, base_space="0" * 16), silent)
    with pytest.raises(InvalidModel, match="000"):
        load_encoder(f"head:{tmp_path}", SETTINGS)


def test_a_folder_that_is_no_head_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"head\.json"):
        load_encoder(f"head:{tmp_path}", SETTINGS)
    train(ARRAYS, parameters(tmp_path, epochs=1), silent)
    file = tmp_path / "head.json"
    said = json.loads(file.read_text())
    for wrong in ({"dim": 9}, {"format": 2}, {"form": "deep"}, {"more": 1}):
        file.write_text(json.dumps(said | wrong))
        with pytest.raises(InvalidModel):
            load_encoder(f"head:{tmp_path}", SETTINGS)


def test_the_whole_network_of_a_head_on_an_autoencoder_gives_its_embedding(tmp_path: Path) -> None:
    from lookalike_service.encoders.autoencoder import (
        Architecture,
        ConvAutoencoder,
        save_autoencoder,
    )
    from lookalike_service.explain.network import Differentiable

    torch.manual_seed(1)
    save_autoencoder(ConvAutoencoder(Architecture(DIM, 16, (8, 8), 32)), tmp_path / "base")
    under = load_encoder(f"autoencoder:{tmp_path / 'base'}", SETTINGS)
    spec, space = under.info.model, under.info.space.id
    told = parameters(tmp_path / "head", epochs=1, base=spec, base_space=space)
    train(ARRAYS, told, silent)
    encoder = load_encoder(f"head:{tmp_path / 'head'}", SETTINGS)
    assert isinstance(encoder, Differentiable)
    pixels = np.stack([encoder.preprocess(scene(seed=i)) for i in range(2)])
    samples = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    whole = torch.nn.functional.normalize(encoder.network(samples))
    np.testing.assert_allclose(whole, encoder.encode(pixels).embeddings, atol=1e-5)
    features = encoder.encode(pixels, features=True).features
    assert features is not None
    assert features.shape == (2, 8, 4, 4)
