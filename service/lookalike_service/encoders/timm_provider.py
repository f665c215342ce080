"""Encoders whose network is timm's: any of its classifiers and vision transformers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from timm.models import PretrainedCfg
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from lookalike_service.encoders import timm_config
from lookalike_service.encoders.catalog import HubWeights, PackagedWeights, find
from lookalike_service.encoders.class_token import Layout, shortened
from lookalike_service.encoders.hub import fetch
from lookalike_service.encoders.network import Network, linear_in_embedding, probe, up_to_layer
from lookalike_service.encoders.pooling import (
    Average,
    ClassActivation,
    ClassToken,
    as_maps,
    grid_of,
    make_pool,
)
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.torch_encoder import Parts
from lookalike_service.encoders.weights import (
    checkpoint_file,
    load_in_order,
    load_state,
    own_names,
    packaged_file,
    read_state,
    weights_id,
)
from lookalike_service.errors import InvalidField, InvalidModel, WeightsMissing


def timm_parts(spec: EncoderSpec) -> Parts:
    """What the encoder of a spec of kind `timm:` is made of.

    Raises UnknownModel, InvalidField, InvalidModel or WeightsMissing, saying what is wrong with the spec or
    the file.
    """
    file = checkpoint_file(spec.checkpoint) if spec.checkpoint else None
    config = timm_config.configured(spec.name, file)
    if file is not None:
        # Any: timm types its models as bare modules, without the methods that all of them have.
        model: Any = _own(spec.name, file, config)
        classes = _class_names(spec, file, config.classes, model.num_classes)
    else:
        model, file = _published(spec, config.published)
        classes = _imagenet_names(model)
    model.eval()
    side = _resize(model, spec, config.published)
    network, pooling = _network(model, spec, side)
    row = find(str(EncoderSpec(provider="timm", name=spec.name)))
    terms = row.license if row else config.published.license or "unspecified"
    return Parts(
        spec=spec,
        network=network,
        preprocessing=timm_config.preprocessing(spec.name, config.published, side),
        input_size=(side, side),
        weights=weights_id(file, config.arguments),
        pooling=pooling,
        license="unspecified" if spec.checkpoint else terms,
        text="a timm network sees images alone",
        classes=classes,
    )


# -- weights


def _published(spec: EncoderSpec, config: PretrainedCfg) -> tuple[nn.Module, Path]:
    row = find(str(EncoderSpec(provider="timm", name=spec.name)))
    if row is not None and isinstance(row.weights, PackagedWeights) and spec.revision is None:
        file = packaged_file(row.weights)
        model = timm.create_model(spec.name, pretrained=False)
        load_in_order(model, read_state(file))
        return model, file
    if not config.hf_hub_id:
        elsewhere = f"Download {config.url}, or give" if config.url else "Give"
        raise WeightsMissing(
            f"timm has no weights for '{spec.name}' on the hub. {elsewhere} your own, as in "
            f"'timm:{spec.name}@/path/checkpoint.pth'."
        )
    name = config.hf_hub_filename
    weights = HubWeights(config.hf_hub_id, (name,)) if name else HubWeights(config.hf_hub_id)
    file = fetch(weights, spec.revision, f"timm:{spec.name}@/path/{weights.files[0]}")
    overlay = {"file": str(file), "custom_load": False}
    try:
        return timm.create_model(spec.name, pretrained=True, pretrained_cfg_overlay=overlay), file
    except (RuntimeError, KeyError, ValueError) as error:
        raise InvalidModel(
            f"'{file.name}' of '{weights.repository}' does not fit: {error}"
        ) from error


def _own(name: str, file: Path, config: timm_config.Configuration) -> nn.Module:
    """A network with the weights, the number of classes and the input size of a user's checkpoint."""
    named: Any = config.published.classifier or ()
    heads = (named,) if isinstance(named, str) else tuple(named)
    wanted = _names(name, config.arguments) | {
        f"{h}.{part}" for h in heads for part in ("weight", "bias")
    }
    state = own_names(read_state(file), wanted)
    # Without the head's own tensors the checkpoint is a backbone: it has no classes.
    head = next((state[f"{h}.weight"] for h in heads if f"{h}.weight" in state), None)
    model = _create(name, config.arguments, num_classes=0 if head is None else len(head))
    _fit_positions(model, state)
    load_state(model, state, file.name)
    return model


def _names(name: str, arguments: Mapping[str, Any]) -> set[str]:
    with torch.device("meta"):
        return set(_create(name, arguments).state_dict())


def _create(name: str, arguments: Mapping[str, Any], **more: Any) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, **arguments, **more)
    except TypeError as error:
        raise InvalidModel(f"'{name}' is not built with {dict(arguments)}: {error}") from error
    return model


def _fit_positions(model: Any, state: Mapping[str, Tensor]) -> None:
    """Give a vision transformer the input size that a checkpoint's position embedding was trained at."""
    ours, theirs = getattr(model, "pos_embed", None), state.get("pos_embed")
    if ours is None or theirs is None or theirs.ndim != 3 or ours.shape == theirs.shape:
        return
    if not hasattr(model, "set_input_size"):
        return
    prefix = 0 if getattr(model, "no_embed_class", False) else model.num_prefix_tokens
    side = math.isqrt(max(0, theirs.shape[1] - prefix))
    if side > 0 and side * side == theirs.shape[1] - prefix:
        model.set_input_size(img_size=(side * model.patch_embed.patch_size[0],) * 2)


