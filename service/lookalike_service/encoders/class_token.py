"""The last block of a vision transformer, computed for its class token alone.

Where the class token alone is pooled, all that the last block makes of the other tokens is thrown away. They
matter there as keys and values only, which fold into the class token's query: see `single_query`. So the
block costs little more than one token's share of it, forwards and backwards: maps of the tokens that enter it
need no other pass of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
import torch
from timm.layers.attention import Attention
from torch import Tensor, nn
from torch.nn.functional import linear

from lookalike_service.encoders.network import Network
from lookalike_service.encoders.single_query import attend

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a library builds a vision transformer.

    `blocks`, `norm`: paths of its blocks and of the norm after them, None where none follows. `kind`: the
    class of its plain block. `parts`: what that calls its norm and scale around the attention, and those
    around its MLP.
    """

    blocks: str
    norm: str | None
    kind: type[nn.Module]
    parts: tuple[str, str, str, str]


class ClassTokenBlock(nn.Module):
    """A transformer's last block and the norm after it: tokens (n, T, K) to the class token, (n, 1, K)."""

    def __init__(self, block: Any, norm: nn.Module, parts: tuple[str, str, str, str]) -> None:
        super().__init__()
        self.norm_1, self.scale_1, self.norm_2, self.scale_2 = map(block.get_submodule, parts)
        self.attention = _ClassTokenAttention(block.attn)
        self.mlp: nn.Module = block.mlp
        self.norm = norm

    def forward(self, tokens: Tensor) -> Tensor:
        """What the block and the norm make of the first token."""
        token = tokens[:, :1]
        token = token + self.scale_1(self.attention(self.norm_1(tokens)))
        token = token + self.scale_2(self.mlp(self.norm_2(token)))
        normed: Tensor = self.norm(token)
        return normed


class ClassTokenTrunk(nn.Module):
    """A vision transformer whose last block is computed for the class token alone.

    `tokens`: normalised images to the tokens (n, T, K) that enter the last block.
    """

    def __init__(self, tokens: nn.Module, last: ClassTokenBlock) -> None:
        super().__init__()
        self.tokens, self.last = tokens, last

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1 + T, K): the class token that leaves the last block, before the tokens that enter it."""
        tokens = self.tokens(images)
        return torch.cat([self.last(tokens), tokens], dim=1)


class ClassTokenEnding(nn.Module):
    """The last block of a `ClassTokenTrunk` once more, of what that gave: (n, 1 + T, K) to (n, 1, K)."""

    def __init__(self, last: ClassTokenBlock) -> None:
        super().__init__()
        self.last = last

    @property
    def entrance(self) -> nn.Module:
        """The norm before the block's attention, whose output all tokens take part in."""
        entrance: nn.Module = self.last.norm_1
        return entrance

    def forward(self, features: Tensor) -> Tensor:
        """The class token that leaves the network."""
        token: Tensor = self.last(features[:, 1:])
        return token


class _ClassTokenAttention(nn.Module):
    """Self-attention, of normed tokens (n, T, K), as the first of them gets it: (n, 1, K)."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention  # holds the weights, of which there shall be no second copy
        self.heads: int = attention.num_heads

    def forward(self, tokens: Tensor) -> Tensor:
        packed, bias, norm, project = _weights(self.attention)
        queries, keys, values = packed.chunk(3)
        shifts = (None, None, None) if bias is None else bias.chunk(3)
        query = linear(tokens[:, 0], queries, shifts[0])
        value = attend(query, tokens, keys, values, shifts[2], heads=self.heads)
        projected: Tensor = project(norm(value))
        return projected[:, None]


def _weights(attention: Any) -> tuple[Tensor, Tensor | None, nn.Module, nn.Module]:
    """The packed projection to queries, keys and values, with its bias; the output's norm and projection."""
    if isinstance(attention, nn.MultiheadAttention):
        return (
            attention.in_proj_weight,
            attention.in_proj_bias,
            nn.Identity(),
            attention.out_proj,
        )
    return attention.qkv.weight, attention.qkv.bias, attention.norm, attention.proj


def shortened(
    network: Network,
    model: nn.Module,
    layout: Layout,
    tokens: Callable[[nn.Module], nn.Module],
    side: int,
) -> Network:
    """The network with its last block for the class token alone; as it was where that does not go.

    `model`: the library's. `tokens`: the backbone of such a model. It goes for plain blocks, where neither
    pool nor classifier sees another token, and where noise of `side` pixels leaves the same class token.
    """
    blocks: Any = model.get_submodule(layout.blocks)
    if type(blocks[-1]) is not layout.kind or not _is_plain(blocks[-1].attn):
        return network
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.backbone(noise)
        heads = (network.pool, network.classifier)
        if not all(head is None or _sees_one_token(head, expected) for head in heads):
            return network
        norm = nn.Identity() if layout.norm is None else model.get_submodule(layout.norm)
        last = ClassTokenBlock(blocks[-1], norm, layout.parts)
        short = Network(
            network.backbone,
            network.pool,
            prefix=network.prefix,
            classifier=network.classifier,
            linear=network.linear,
            trunk=ClassTokenTrunk(tokens(_without_last_block(model, layout)), last),
            ending=ClassTokenEnding(last),
        )
        difference = short.trunk(noise)[:, 0] - expected[:, 0]
    if difference.abs().max() <= 1e-4 * expected.abs().max():
        return short
    log.warning("last block is not what it is taken for", model=type(model).__name__)
    return network


def _sees_one_token(head: Callable[[Tensor], Tensor], tokens: Tensor) -> bool:
    others = torch.cat([tokens[:, :1], -tokens[:, 1:]], dim=1)
    return torch.equal(head(tokens), head(others))


def _without_last_block(model: nn.Module, layout: Layout) -> nn.Module:
    """A copy of a model that shares its weights, without the last block and the norm after it."""
    blocks: Any = model.get_submodule(layout.blocks)
    short = _replaced(model, layout.blocks, blocks[:-1])
    return short if layout.norm is None else _replaced(short, layout.norm, nn.Identity())


def _is_plain(attention: Any) -> bool:
    """Whether keys fold into queries: they do not where each key is normalised."""
    if isinstance(attention, nn.MultiheadAttention):
        return attention.batch_first and attention.in_proj_weight is not None
    return (
        type(attention) is Attention
        and attention.gate is None
        and isinstance(attention.q_norm, nn.Identity)
        and isinstance(attention.k_norm, nn.Identity)
    )


def _replaced(module: nn.Module, path: str, new: nn.Module) -> nn.Module:
    """A copy of a module that shares its weights, with another module at a dotted path."""
    name, _, rest = path.partition(".")
    copied = copy.copy(module)
    inner = _replaced(module.get_submodule(name), rest, new) if rest else new
    copied._modules = module._modules | {name: inner}
    return copied
