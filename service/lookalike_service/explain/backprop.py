"""Feature maps of any layer, and a target's gradient with respect to them, for a whole batch at once.

The network's parameters are frozen and its input needs no gradient, so nothing is recorded before the layer:
its output is cut off there and made the leaf that is differentiated. Samples do not mix, so one backward pass
from the layer on gives each its own gradient.

The layer explained by default lies behind the network's trunk. What that gave when the image was embedded is
all that such a map needs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookalike_service.errors import InvalidField, UnsupportedTarget
from lookalike_service.explain.heatmap import Heatmap, heatmap_of
from lookalike_service.explain.methods import METHODS
from lookalike_service.explain.network import (
    Differentiable,
    default_layer,
    find_layer,
    is_behind_trunk,
)
from lookalike_service.explain.objectives import Objective
from lookalike_service.images import Pixels


def backprop_maps(
    encoder: Differentiable,
    pixels: Pixels,
    objectives: Sequence[Objective],
    *,
    method: str = "gradcam",
    layer: str | None = None,
    features: NDArray[np.float32] | None = None,
) -> list[Heatmap]:
    """What speaks for each image's objective at one layer.

    `pixels`: uint8 (n, height, width, 3) of the input size. `objectives`: n, all of the embedding or all of
    the logits. `layer` defaults to `default_layer`. `features`: n, of `encode`, which spare a pass for that
    layer where the encoder `resumes`. Raises InvalidField for a layer that there is not, or that has no place
    in the image; UnsupportedTarget for class scores of a network without classes.
    """
    network = encoder.network
    head = _head(network, objectives[0])
    name = layer or default_layer(network)
    module = None if name is None else find_layer(network, name)
    if is_behind_trunk(network, name):
        start = _trunk_features(encoder, pixels, features)
        leaf, output = _cut(module, start, lambda given: head(network.ending(given)), name)
    else:
        images = normalised(encoder, pixels)
        leaf, output = _cut(module, images, lambda given: head(network.backbone(given)), name)
    values = output.detach().double().cpu().numpy()
    wanted = np.stack([o.gradient(v) for o, v in zip(objectives, values, strict=True)])
    cotangent = torch.from_numpy(wanted).to(output)
    (gradient,) = torch.autograd.grad(output, leaf, cotangent, allow_unused=True)
    if gradient is None:
        raise InvalidField(f"Layer '{layer}' has no part in the embedding; choose another.")
    maps, slopes = (_on_grid(t.detach(), network, layer) for t in (leaf, gradient))
    terms = METHODS[method].terms
    return [heatmap_of(terms(a, g)) for a, g in zip(maps, slopes, strict=True)]


def normalised(encoder: Differentiable, pixels: Pixels) -> Tensor:
    """Uint8 (n, height, width, 3) as the network takes it: float32 (n, 3, height, width), on its device."""
    device = next(encoder.network.parameters()).device
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (encoder.mean, encoder.std))
    samples = torch.tensor(np.ascontiguousarray(pixels), device=device).permute(0, 3, 1, 2)
    return (samples / 255 - mean) / std


@contextmanager
def hooked(module: nn.Module, hook: Callable[..., Any], *, before: bool = False) -> Iterator[None]:
    """Call a forward hook of a module in this thread alone: others may be running the module too."""
    mine = threading.get_ident()

    def guarded(*args: Any) -> Any:
        return hook(*args) if threading.get_ident() == mine else None

    register = module.register_forward_pre_hook if before else module.register_forward_hook
    handle = register(guarded, prepend=True)  # before one that ends the pass at this layer
    try:
        yield
    finally:
        handle.remove()


def _head(network: Any, objective: Objective) -> Callable[[Tensor], Tensor]:
    if objective.output == "embedding":
        pool: Callable[[Tensor], Tensor] = network.pool
        return pool
    if network.classifier is None:
        raise UnsupportedTarget(
            "This encoder has no classes, so there is no class score to explain."
        )
    classifier: Callable[[Tensor], Tensor] = network.classifier
    return classifier


def _trunk_features(
    encoder: Differentiable, pixels: Pixels, features: NDArray[np.float32] | None
) -> Tensor:
    """What the network's trunk gives: as it was kept, else anew."""
    if features is not None and encoder.resumes:
        return torch.from_numpy(features).to(next(encoder.network.parameters()).device)
    with torch.no_grad():
        found: Tensor = encoder.network.trunk(normalised(encoder, pixels))
    return found


def _cut(
    module: nn.Module | None, start: Tensor, run: Callable[[Tensor], Tensor], layer: str | None
) -> tuple[Tensor, Tensor]:
    """The output of a module of what `run` runs as a leaf, and the run's output that depends on it.

    With no module the start itself is the leaf.
    """
    if module is None:
        leaf = start.detach().clone().requires_grad_()
        return leaf, run(leaf)
    leaves: list[Tensor] = []

    def cut(_module: nn.Module, _inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise InvalidField(f"Layer '{layer}' gives no maps or tokens; choose one around it.")
        leaves.append(output.detach().clone().requires_grad_())
        return leaves[-1].clone()  # layers behind it may work in place

    with hooked(module, cut):
        output = run(start)
    if not leaves:
        raise InvalidField(f"Layer '{layer}' takes no part in the embedding; choose another.")
    return leaves[-1], output


def _on_grid(features: Tensor, network: Any, layer: str | None) -> NDArray[np.float64]:
    """Maps or tokens as float64 (n, K, h, w), without the tokens that have no place in the image."""
    if features.ndim == 3:
        features = _patches(features, network.prefix)
    elif features.ndim == 4 and getattr(network.backbone, "channels_last", False) and layer:
        features = features.permute(0, 3, 1, 2)
    if features.ndim != 4:
        raise InvalidField(
            f"Layer '{layer or 'of the last features'}' has no place in the image; choose one before pooling."
        )
    maps: NDArray[np.float64] = features.double().cpu().numpy()
    return maps


def _patches(tokens: Tensor, prefix: int) -> Tensor:
    for first in (prefix, 0):
        side = math.isqrt(tokens.shape[1] - first)
        if side * side == tokens.shape[1] - first:
            return tokens[:, first:].transpose(1, 2).reshape(len(tokens), -1, side, side)
    return tokens
