"""Encoder specs: one readable string, or the same as JSON, for any encoder.

    timm:resnet50                              published weights, by timm's name
    timm:efficientnet_b3@/data/own.pth         own checkpoint
    open_clip:ViT-B-32/laion2b_s34b_b79k       architecture and published weights
    open_clip:ViT-B-32@/data/own.pt            own checkpoint
    pixels:150x150-grey                        no network: the picture itself (or `-rgb`)
    autoencoder:/data/scans                    a trained autoencoder's folder
    head:/data/breeds                          a trained projection head's folder

then options, as in `?pool=gem&layer=layer3`. Within a path or a value, `%`, `?`, `&` and blanks are written
percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args
from urllib.parse import unquote

from lookalike_service.errors import InvalidField, UnknownModel

Provider = Literal["timm", "open_clip", "pixels", "autoencoder", "head"]
Pool = Literal["avg", "gem", "max", "cls", "flatten", "cam"]

PROVIDERS: tuple[Provider, ...] = get_args(Provider)
POOLS: tuple[Pool, ...] = get_args(Pool)
OPTIONS: Mapping[Provider, tuple[str, ...]] = {
    "timm": ("pool", "layer", "size", "revision", "classes"),
    "open_clip": ("pool", "layer", "size", "revision"),
    "pixels": (),
    "autoencoder": (),
    "head": (),
}
"""The options each provider takes, in the order they are written in."""

_TRAINED: tuple[Provider, ...] = ("autoencoder", "head")
"""Kinds whose spec is the path of a folder, and nothing else."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_PIXELS = re.compile(r"[1-9]\d{0,3}x[1-9]\d{0,3}-(grey|rgb)", re.ASCII)
_ENCODED = re.compile(r"[%?&\s]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """Which encoder: its provider, name, weights and options; `str()` is its canonical text.

    Raises InvalidField where the parts do not make an encoder, UnknownModel for an unknown provider.
    """

    provider: Provider
    name: str = ""
    weights: str | None = None
    """open_clip's tag of published weights, such as `laion2b_s34b_b79k`."""
    checkpoint: str | None = None
    """Path of a file of own weights, or of a trained model's folder."""
    pool: Pool | None = None
    layer: str | None = None
    size: int | None = None
    revision: str | None = None
    """Branch, tag or commit of the published weights."""
    classes: str | None = None
    """Path of a file with one class name per line."""

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            close = get_close_matches(str(self.provider), PROVIDERS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise UnknownModel(
                f"There is no encoder of kind '{self.provider}'.{hint} Kinds: {', '.join(PROVIDERS)}."
            )
        self._check_parts()
        self._check_options()

    @classmethod
    def parse(cls, value: str | Mapping[str, Any]) -> EncoderSpec:
        """The spec of a string or of its JSON. Raises UnknownModel and InvalidField."""
        return cls._from_text(value) if isinstance(value, str) else cls._from_json(value)

    def __str__(self) -> str:
        text = f"{self.provider}:{self.name}"
        if self.weights is not None:
            text += f"/{self.weights}"
        if self.checkpoint is not None:
            text += "@" * (self.provider not in _TRAINED) + _encode(self.checkpoint)
        given = [(o, getattr(self, o)) for o in OPTIONS[self.provider]]
        options = "&".join(f"{o}={_encode(str(value))}" for o, value in given if value is not None)
        return f"{text}?{options}" if options else text

    def to_json(self) -> dict[str, Any]:
        """The parts that are given, as `parse` reads them."""
        return {k: v for k, v in asdict(self).items() if v not in (None, "")}

    @classmethod
    def _from_text(cls, text: str) -> EncoderSpec:
        head, _, tail = text.partition("?")
        provider, colon, rest = head.partition(":")
        if not colon:
            raise UnknownModel(
                f"'{text}' is no encoder spec: it needs a kind and a name, as in 'timm:resnet50'. "
                f"Kinds: {', '.join(PROVIDERS)}."
            )
        parts: dict[str, Any] = {"provider": provider, **_options(provider, tail)}
        if provider in _TRAINED:
            return cls(**parts, checkpoint=unquote(rest))
        rest, at, path = rest.partition("@")
        name, slash, weights = rest.partition("/")
        return cls(
            **parts,
            name=name,
            weights=weights if slash else None,
            checkpoint=unquote(path) if at else None,
        )

    @classmethod
    def _from_json(cls, value: Mapping[str, Any]) -> EncoderSpec:
        known = [field.name for field in fields(cls)]
        for key, part in value.items():
            if key not in known:
                raise InvalidField(f"An encoder has no '{key}'; it has {', '.join(known)}.")
            if not isinstance(part, int if key == "size" else str) or isinstance(part, bool):
                wanted = "a whole number" if key == "size" else "text"
                raise InvalidField(f"An encoder's '{key}' is {wanted}, not {part!r}.")
        if "provider" not in value:
            raise InvalidField(f"An encoder needs a 'provider': one of {', '.join(PROVIDERS)}.")
        return cls(**value)

    def _check_parts(self) -> None:
        provider, example = self.provider, _EXAMPLES[self.provider]
        pattern = re.compile("") if provider in _TRAINED else _NAME
        if provider == "pixels":
            pattern = _PIXELS
        if not pattern.fullmatch(self.name):
            raise InvalidField(f"'{self.name}' is no name of kind '{provider}'; as in '{example}'.")
        if self.weights is not None and (
            provider != "open_clip" or not _NAME.fullmatch(self.weights)
        ):
            raise InvalidField(
                f"'{provider}:{self.name}/{self.weights}' is not written as '{example}'."
            )
        if self.checkpoint is not None and (provider == "pixels" or not self.checkpoint):
            raise InvalidField(f"'{provider}:{self.name}@' is not written as '{example}'.")
        if self.weights is not None and self.checkpoint is not None:
            raise InvalidField(f"'{self.name}' has published weights or a checkpoint, not both.")
        if provider in _TRAINED and self.checkpoint is None:
            raise InvalidField(f"'{provider}' needs the path of a folder, as in '{example}'.")

    def _check_options(self) -> None:
        allowed = OPTIONS[self.provider]
        for option in ("pool", "layer", "size", "revision", "classes"):
            value = getattr(self, option)
            if value is None:
                continue
            if option not in allowed:
                raise InvalidField(_no_option(self.provider, option))
            if value == "":
                raise InvalidField(f"Option '{option}' is empty: give a value or leave it out.")
        if self.pool is not None and self.pool not in POOLS:
            raise InvalidField(f"There is no pool '{self.pool}'; pools: {', '.join(POOLS)}.")
        if self.size is not None and not 1 <= self.size <= 4096:
            raise InvalidField(f"Size is 1 to 4096 pixels, not {self.size}.")
        if self.revision is not None and self.checkpoint is not None:
            raise InvalidField("A revision is of published weights; a checkpoint has none.")
        if self.classes is not None and self.checkpoint is None:
            raise InvalidField(
                "Class names are those of a checkpoint: give one, as in 'timm:NAME@/path'."
            )
        if self.pool == "cam" and (self.provider != "timm" or self.layer is not None):
            raise InvalidField(
                "Pool 'cam' weighs the last features of a timm classifier by its class weights: "
                "it takes no layer, and no other kind of encoder."
            )


_EXAMPLES: Mapping[Provider, str] = {
    "timm": "timm:resnet50 or timm:resnet50@/path/checkpoint.pth",
    "open_clip": "open_clip:ViT-B-32/laion2b_s34b_b79k or open_clip:ViT-B-32@/path/checkpoint.pt",
    "pixels": "pixels:150x150-grey or pixels:64x64-rgb",
    "autoencoder": "autoencoder:/path/of/its/folder",
    "head": "head:/path/of/its/folder",
}


def _options(provider: str, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in filter(None, text.split("&")):
        option, equals, value = pair.partition("=")
        if option not in OPTIONS.get(provider, (option,)):  # type: ignore[call-overload] # any str
            raise InvalidField(_no_option(provider, option))
        if not equals or option in options:
            raise InvalidField(f"Option '{pair}' is not written once as 'name=value'.")
        options[option] = _size(value) if option == "size" else unquote(value)
    return options


def _size(value: str) -> int:
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII):
        raise InvalidField(f"Size is a number of pixels such as 224, not '{value}'.")
    return int(value)


def _no_option(provider: str, option: str) -> str:
    allowed = OPTIONS.get(provider, ())  # type: ignore[call-overload] # any str
    takes = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
    return f"An encoder of kind '{provider}' has no option '{option}'; {takes}."


def _encode(text: str) -> str:
    return _ENCODED.sub(lambda match: f"%{ord(match[0]):02X}", text)
