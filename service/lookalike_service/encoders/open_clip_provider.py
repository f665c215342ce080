"""Encoders whose network is open_clip's: an image and a text tower that share one space."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from open_clip.model import (
    convert_to_custom_text_state_dict,
    resize_pos_embed,
    resize_text_pos_embed,
)
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transform import PreprocessCfg
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from timm.models import vision_transformer as timm
from torch import Tensor, nn

from lookalike_service.encoders.catalog import OPEN_CLIP_FILES, HubWeights, find
from lookalike_service.encoders.class_token import Layout, shortened
from lookalike_service.encoders.hub import fetch
from lookalike_service.encoders.network import Network, probe, up_to_layer
from lookalike_service.encoders.pooling import make_pool
from lookalike_service.encoders.preprocessing import Preprocessing
from lookalike_service.encoders.single_query import with_one_query
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.squash import Squash
from lookalike_service.encoders.torch_encoder import Parts, TextTower
from lookalike_service.encoders.weights import (
    checkpoint_file,
    load_state,
    own_names,
    read_state,
    weights_id,
)
from lookalike_service.errors import InvalidField, InvalidModel, UnknownModel, WeightsMissing

_TRAINING = ("logit_scale", "logit_bias")
"""Parameters of the loss: they play no part in an embedding."""


def open_clip_parts(spec: EncoderSpec) -> Parts:
    """What the encoder of a spec of kind `open_clip:` is made of.

    Raises UnknownModel, InvalidField, InvalidModel or WeightsMissing, saying what is wrong with the spec or
    the file.
    """
    published = _published(spec)
    file = checkpoint_file(spec.checkpoint) if spec.checkpoint else _fetch(spec, published)
    model = _build(spec, quick_gelu=bool(published.get("quick_gelu", False)))
    _load(model, read_state(file), file.name)
    model.eval()
    side = _resize(model, spec)
    network, pooling = _network(model.visual, spec, side)
    row = find(str(EncoderSpec(provider="open_clip", name=spec.name, weights=spec.weights)))
    return Parts(
        spec=spec,
        network=network,
        preprocessing=_preprocessing(spec, published, side),
        input_size=(side, side),
        weights=weights_id(file),
        pooling=pooling,
        license=row.license if row else "unspecified",
        text=_text_tower(model, spec, pooling),
    )


# -- architecture and weights


def _published(spec: EncoderSpec) -> dict[str, Any]:
    """What open_clip knows of the weights: where they are, and the preprocessing they were trained with.

    For a checkpoint that is the preprocessing of the architecture's published weights where they agree, and
    open_clip's default where they do not. Raises UnknownModel, InvalidField.
    """
    architectures = open_clip.list_models()
    if spec.name not in architectures:
        close = get_close_matches(spec.name, architectures, n=5, cutoff=0.4)
        hint = f"Closest: {', '.join(close)}." if close else f"Known: {', '.join(architectures)}."
        raise UnknownModel(f"open_clip has no architecture '{spec.name}'. {hint}")
    tags = open_clip.list_pretrained_tags_by_model(spec.name)
    if spec.checkpoint is not None:
        recipes = [_recipe(open_clip.get_pretrained_cfg(spec.name, tag)) for tag in tags]
        return recipes[0] if recipes and all(r == recipes[0] for r in recipes) else {}
    if spec.weights is None:
        raise InvalidField(
            f"'{spec}' needs weights: open_clip:{spec.name}/WEIGHTS, of {', '.join(tags) or 'none'}; "
            f"or open_clip:{spec.name}@/path/checkpoint.pt."
        )
    # open_clip keeps its tags with underscores and takes hyphens too; one space has one name here.
    if spec.weights not in tags:
        raise UnknownModel(
            f"open_clip has no weights '{spec.weights}' of '{spec.name}'; it has {', '.join(tags) or 'none'}."
        )
    found: dict[str, Any] = open_clip.get_pretrained_cfg(spec.name, spec.weights)
    return found


def _recipe(published: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in published.items() if k in asdict(PreprocessCfg())}


def _fetch(spec: EncoderSpec, published: dict[str, Any]) -> Path:
    repository, _, name = published["hf_hub"].rpartition("/")
    files: tuple[str, ...] = OPEN_CLIP_FILES
    if name:
        safe = Path(name).with_suffix(".safetensors").name
        files = (safe, name) if safe != name else (name,)
    # A checkpoint says nothing of its activation: the architecture has to.
    quick = f"{spec.name}-quickgelu"
    swapped = published.get("quick_gelu") and quick in open_clip.list_models()
    with_file = f"open_clip:{quick if swapped else spec.name}@/path/{files[0]}"
    return fetch(HubWeights(repository, files), spec.revision, with_file)


def _build(spec: EncoderSpec, *, quick_gelu: bool) -> Any:
    """The architecture, its weights still random: `_load` gives it all of them or raises."""
    try:
        with _without_warning():
            return open_clip.create_model(
                spec.name, load_weights=False, pretrained_text=False, force_quick_gelu=quick_gelu
            )
    except (RuntimeError, ImportError, OSError) as error:
        raise WeightsMissing(
            f"The text tower of '{spec.name}' is transformers': `pip install transformers`, and have its "
            f"configuration in the hub's cache ({error})."
        ) from error


@contextmanager
def _without_warning() -> Iterator[None]:
    """Without open_clip's warning that the network is random: it is not for long."""
    root = logging.getLogger()
    about_weights = partial(_is_other, "initialized randomly")
    root.addFilter(about_weights)
    try:
        yield
    finally:
        root.removeFilter(about_weights)


