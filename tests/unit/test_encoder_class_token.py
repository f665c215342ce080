"""A vision transformer's last block for its class token alone: the same embedding, with less work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer as ClipTransformer
from structlog.testing import capture_logs
from torch import Tensor, nn

from lookalike_service.encoders.network import Network
from lookalike_service.encoders.open_clip_provider import _network as clip_network
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.timm_provider import _network as timm_network

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 32


def plain(**more: Any) -> Network:
    """A small vision transformer of timm's."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"img_size": SIDE, "patch_size": 8, "embed_dim": 24, "depth": 3}
    model: Any = timm.models.VisionTransformer(
        **arguments | {"num_heads": 3, "num_classes": 7} | more
    )
    spec = EncoderSpec.parse("timm:vit_tiny_patch16_224")
    return timm_network(spread(model), spec, SIDE)[0]


def clip(**more: Any) -> Network:
    """A small image tower of open_clip's."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "image_size": SIDE,
        "patch_size": 8,
        "width": 24,
        "layers": 3,
        "heads": 3,
    }
    visual = ClipTransformer(**shape, mlp_ratio=2.0, output_dim=16, **more)
    return tower(visual)


def trunk_of_timm() -> nn.Module:
    """A vision transformer of timm's as image tower."""
    torch.manual_seed(0)
    visual: nn.Module = TimmModel("vit_tiny_patch16_224", 16, pool="token")
    visual.set_input_size(SIDE)  # type: ignore[operator] # a method
    return visual


def tower(visual: nn.Module) -> Network:
    """The network of an image tower of open_clip's."""
    return clip_network(spread(visual), EncoderSpec.parse("open_clip:ViT-B-32@x.pt"), SIDE)[0]


def spread(model: nn.Module) -> nn.Module:
    """Random values for all weights, also those that start as zeros or ones."""
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.2 * torch.randn(parameter.shape)
    return model.eval()


def images() -> Tensor:
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


SHORTENED: dict[str, Callable[[], Network]] = {
    "timm": plain,
    "timm, layer scale and registers": lambda: plain(init_values=0.5, reg_tokens=4),
    "timm, no biases": lambda: plain(qkv_bias=False, proj_bias=False),
    "timm, output of attention normed": lambda: plain(scale_attn_norm=True),
    "timm, no classes": lambda: plain(num_classes=0),
    "open_clip": clip,
    "open_clip, layer scale": lambda: clip(ls_init_value=0.5),
    "open_clip, norm after the pool": lambda: clip(final_ln_after_pool=True),
    "open_clip, timm's transformer": lambda: tower(trunk_of_timm()),
}
LEFT_WHOLE: dict[str, Callable[[], Network]] = {
    "keys are normed": lambda: plain(qk_norm=True),
    "patches are averaged": lambda: plain(global_pool="avg", fc_norm=False),
    "patches are averaged, then normed": lambda: plain(global_pool="avg"),
    "patches are pooled by attention": lambda: plain(global_pool="map", class_token=False),
    "open_clip averages": lambda: clip(pool_type="avg"),
    "open_clip norms keys": lambda: clip(qk_norm=True),
}


@pytest.mark.parametrize("kind", SHORTENED)
def test_the_trunk_embeds_as_the_whole_network_does(kind: str) -> None:
    network = SHORTENED[kind]()
    assert network.trunk is not network.backbone
    with torch.inference_mode():
        expected, features = network(images()), network.trunk(images())
        torch.testing.assert_close(network.pool(features), expected, rtol=1e-4, atol=1e-5)
        again = network.pool(network.ending(features))
        torch.testing.assert_close(again, expected, rtol=1e-4, atol=1e-5)
        if network.classifier is not None:
            logits = network.classifier(network.backbone(images()))
            torch.testing.assert_close(network.classifier(features), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", SHORTENED)
def test_gradients_at_the_entrance_are_those_of_the_whole_network(kind: str) -> None:
    network = SHORTENED[kind]()
    assert network.entrance is not None

    def gradient(run: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
        leaves: list[Tensor] = []

        def cut(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            leaves.append(output.detach().requires_grad_())
            return leaves[0]

        handle = network.entrance.register_forward_hook(cut)  # type: ignore[union-attr] # checked above
        try:
            embedded = network.pool(run(start))
        finally:
            handle.remove()
        weights = torch.linspace(-1, 1, embedded.numel()).view_as(embedded)
        return torch.autograd.grad((weights * embedded).sum(), leaves[0])[0]

    with torch.no_grad():
        features = network.trunk(images())
    expected = gradient(network.backbone, images())
    found = gradient(network.ending, features)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
    assert found[:, network.prefix :].abs().max() > 0


@pytest.mark.parametrize("kind", LEFT_WHOLE)
def test_a_network_that_needs_its_whole_last_block_is_left_whole(kind: str) -> None:
    network = LEFT_WHOLE[kind]()
    assert network.trunk is network.backbone
    assert network.entrance is None
    features = torch.zeros(1)
    assert network.ending(features) is features


def test_weights_are_shared_not_copied() -> None:
    network = plain()
    own = {id(parameter) for parameter in network.backbone.parameters()}
    assert {id(parameter) for parameter in network.parameters()} == own


def test_a_block_that_computes_something_else_is_left_whole_and_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = timm.models.vision_transformer.Block
    former = block.forward
    monkeypatch.setattr(block, "forward", lambda self, x, **more: former(self, x, **more) + x**2)
    with capture_logs() as logs:
        network = plain()
    assert network.trunk is network.backbone
    assert [line["log_level"] for line in logs] == ["warning"]
