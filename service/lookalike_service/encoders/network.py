"""An encoder's network: a backbone up to the features, a pool, and what else explanations need of it."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from lookalike_service.encoders.pooling import (
    ClassActivation,
    as_maps,
    default_pool,
    grid_of,
    make_pool,
)
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import InvalidField, InvalidModel, UnsupportedTarget


class Network(nn.Module):
    """Normalised images to embeddings before normalisation; differentiable, float32, frozen.

    `backbone`: float32 (n, 3, H, W), normalised, to maps (n, K, h, w), tokens (n, T, K) or vectors (n, K).
    `pool`: what the backbone gives to (n, dim).
    `prefix`: how many tokens come before those of the patches.
    `classifier`: what the backbone gives to class logits (n, classes); None for a network without classes.
    `linear`: that classifier as a function of the embedding, where it is linear in it.
    `trunk`: a shorter way to what pool and classifier need of the backbone; the backbone itself by default.
    `ending`: the last stretch of that way, again, of what the trunk gave; nothing by default.
    """

    def __init__(
        self,
        backbone: nn.Module,
        pool: nn.Module,
        *,
        prefix: int = 0,
        classifier: Callable[[Tensor], Tensor] | None = None,
        linear: nn.Linear | None = None,
        trunk: nn.Module | None = None,
        ending: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = pool
        self.prefix = prefix
        self.classifier = classifier
        self.linear = linear
        self.trunk = backbone if trunk is None else trunk
        self.ending = nn.Identity() if ending is None else ending
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        """Embed normalised float32 (n, 3, H, W) as (n, dim), not yet of unit norm."""
        embedded: Tensor = self.pool(self.backbone(images))
        return embedded

    @property
    def entrance(self) -> nn.Module | None:
        """The layer that the ending starts with, whose output all tokens take part in; None for no ending."""
        found: nn.Module | None = getattr(self.ending, "entrance", None)
        return found

    def maps(self, features: Tensor) -> Tensor:
        """The maps (n, K, h, w) that the embedding of these features is pooled from.

        Raises UnsupportedTarget for features that have no place in the image.
        """
        grid = grid_of(features.shape, self.prefix)
        if grid is None:
            raise UnsupportedTarget(
                "This encoder's features have no place in the image, so there is no map of them; "
                "choose a layer before its pooling."
            )
        if isinstance(self.pool, ClassActivation):
            return self.pool.maps(features)
        return as_maps(features, grid)

    def logits(self, features: Tensor) -> Tensor:
        """The network's own classifier on what its trunk gave: (n, classes), before softmax.

        Raises UnsupportedTarget for a network without classes.
        """
        if self.classifier is None:
            raise UnsupportedTarget(
                "This encoder has no classes: only a timm classifier has, embedding its last features."
            )
        return self.classifier(features)


def is_average(network: Network, shape: torch.Size) -> bool:
    """Whether the pool is the plain average of its maps, tried on noise of the features' shape."""
    if grid_of(shape, network.prefix) is None:
        return False
    noise = torch.randn((2, *shape[1:]), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pooled, averaged = network.pool(noise), network.maps(noise).mean(dim=(2, 3))
    return pooled.shape == averaged.shape and torch.allclose(pooled, averaged, rtol=1e-4, atol=1e-5)


def linear_in_embedding(
    layer: object, classifier: Callable[[Tensor], Tensor], pool: nn.Module, shape: torch.Size
) -> nn.Linear | None:
    """The layer, if it makes of the embedding what the classifier makes of features: tried on noise."""
    noise = torch.randn((2, *shape[1:]), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pooled, logits = pool(noise), classifier(noise)
        if not isinstance(layer, nn.Linear) or layer.in_features != pooled.shape[1]:
            return None
        made = layer(pooled)
    same = made.shape == logits.shape and torch.allclose(made, logits, rtol=1e-4, atol=1e-4)
    return layer if same else None


# -- layers


class _Reached(Exception):
    """No error: it carries a layer's output out of the forward pass."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


def _stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
    raise _Reached(output)


class UpTo(nn.Module):
    """A network that stops at one of its layers and gives that layer's output.

    Nothing behind the layer is computed, and nothing is stored in the module, so threads may share it.
    Raises InvalidField, with the closest names, for a layer that there is not; the hook stays on the network,
    which is of no other use after.
    """

    def __init__(self, model: nn.Module, layer: str, *, channels_last: bool = False) -> None:
        super().__init__()
        self.model = model
        self.layer = layer
        self.channels_last = channels_last
        find_layer(model, layer).register_forward_hook(_stop)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W) to the layer's maps, tokens or vectors."""
        try:
            self.model(images)
        except _Reached as reached:
            output = reached.output
        else:
            raise InvalidField(
                f"Layer '{self.layer}' takes no part in the embedding; choose another."
            )
        if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
            raise InvalidField(
                f"Layer '{self.layer}' gives no maps, tokens or vectors; choose one around it."
            )
        return output.permute(0, 3, 1, 2) if self.channels_last and output.ndim == 4 else output


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The layer of this dotted name. Raises InvalidField, with the closest names and the outermost."""
    layers: dict[str, nn.Module] = {
        known: module for known, module in model.named_modules() if known
    }
    if name in layers:
        return layers[name]
    close = get_close_matches(name, layers, n=5, cutoff=0.5)
    closest = f"Closest: {', '.join(close)}. " if close else ""
    outermost = [known for known in layers if known.count(".") == 0]
    repeated = [f"{known}.0 …" for known in outermost if f"{known}.0" in layers]
    raise InvalidField(
        f"There is no layer '{name}' among the {len(layers)}. {closest}"
        f"Outermost: {', '.join(outermost)}"
        + (f"; with {', '.join(repeated)}." if repeated else ".")
    )


def probe(backbone: nn.Module, height: int, width: int) -> torch.Size:
    """The shape of what a backbone gives for one image. Raises InvalidModel if it takes no such size."""
    try:
        with torch.inference_mode():
            features = backbone(torch.zeros(1, 3, height, width))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InvalidModel(
            f"The network takes no images of {height} × {width} pixels: {error}"
        ) from error
    shape: torch.Size = features.shape
    return shape


def up_to_layer(
    model: nn.Module, spec: EncoderSpec, side: int, prefix: int, *, channels_last: bool = False
) -> tuple[Network, str]:
    """A network that embeds the output of the spec's layer, and the canonical text of layer and pool.

    Raises InvalidField for a layer that there is not, or that the spec's pool does not go with.
    """
    backbone = UpTo(model, spec.layer or "", channels_last=channels_last).eval()
    shape = probe(backbone, side, side)
    pool = spec.pool or default_pool(shape, prefix)
    network = Network(backbone, make_pool(pool, shape, prefix), prefix=prefix)
    return network, f"layer={spec.layer} {pool}"
