"""The encoders of the settings: names that are known, weights that are here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning
from lookalike_service.encoders.availability import State, available
from lookalike_service.encoders.catalog import OPEN_CLIP_FILES, HubWeights
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import LookalikeError, UnknownModel, WeightsMissing
from lookalike_service.settings import Settings
from lookalike_service.training.models_folder import ModelsFolder


def encoders(surroundings: Surroundings) -> Iterator[Finding]:
    """The default encoder, and further ones."""
    settings = surroundings.settings
    if settings is None:
        yield skipped("encoders", "no settings to look at")
        return
    catalogue = {each.row.spec: each.state for each in available(settings)}
    for spec in dict.fromkeys((settings.model, *settings.models, *settings.preload)):
        yield _encoder(spec, catalogue)
    yield from _not_offered(settings)


def _encoder(text: str, catalogue: Mapping[str, State]) -> Finding:
    try:
        spec = EncoderSpec.parse(text)
        state = _state(spec, catalogue)
    except LookalikeError as error:
        todo = "correct the name or path; `lookalike models` lists those known"
        return problem("encoders", f"{text}: {error.detail}", todo)
    if state == "download":
        todo = "it is downloaded at first use; without a network, put it into the cache before"
        return warning("encoders", f"the weights of {spec} are not on this machine", todo)
    return ok("encoders", f"{spec}: {state or 'not in the catalogue, known when it is loaded'}")


def _state(spec: EncoderSpec, catalogue: Mapping[str, State]) -> State | None:
    """Where the weights are; None where that shows when they are loaded.

    Raises UnknownModel or WeightsMissing for what cannot be loaded.
    """
    plain = str(replace(spec, pool=None, layer=None, size=None, classes=None))
    if plain in catalogue:
        return catalogue[plain]
    if spec.checkpoint and not Path(spec.checkpoint).expanduser().exists():
        raise WeightsMissing(f"There is no '{spec.checkpoint}' on this machine.")
    try:
        weights = _published(spec)
        from lookalike_service.encoders.hub import cached  # noqa: PLC0415 - as timm
    except ImportError:
        return None
    if weights is None:
        return None
    return "offline" if cached(weights, spec.revision) else "download"


def _published(spec: EncoderSpec) -> HubWeights | None:
    """Where a library's own weights are published; None for others' weights.

    Raises UnknownModel for a name that the library does not have, WeightsMissing for one without weights.
    """
    match spec.provider:
        case "timm":
            return _of_timm(spec)
        case "open_clip":
            return _of_open_clip(spec)
    return None


def _of_timm(spec: EncoderSpec) -> HubWeights | None:
    # Imported here: timm takes seconds, and may be missing.
    from lookalike_service.encoders.timm_config import published  # noqa: PLC0415

    config = published(spec.name)
    if spec.checkpoint:
        return None
    if not config.hf_hub_id:
        raise WeightsMissing(f"timm has no weights for '{spec.name}' on the hub.")
    file = config.hf_hub_filename
    return HubWeights(config.hf_hub_id, (file,)) if file else HubWeights(config.hf_hub_id)


def _of_open_clip(spec: EncoderSpec) -> HubWeights | None:
    import open_clip  # noqa: PLC0415 - as timm

    if spec.name not in open_clip.list_models():
        raise UnknownModel(f"open_clip has no architecture '{spec.name}'.")
    if spec.checkpoint:
        return None
    tags = open_clip.list_pretrained_tags_by_model(spec.name)
    if spec.weights not in tags:
        known = ", ".join(tags) or "none"
        raise UnknownModel(f"open_clip has no such weights of '{spec.name}'; it has: {known}.")
    place = open_clip.get_pretrained_cfg(spec.name, spec.weights)["hf_hub"]
    repository, _, file = place.rpartition("/")
    safe = str(Path(file).with_suffix(".safetensors")) if file else ""
    return HubWeights(repository, (safe, file) if file else OPEN_CLIP_FILES)


def _not_offered(settings: Settings) -> Iterator[Finding]:
    """What is to be loaded at start, and is neither named elsewhere nor trained here."""
    trained = ModelsFolder(settings.models_folder).specs()
    offered = {_canonical(spec) for spec in (settings.model, *settings.models, *trained)}
    for spec in settings.preload:
        if _canonical(spec) not in offered:
            todo = "add it to LOOKALIKE_MODELS, or take it out"
            yield problem("encoders", f"LOOKALIKE_PRELOAD: {spec} is not offered", todo)


def _canonical(spec: str) -> str:
    try:
        return str(EncoderSpec.parse(spec))
    except LookalikeError:
        return spec
