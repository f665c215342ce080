"""Attention of a single query, without computing keys and values token by token.

For one head's query q, keys W_k a_t + b_k and values W_v a_t + b_v of tokens a_t:

- the scores q·(W_k a_t + b_k) are (W_kᵀ q)·a_t and a number that is the same for all t, which softmax drops;
- the output Σ p_t (W_v a_t + b_v), its weights p_t adding up to 1, is W_v (Σ p_t a_t) + b_v.

So all tokens together cost about what one did, forwards and backwards. The same reordering serves
DeepSeek-V2's attention (2024, arXiv:2405.04434, section 2.1).
"""

from __future__ import annotations

import math
from typing import Any

import structlog
import torch
from torch import Tensor, nn

log = structlog.get_logger(__name__)


def attend(
    query: Tensor, tokens: Tensor, keys: Tensor, values: Tensor, shift: Tensor | None, *, heads: int
) -> Tensor:
    """What one query (n, H d), of H heads, gets of tokens (n, T, K): (n, H d).

    `keys`, `values`: their projections' weights (H d, K). `shift`: the bias of values, (H d,). That of keys
    makes no difference.
    """
    keys, values = (weight.view(heads, -1, weight.shape[-1]) for weight in (keys, values))
    query = query.view(-1, *keys.shape[:2]) * keys.shape[1] ** -0.5
    folded = torch.einsum("nhd,hdk->nhk", query, keys)
    attended = torch.einsum("nhk,ntk->nht", folded, tokens).softmax(dim=-1)
    mixed = torch.einsum("nht,ntk->nhk", attended, tokens)
    value = torch.einsum("nhk,hdk->nhd", mixed, values).flatten(1)
    return value if shift is None else value + shift


class MeanQueryPool(nn.Module):
    """The attention pool of CLIP's ResNets, whose one query that matters is the mean of all places.

    `pool`: open_clip's AttentionPool2d, which holds the weights, of which there shall be no second copy.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, K, h, w) to (n, dim)."""
        own = self.pool
        places = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([places.mean(dim=1, keepdim=True), places], dim=1)
        tokens = tokens + own.positional_embedding
        query = own.q_proj(tokens[:, 0])
        keys, values = own.k_proj.weight, own.v_proj.weight
        value = attend(query, tokens, keys, values, own.v_proj.bias, heads=own.num_heads)
        pooled: Tensor = own.c_proj(value)
        return pooled


def with_one_query(pool: Any) -> nn.Module:
    """Such a pool computed for its one query; as it was, and logged, where noise is pooled differently."""
    places, width = pool.positional_embedding.shape
    side = math.isqrt(places - 1)
    noise = torch.randn(2, width, side, side, generator=torch.Generator().manual_seed(0))
    short = MeanQueryPool(pool)
    with torch.inference_mode():
        expected = pool(noise)
        difference = short(noise) - expected
    if difference.abs().max() <= 1e-4 * expected.abs().max():
        return short
    log.warning("attention pool is not what it is taken for", model=type(pool).__name__)
    whole: nn.Module = pool
    return whole
