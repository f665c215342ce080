"""Attention rollout: how much of each patch reaches the output through the layers of a vision transformer.

Abnar & Zuidema, 2020, arXiv:2005.00928: attention averaged over heads, plus the identity for the residual
connection, each row normalised, multiplied through all layers. It knows no target and no gradient.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lookalike_service.errors import UnsupportedTarget
from lookalike_service.explain.backprop import hooked, normalised
from lookalike_service.explain.heatmap import Heatmap, heatmap_of
from lookalike_service.explain.network import Differentiable, layers_of
from lookalike_service.images import Pixels


def rollout_maps(encoder: Differentiable, pixels: Pixels) -> list[Heatmap]:
    """The maps of uint8 (n, height, width, 3) of the input size.

    From the class token's row, or the mean of all rows where there is none. Raises UnsupportedTarget for a
    network that is no plain vision transformer.
    """
    network = encoder.network
    layers = [module for module in layers_of(network).values() if _is_attention(module)]
    if not layers:
        raise UnsupportedTarget(
            "Method 'rollout' follows the attention of a plain vision transformer, which this is not."
        )
    inputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        inputs[module] = arguments[0]

    with torch.inference_mode(), ExitStack() as stack:
        for layer in layers:
            stack.enter_context(hooked(layer, keep, before=True))
        network.backbone(normalised(encoder, pixels))
        flow = _flow([_attention(layer, inputs[layer]) for layer in layers if layer in inputs])
    prefix = network.prefix
    rows = flow[:, 0, prefix:] if prefix else flow.mean(dim=1)
    side = math.isqrt(rows.shape[1])
    if side * side != rows.shape[1]:
        raise UnsupportedTarget("Method 'rollout' needs a square of patches, which this has not.")
    grids = rows.reshape(-1, side, side).double().cpu().numpy()
    return [heatmap_of(np.array(grid)[None]) for grid in grids]


def _flow(attentions: list[Tensor]) -> Tensor:
    flow: Tensor | None = None
    for attention in attentions:
        mixed = attention + torch.eye(attention.shape[-1], device=attention.device)
        step = mixed / mixed.sum(dim=-1, keepdim=True)
        flow = step if flow is None else step @ flow
    if flow is None:
        raise UnsupportedTarget("Method 'rollout' found no attention on the way to the embedding.")
    return flow


def _is_attention(module: nn.Module) -> bool:
    """Whether it is torch's self-attention, or timm's plain one."""
    if isinstance(module, nn.MultiheadAttention):
        return module.batch_first and module.in_proj_weight is not None
    return type(module).__name__ == "Attention" and isinstance(
        getattr(module, "qkv", None), nn.Linear
    )


def _attention(module: Any, tokens: Tensor) -> Tensor:
    """The softmax weights, averaged over heads: (n, T, T) of tokens (n, T, K)."""
    if isinstance(module, nn.MultiheadAttention):
        weights: Tensor = module(tokens, tokens, tokens, need_weights=True)[1]
        return weights
    qkv = module.qkv(tokens).unflatten(2, (3, module.num_heads, -1)).permute(2, 0, 3, 1, 4)
    query, key = module.q_norm(qkv[0]), module.k_norm(qkv[1])
    scores: Tensor = query @ key.transpose(-2, -1) * module.scale
    return scores.softmax(dim=-1).mean(dim=1)
