"""Batch normalisations folded into the convolutions before them: the same function with fewer passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Exact types: a subclass may treat its weight before it convolves, as weight standardisation does.
_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMALISATIONS = (nn.BatchNorm2d, BatchNormAct2d)


def fold_batch_norms(model: nn.Module, example: Tensor) -> int:
    """Fold, in place, every batch norm whose input is a convolution's output; returns how many.

    Which convolution feeds which normalisation is seen in one pass over `example`, since the order of a
    module's children says nothing of it. A second use of a convolution's output is not seen: the caller
    compares the outcome with the original.
    """
    pairs = _pairs(model, example)
    modules = dict(model.named_modules())
    for convolution, norm in pairs:
        fused = fuse_conv_bn_eval(modules[convolution], modules[norm])
        model.set_submodule(convolution, fused)
        model.set_submodule(norm, _without_norm(modules[norm]))
    return len(pairs)


def _pairs(model: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    """The names of each convolution and of the normalisation that it feeds, both called once."""
    made: dict[int, tuple[str, Tensor, int]] = {}  # holding the tensors, so that ids stay theirs
    calls: Counter[str] = Counter()
    pairs: list[tuple[str, str]] = []

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls[name] += 1
            if type(module) in _CONVOLUTIONS:
                made[id(output)] = name, output, output._version
            elif (known := made.get(id(inputs[0]))) and known[1]._version == known[2]:
                pairs.append((known[0], name))

        return hook

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if type(module) in (*_CONVOLUTIONS, *_NORMALISATIONS)
    ]
    try:
        with torch.no_grad():  # not inference mode, which counts no versions
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in pairs if all(calls[name] == 1 for name in pair)]


def _without_norm(norm: nn.Module) -> nn.Module:
    """What a normalisation does besides normalising: timm's include the activation."""
    return nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
