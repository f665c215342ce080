"""What explanations need of an encoder's network, beyond its embeddings."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidField, UnsupportedTarget
from lookalike_service.images import Pixels

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Differentiable(Protocol):
    """An encoder with a network to take gradients of.

    `network` has a `backbone` (normalised float32 (n, 3, H, W) to maps or tokens), a `pool` of what that
    gives (to the embedding before normalisation), `prefix`, the tokens that come before the patches', and a
    `classifier` of what the backbone gives, or None. It takes samples in [0, 1] less `mean`, by `std`.
    `classes` are the names of its classes where they are known.

    What the pool and the classifier need of the backbone, its `trunk` and `ending` give too, and sooner;
    `entrance` is the layer that the ending starts with, None for an ending that changes nothing.
    """

    @property
    def network(self) -> Any:
        """Frozen and in evaluation mode; other threads run it at the same time."""

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel."""

    @property
    def std(self) -> tuple[float, ...]:
        """Per channel."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Empty where they are not known."""

    @property
    def class_weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Weights (classes, dim) and biases (classes,), of a classifier of embeddings before normalisation.

        None for one that is not linear in them.
        """

    @property
    def resumes(self) -> bool:
        """Whether `Encoded.features` are what the trunk gave."""

    def class_logits(
        self, pixels: Pixels, features: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Class scores before softmax, (n, classes), of uint8 (n, height, width, 3) of the input size.

        `features`: theirs, which spare a pass where the encoder `resumes`.
        """


def no_network(model: str) -> UnsupportedTarget:
    """What is said of an encoder that is no network, and whose embedding no maps add up to."""
    return UnsupportedTarget(
        f"'{model}' has no network to differentiate, so no target of its embeddings can be explained. Ask "
        "for an encoder with one by 'model', or for a collection made with one: see GET /v1/models."
    )


def layers_of(network: Any) -> dict[str, nn.Module]:
    """The layers of a network by the names its library gives them."""
    backbone = network.backbone
    inner: nn.Module = getattr(backbone, "model", None) or getattr(backbone, "visual", backbone)
    return {name: module for name, module in inner.named_modules() if name}


def default_layer(network: Any) -> str | None:
    """The layer explained where none is named: None for the last features, as a CNN's.

    A vision transformer's last patch tokens go nowhere where the class token alone is pooled; there it is the
    norm before the last attention.
    """
    norms = [
        name
        for name in layers_of(network)
        if name.endswith((".norm1", ".ln_1"))
        and name.split(".")[-3:-2] in (["blocks"], ["resblocks"])
    ]
    return norms[-1] if norms else None


def is_behind_trunk(network: Any, layer: str | None) -> bool:
    """Whether what the trunk gives is all that maps at a layer need; None for the last features."""
    return (None if layer is None else find_layer(network, layer)) is network.entrance


def find_layer(network: Any, name: str) -> nn.Module:
    """The layer of this name. Raises InvalidField with the closest names and the outer ones."""
    layers = layers_of(network)
    if name in layers:
        return layers[name]
    close = get_close_matches(name, layers, n=5, cutoff=0.5)
    closest = f"Closest: {', '.join(close)}. " if close else ""
    outer = [known for known in layers if known.count(".") <= 1]
    raise InvalidField(
        f"There is no layer '{name}' among the {len(layers)}. {closest}The outer ones: {', '.join(outer)}."
    )
