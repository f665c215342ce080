"""From a network's last features to one vector per image, in float32.

Every pool is a module over what the backbone gives: maps (n, K, h, w), tokens (n, T, K) or vectors
(n, K). It returns the embedding before normalisation, (n, dim).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lookalike_service.encoders.spec import Pool
from lookalike_service.errors import InvalidField


def normalise(pooled: Tensor) -> tuple[Tensor, Tensor]:
    """Float32 (n, dim) as unit vectors (n, dim) and their norms (n,); zeros stay zeros, never NaN."""
    norms = pooled.norm(dim=1, keepdim=True)
    return torch.where(norms > 0, pooled / norms, 0), norms[:, 0]


def grid_of(shape: torch.Size, prefix: int) -> tuple[int, int] | None:
    """Rows and columns of features of this shape; None if they have no place in the image.

    Tokens are `prefix` ones of no place (class, registers), or none, then a square of patches.
    """
    if len(shape) == 4:
        return int(shape[2]), int(shape[3])
    if len(shape) == 3:
        for tokens in (shape[1] - prefix, shape[1]):
            side = math.isqrt(max(0, tokens))
            if side > 0 and side * side == tokens:
                return side, side
    return None


def as_maps(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Maps (n, K, h, w) of maps, or of tokens, whose prefix is dropped."""
    if features.ndim == 4:
        return features
    rows, columns = grid
    patches = features[:, features.shape[1] - rows * columns :].transpose(1, 2)
    return patches.reshape(*patches.shape[:2], rows, columns)


class Average(nn.Module):
    """The average over positions."""

    def __init__(self, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, features: Tensor) -> Tensor:
        """Maps or tokens to (n, K)."""
        return as_maps(features, self.grid).mean(dim=(2, 3))


class Maximum(Average):
    """The maximum over positions (MAC: Tolias et al., 2016, arXiv:1511.05879)."""

    def forward(self, features: Tensor) -> Tensor:
        """Maps or tokens to (n, K)."""
        return as_maps(features, self.grid).amax(dim=(2, 3))


class GeneralisedMean(Average):
    """The generalised mean over positions with exponent 3, of what is positive (GeM).

    Radenović, Tolias & Chum, 2018, arXiv:1711.02512: between average (1) and maximum (infinity); 3 is
    their value for untrained pooling.
    """

    exponent = 3.0
    smallest = 1e-6

    def forward(self, features: Tensor) -> Tensor:
        """Maps or tokens to (n, K)."""
        powers = as_maps(features, self.grid).clamp(min=self.smallest) ** self.exponent
        return powers.mean(dim=(2, 3)) ** (1 / self.exponent)


class Flatten(Average):
    """Every value of every position: K × h × w of them, channel by channel."""

    def forward(self, features: Tensor) -> Tensor:
        """Maps or tokens to (n, K · h · w)."""
        return as_maps(features, self.grid).flatten(1)


class ClassToken(nn.Module):
    """The first token."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens to (n, K)."""
        return tokens[:, 0]


class ClassActivation(Average):
    """The average over positions, each channel weighted by the classifier's weight for the predicted class.

    The features of class activation mapping (Zhou et al., 2016, arXiv:1512.04150), pooled: what a
    fine-tuned classifier decided by, and little of what it passed over.
    """

    def __init__(self, grid: tuple[int, int], classifier: nn.Linear) -> None:
        super().__init__(grid)
        self.classifier = classifier

    def maps(self, features: Tensor) -> Tensor:
        """The weighted maps (n, K, h, w), whose average is the embedding."""
        maps = as_maps(features, self.grid)
        predicted = self.classifier(maps.mean(dim=(2, 3))).argmax(dim=1)
        return maps * self.classifier.weight[predicted][:, :, None, None]

    def forward(self, features: Tensor) -> Tensor:
        """Maps to (n, K)."""
        return self.maps(features).mean(dim=(2, 3))


_OVER_POSITIONS: dict[Pool, type[Average]] = {
    "avg": Average,
    "max": Maximum,
    "gem": GeneralisedMean,
    "flatten": Flatten,
}


def make_pool(pool: Pool, shape: torch.Size, prefix: int) -> nn.Module:
    """The module of any pool but `cam`, for features of this shape.

    `prefix`: how many of the model's tokens have no place in the image; the first is the class token.
    Raises InvalidField where the pool does not go with the features.
    """
    if len(shape) == 2:
        if pool == "flatten":
            return nn.Identity()
        raise InvalidField(f"This layer gives vectors already; pool '{pool}' has nothing to pool.")
    if pool == "cls":
        if not _has_class_token(shape, prefix):
            raise InvalidField("These features have no class token; pools: avg, gem, max, flatten.")
        return ClassToken()
    grid = grid_of(shape, prefix)
    if grid is None:
        raise InvalidField(
            f"These features, of shape {tuple(shape[1:])}, are no grid of positions; only 'cls' pools them."
        )
    return _OVER_POSITIONS[pool](grid)


def _has_class_token(shape: torch.Size, prefix: int) -> bool:
    """Whether tokens of this shape start with the model's own; its patch embedding's output does not yet."""
    only_patches = grid_of(shape, 0) is not None and grid_of(shape, 0) == grid_of(shape, prefix)
    return len(shape) == 3 and prefix > 0 and not only_patches


def default_pool(shape: torch.Size, prefix: int) -> Pool:
    """How a layer is pooled unless a spec says: vectors not at all, tokens by the first, maps by average."""
    if len(shape) == 2:
        return "flatten"
    return "cls" if _has_class_token(shape, prefix) else "avg"
