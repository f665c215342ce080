"""What is known of a timm network before its weights: its name, published configuration and preprocessing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import timm
from timm.models import PretrainedCfg, get_pretrained_cfg

from lookalike_service.encoders.preprocessing import Preprocessing
from lookalike_service.encoders.squash import Squash
from lookalike_service.errors import InvalidModel, UnknownModel

_CONFIGURABLE = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")


class Configuration(NamedTuple):
    """A published configuration as a checkpoint's own file changes it.

    `arguments` are the architecture's, where they differ; `classes` the names of the classes, if given.
    """

    published: PretrainedCfg
    arguments: dict[str, Any]
    classes: tuple[str, ...]


def published(name: str) -> PretrainedCfg:
    """The configuration of a name such as `resnet50` or `resnet50.a1_in1k`. Raises UnknownModel."""
    architecture, _, tag = name.partition(".")
    if architecture not in timm.list_models() or (tag and not timm.is_model_pretrained(name)):
        known = timm.list_models() + timm.list_models(pretrained=True)
        close = get_close_matches(name, known, n=5, cutoff=0.5)
        hint = (
            f"Closest: {', '.join(f'timm:{n}' for n in close)}." if close else "No name is close."
        )
        raise UnknownModel(f"timm has no '{name}'. {hint}")
    found = get_pretrained_cfg(name)
    return PretrainedCfg() if found is None else found


def configured(name: str, checkpoint: Path | None) -> Configuration:
    """The published configuration, with what stands beside a checkpoint taken into account.

    Beside `own.pth` that is `own.json`, beside timm's `model.safetensors` its `config.json`: in the format
    of timm's `save_for_hf`, of which `model_args`, `label_names` and, of `pretrained_cfg`, what concerns
    preprocessing are read. Raises UnknownModel, InvalidModel.
    """
    config = published(name)
    beside = _beside(checkpoint) if checkpoint else None
    if beside is None:
        return Configuration(config, {}, ())
    try:
        own = json.loads(beside.read_text())
        overlay = {k: v for k, v in own.get("pretrained_cfg", {}).items() if k in _CONFIGURABLE}
        arguments = {k: v for k, v in own.get("model_args", {}).items() if k != "num_classes"}
        labels = own.get("label_names") or own.get("pretrained_cfg", {}).get("label_names") or ()
        architecture = own.get("architecture", name)
    except (ValueError, AttributeError) as error:
        raise InvalidModel(
            f"'{beside.name}' is no configuration as timm writes it: {error}"
        ) from error
    if architecture != name.partition(".")[0]:
        raise InvalidModel(f"'{beside.name}' configures '{architecture}', not '{name}'.")
    return Configuration(replace(config, **overlay), arguments, tuple(map(str, labels)))


def _beside(checkpoint: Path) -> Path | None:
    names = [checkpoint.with_suffix(".json").name]
    if checkpoint.name in {"model.safetensors", "pytorch_model.bin"}:
        names.append("config.json")
    return next((file for n in names if (file := checkpoint.with_name(n)).is_file()), None)


def input_side(name: str, config: PretrainedCfg) -> int:
    """The side of the square that the network sees. Raises InvalidModel."""
    channels, height, width = config.input_size
    if channels != 3:
        raise InvalidModel(f"'{name}' sees images of {channels} channels; only RGB is served.")
    if height != width:
        raise InvalidModel(f"'{name}' sees {height} × {width} pixels; give a square with 'size'.")
    return int(height)


def preprocessing(name: str, config: PretrainedCfg, side: int) -> Preprocessing | Squash:
    """The configuration's own way from a picture to `side` × `side`. Raises InvalidModel."""
    if config.interpolation not in {"bicubic", "bilinear"}:
        raise InvalidModel(
            f"'{name}' resizes by {config.interpolation}; bicubic and bilinear are served."
        )
    crop, interpolation = float(config.crop_pct), config.interpolation
    mean, std = (_three(name, values) for values in (config.mean, config.std))
    if config.crop_mode == "center":
        return Preprocessing(side, crop, interpolation, mean, std)  # type: ignore[arg-type] # checked above
    if config.crop_mode == "squash":
        return Squash(side, side, interpolation, mean, std, crop)  # type: ignore[arg-type] # checked above
    raise InvalidModel(f"'{name}' crops by '{config.crop_mode}'; 'center' and 'squash' are served.")


def _three(name: str, values: Any) -> tuple[float, float, float]:
    if len(values) != 3 or not all(math.isfinite(v) for v in values):
        raise InvalidModel(f"'{name}' normalises by {values}, which is not one number per channel.")
    return float(values[0]), float(values[1]), float(values[2])
