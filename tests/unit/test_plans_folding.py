"""Batch norms are folded where that gives the same function, and left alone elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.layers.std_conv import StdConv2d
from torch import Tensor, nn

from lookalike_service.encoders.plans.folding import fold_batch_norms

pytestmark = pytest.mark.usefixtures("one_thread")


def settled(model: nn.Module) -> nn.Module:
    """Evaluation mode, with running statistics as training leaves them: neither 0 nor 1."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3, generator=generator)
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model.eval().requires_grad_(requires_grad=False)


def example(size: int = 32) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


class InTurns(nn.Module):
    """Runs its layers in an order that is not that of their definition."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4)
        self.other = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.other(x)))  # type: ignore[no-any-return] # modules are untyped


class ActivatedBetween(nn.Module):
    """Changes the convolution's output, in place, before its norm sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).relu_())  # type: ignore[no-any-return] # modules are untyped


class CalledTwice(nn.Module):
    """One convolution with two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.first, self.second = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.conv(self.first(self.conv(x))))  # type: ignore[no-any-return] # modules are untyped


def standardised() -> nn.Module:
    return nn.Sequential(StdConv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.mark.parametrize(
    ("make", "folds"),
    [
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), 1),
        (InTurns, 1),
        (ActivatedBetween, 0),
        (CalledTwice, 0),
        (standardised, 0),
    ],
)
def test_only_a_norm_fed_by_one_plain_convolution_is_folded(make: Any, folds: int) -> None:
    model = settled(make())
    expected = model(example())
    assert fold_batch_norms(model, example()) == folds
    torch.testing.assert_close(model(example()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["resnet18", "tf_efficientnet_lite0", "mobilenetv2_050", "densenet121"]
)
def test_a_folded_network_computes_the_same(name: str) -> None:
    model: Any = settled(timm.create_model(name, num_classes=0))
    with torch.inference_mode():
        expected = model.forward_features(example(64))
    assert fold_batch_norms(model, example(64)) >= 8
    with torch.inference_mode():
        features = model.forward_features(example(64))
    torch.testing.assert_close(
        features, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())
    )


def test_every_norm_of_an_efficientnet_is_folded_and_its_activations_stay() -> None:
    model = settled(timm.create_model("tf_efficientnet_lite0"))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert fold_batch_norms(model, example(64)) == norms
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_watching_leaves_no_hooks_behind() -> None:
    model = settled(InTurns())
    fold_batch_norms(model, example())
    assert not any(module._forward_hooks for module in model.modules())