def _class_names(
    spec: EncoderSpec, file: Path, beside: tuple[str, ...], count: int
) -> tuple[str, ...]:
    """Class names of `classes=FILE`, of FILE.classes.txt beside the checkpoint, or of its configuration."""
    source = Path(spec.classes) if spec.classes else file.with_suffix(".classes.txt")
    if spec.classes and not source.is_file():
        raise InvalidField(f"There is no file of class names '{source}' on this machine.")
    names = tuple(source.read_text().splitlines()) if source.is_file() else beside
    if names and len(names) != count:
        raise InvalidModel(f"There are {len(names)} class names for {count} classes.")
    return names


def _imagenet_names(model: Any) -> tuple[str, ...]:
    """The names of the classes of ImageNet that a published network was trained on, if it was."""
    subset = infer_imagenet_subset(model)
    if subset is None:
        return ()
    info: Any = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


# -- input size, layer and pool


def _resize(model: Any, spec: EncoderSpec, config: PretrainedCfg) -> int:
    """Set the input size that the spec asks for; the side of the square that the network sees."""
    embedding = getattr(model, "patch_embed", None)
    own = getattr(embedding, "img_size", None) if hasattr(model, "set_input_size") else None
    if spec.size is None:
        return own[0] if own and own[0] == own[1] else timm_config.input_side(spec.name, config)
    if hasattr(model, "set_input_size"):
        try:
            model.set_input_size(img_size=(spec.size, spec.size))
        except (AssertionError, RuntimeError, ValueError, ZeroDivisionError) as error:
            raise InvalidField(f"'{spec.name}' has no size {spec.size}: {error}") from error
    elif config.fixed_input_size and spec.size != timm_config.input_side(spec.name, config):
        side = timm_config.input_side(spec.name, config)
        raise InvalidField(f"'{spec.name}' sees {side} × {side} pixels and no other size.")
    return spec.size


def _network(model: Any, spec: EncoderSpec, side: int) -> tuple[Network, str]:
    channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    if spec.layer is not None:
        return up_to_layer(model, spec, side, prefix, channels_last=channels_last)
    backbone = LastFeatures(model, channels_last=channels_last)
    shape = probe(backbone, side, side)
    pool, name = _own_pool(model, shape, prefix, channels_last=channels_last)
    if spec.pool == "cam":
        pool, name = _class_activation(model, spec, pool, shape), "cam"
    elif spec.pool is not None:
        pool, name = make_pool(spec.pool, shape, prefix), spec.pool
    head = Head(model, channels_last=channels_last, pre_logits=False)
    if model.num_classes == 0:
        network = Network(backbone, pool, prefix=prefix)
    else:
        linear = linear_in_embedding(model.get_classifier(), head, pool, shape)
        network = Network(backbone, pool, prefix=prefix, classifier=head, linear=linear)
    if isinstance(model, VisionTransformer):
        network = shortened(network, model, VIT, _tokens, side)
    return network, name


VIT = Layout("blocks", "norm", Block, ("norm1", "ls1", "norm2", "ls2"))


def _tokens(model: nn.Module) -> LastFeatures:
    return LastFeatures(model, channels_last=False)


def _own_pool(
    model: Any, shape: torch.Size, prefix: int, *, channels_last: bool
) -> tuple[nn.Module, str]:
    """The model's own pool with the norm that follows it, but without hidden layers of its classifier.

    VGG and MobileNetV3 have such layers; their features are averaged.
    """
    head = Head(model, channels_last=channels_last, pre_logits=True)
    noise = torch.randn((2, *shape[1:]), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pooled = head(noise)
    grid = grid_of(shape, prefix)
    if grid is not None and _same(pooled, as_maps(noise, grid).mean(dim=(2, 3))):
        return Average(grid), "avg"
    if prefix and _same(pooled, noise[:, 0]):
        return ClassToken(), "cls"
    if isinstance(pooled, Tensor) and pooled.shape == (2, shape[1 if len(shape) == 4 else -1]):
        return head, "own"
    if grid is None:
        raise InvalidField("This network has no pool of its own; choose one with 'pool'.")
    return Average(grid), "avg"


def _same(pooled: object, other: Tensor) -> bool:
    if not isinstance(pooled, Tensor) or pooled.shape != other.shape:
        return False
    return torch.allclose(pooled, other, rtol=1e-4, atol=1e-5)


def _class_activation(
    model: Any, spec: EncoderSpec, own: nn.Module, shape: torch.Size
) -> ClassActivation:
    classifier = model.get_classifier()
    if not isinstance(classifier, nn.Linear):
        raise InvalidField(
            f"Pool 'cam' weighs by a classifier's weights, and '{spec.name}' has none here."
        )
    if not isinstance(own, Average) or len(shape) != 4 or classifier.in_features != shape[1]:
        raise InvalidField(
            f"Pool 'cam' needs a linear classifier of averaged maps; that of '{spec.name}' is another."
        )
    return ClassActivation(own.grid, classifier)


class LastFeatures(nn.Module):
    """A timm network without its head."""

    def __init__(self, model: Any, *, channels_last: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W) to maps (n, K, h, w) or tokens (n, T, K)."""
        features: Tensor = self.model.forward_features(images)
        return features.permute(0, 3, 1, 2) if self.channels_last else features


class Head(nn.Module):
    """A timm network's head: its pool and norm, and its classifier unless `pre_logits`."""

    def __init__(self, model: Any, *, channels_last: bool, pre_logits: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last
        self.pre_logits = pre_logits

    def forward(self, features: Tensor) -> Tensor:
        """Maps (n, K, h, w) or tokens (n, T, K) to (n, dim) or (n, classes)."""
        own = features.permute(0, 2, 3, 1) if self.channels_last else features
        output: Tensor = self.model.forward_head(own, pre_logits=self.pre_logits)
        return output