def _is_other(words: str, record: logging.LogRecord) -> bool:
    return words not in record.getMessage()


def _load(model: Any, state: dict[str, Tensor], source: str) -> None:
    """Load a checkpoint of open_clip, or one that it converts, of any input size or text length."""
    wanted = set(model.state_dict())
    state = convert_state_dict(model, own_names(state, wanted | {"positional_embedding"}))
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    target = model.state_dict()
    state = {k: v for k, v in state.items() if k in target or k not in _TRAINING}
    state |= {name: target[name] for name in _TRAINING if name in target}
    for resize in (resize_pos_embed, resize_text_pos_embed):
        with suppress(AssertionError, RuntimeError):  # of another width: `load_state` says so
            resize(state, model)
    load_state(model, state, source)


# -- input size and preprocessing


def _resize(model: Any, spec: EncoderSpec) -> int:
    declared: Any = model.visual.image_size
    height, width = (declared, declared) if isinstance(declared, int) else declared
    if height != width:
        raise InvalidModel(
            f"'{spec.name}' sees {height} × {width} pixels; only squares are served."
        )
    if spec.size is None or spec.size == height:
        return int(height)
    if not hasattr(model.visual, "set_input_size"):
        raise InvalidField(f"'{spec.name}' sees {height} × {width} pixels and no other size.")
    try:
        model.visual.set_input_size(spec.size)
    except (AssertionError, RuntimeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise InvalidField(f"'{spec.name}' has no size {spec.size}: {error}") from error
    return spec.size


def _preprocessing(
    spec: EncoderSpec, published: dict[str, Any], side: int
) -> Preprocessing | Squash:
    recipe = asdict(PreprocessCfg()) | _recipe(published)
    mean, std = tuple(recipe["mean"]), tuple(recipe["std"])
    if recipe["resize_mode"] == "shortest":
        return Preprocessing(side, 1.0, recipe["interpolation"], mean, std)
    if recipe["resize_mode"] == "squash":
        return Squash(side, side, recipe["interpolation"], mean, std)
    raise InvalidModel(
        f"'{spec.name}' resizes by '{recipe['resize_mode']}'; 'shortest' and 'squash' are served."
    )


# -- image tower


def _network(visual: Any, spec: EncoderSpec, side: int) -> tuple[Network, str]:
    prefix, (backbone, head) = _towers(visual)
    if spec.layer is not None:
        return up_to_layer(visual, spec, side, prefix)
    pool, name = head, "own"
    if spec.pool is not None:
        shape = probe(backbone.eval(), side, side)
        pool, name = make_pool(spec.pool, shape, prefix), spec.pool
    network = Network(backbone, pool, prefix=prefix)
    layout = _layout(visual)
    return shortened(network, visual, layout, type(backbone), side) if layout else network, name


def _layout(visual: Any) -> Layout | None:
    """How the tower is built, if it is a plain vision transformer."""
    if isinstance(visual, VisionTransformer):
        norm = None if _norm_comes_later(visual) else "ln_post"
        parts = ("ln_1", "ls_1", "ln_2", "ls_2")
        return Layout("transformer.resblocks", norm, ResidualAttentionBlock, parts)
    if isinstance(visual, TimmModel) and isinstance(visual.trunk, timm.VisionTransformer):
        return Layout("trunk.blocks", "trunk.norm", timm.Block, ("norm1", "ls1", "norm2", "ls2"))
    return None


def _towers(visual: Any) -> tuple[int, tuple[nn.Module, nn.Module]]:
    """How many tokens come before the patches', and the image tower in two: to its last features, and on."""
    if isinstance(visual, VisionTransformer):
        return 1, (TransformerFeatures(visual), TransformerHead(visual))
    if isinstance(visual, ModifiedResNet):
        return 0, (ResNetFeatures(visual), with_one_query(visual.attnpool))
    if isinstance(visual, TimmModel):
        prefix = int(getattr(visual.trunk, "num_prefix_tokens", 0))
        return prefix, (TrunkFeatures(visual), TrunkHead(visual))
    raise InvalidModel(f"Image towers of kind {type(visual).__name__} are not served.")


class _Half(nn.Module):
    """One half of an image tower."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual


class TransformerFeatures(_Half):
    """open_clip's vision transformer up to its last tokens."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W) to tokens (n, T, K), the class token first."""
        tokens: Tensor = self.visual.transformer(self.visual._embeds(images))
        return tokens if _norm_comes_later(self.visual) else self.visual.ln_post(tokens)


class TransformerHead(_Half):
    """The pool and projection of open_clip's vision transformer."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n, T, K) to (n, dim)."""
        pool = self.visual._pool if _norm_comes_later(self.visual) else self.visual._global_pool
        pooled: Tensor = pool(tokens)[0]
        return pooled if self.visual.proj is None else pooled @ self.visual.proj


def _norm_comes_later(visual: Any) -> bool:
    return visual.attn_pool is not None or visual.final_ln_after_pool


class ResNetFeatures(_Half):
    """CLIP's ResNet up to its last maps."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W) to maps (n, K, h, w)."""
        maps: Tensor = self.visual.stem(images)
        for stage in (
            self.visual.layer1,
            self.visual.layer2,
            self.visual.layer3,
            self.visual.layer4,
        ):
            maps = stage(maps)
        return maps


class TrunkFeatures(_Half):
    """A timm network as image tower, up to its last features."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float32 (n, 3, H, W) to maps (n, K, h, w) or tokens (n, T, K)."""
        features: Tensor = self.visual.trunk.forward_features(images)
        return features


class TrunkHead(_Half):
    """The pool and projection of a timm network as image tower."""

    def forward(self, features: Tensor) -> Tensor:
        """Maps (n, K, h, w) or tokens (n, T, K) to (n, dim)."""
        embedded: Tensor = self.visual.head(self.visual.trunk.forward_head(features))
        return embedded


# -- text tower


def _text_tower(model: Any, spec: EncoderSpec, pooling: str) -> TextTower | str:
    """The text tower, or why there is none."""
    if pooling != "own":
        return "its text tower shares the space of the image tower's own layer and pool alone"
    try:
        tokenize: Callable[[list[str]], Tensor] = open_clip.get_tokenizer(spec.name)
    except (ImportError, NameError, OSError, RuntimeError, ValueError) as error:
        return (
            f"its tokenizer is not on this machine ({error}). `pip install transformers sentencepiece`, run "
            f"open_clip.get_tokenizer('{spec.name}') where the hub can be reached, and copy its folder of "
            "the hub's cache here"
        )
    return TextTower(model, tokenize)
