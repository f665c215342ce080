"""CLIP's attention pool computed for its one query: the same embedding and gradients, with less work."""

from __future__ import annotations

import pytest
import torch
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from structlog.testing import capture_logs
from torch import Tensor, nn

from lookalike_service.encoders.network import Network
from lookalike_service.encoders.open_clip_provider import _network
from lookalike_service.encoders.single_query import MeanQueryPool, with_one_query
from lookalike_service.encoders.spec import EncoderSpec

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 64


def own_pool(heads: int = 4) -> AttentionPool2d:
    """A small pool of open_clip's, all its weights random."""
    torch.manual_seed(0)
    pool = AttentionPool2d(spacial_dim=3, embed_dim=24, num_heads=heads, output_dim=10)
    for parameter in pool.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.4
    return pool.eval().requires_grad_(requires_grad=False)


def maps() -> Tensor:
    return torch.randn(5, 24, 3, 3, generator=torch.Generator().manual_seed(1))


def tower() -> tuple[ModifiedResNet, Network]:
    """A small CLIP ResNet, and the network that is made of it."""
    torch.manual_seed(0)
    visual = ModifiedResNet([1, 1, 1, 1], 16, 2, image_size=SIDE, width=4).eval()
    return visual, _network(visual, EncoderSpec.parse("open_clip:RN50@x.pt"), SIDE)[0]


@pytest.mark.parametrize("heads", [1, 4, 24])
def test_maps_are_pooled_as_by_the_librarys_own_pool(heads: int) -> None:
    pool = own_pool(heads)
    found = with_one_query(pool)
    assert isinstance(found, MeanQueryPool)
    torch.testing.assert_close(found(maps()), pool(maps()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4, 24])
def test_gradients_are_those_of_the_librarys_own_pool(heads: int) -> None:
    pool = own_pool(heads)

    def gradient(module: nn.Module) -> Tensor:
        leaf = maps().requires_grad_()
        pooled = module(leaf)
        weights = torch.linspace(-1, 1, pooled.numel()).view_as(pooled)
        return torch.autograd.grad((weights * pooled).sum(), leaf)[0]

    expected = gradient(pool)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(gradient(MeanQueryPool(pool)), expected, rtol=1e-4, atol=1e-5)


def test_a_clip_resnet_embeds_as_the_library_does() -> None:
    visual, network = tower()
    images = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    assert isinstance(network.pool, MeanQueryPool)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), visual(images), rtol=1e-5, atol=1e-5)


def test_weights_are_shared_not_copied() -> None:
    visual, network = tower()
    own = {id(parameter) for parameter in visual.parameters()}
    assert {id(parameter) for parameter in network.parameters()} == own


def test_a_pool_that_computes_something_else_is_left_whole_and_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former = AttentionPool2d.forward
    monkeypatch.setattr(AttentionPool2d, "forward", lambda self, x: former(self, x**2))
    pool = own_pool()
    with capture_logs() as logs:
        assert with_one_query(pool) is pool
    assert [line["log_level"] for line in logs] == ["warning"]
