"""The encoders of the settings: names that are known, weights that are here."""

from __future__ import annotations

from collections.abc import Iterator

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning
from lookalike_service.encoders.availability import available
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.errors import LookalikeError


def encoders(surroundings: Surroundings) -> Iterator[Finding]:
    """The default encoder, and further ones."""
    settings = surroundings.settings
    if settings is None:
        yield skipped("encoders", "no settings to look at")
        return
    states = {str(EncoderSpec.parse(each.row.spec)): each.state for each in available(settings)}
    for spec in dict.fromkeys((settings.model, *settings.models, *settings.preload)):
        try:
            name = str(EncoderSpec.parse(spec))
        except LookalikeError as error:
            yield problem(
                "encoders", f"{spec}: {error.detail}", "`lookalike models` lists those known"
            )
            continue
        match states.get(name):
            case "download":
                todo = (
                    "it is downloaded at first use; without a network, put it into the cache before"
                )
                yield warning("encoders", f"the weights of {name} are not on this machine", todo)
            case None:
                yield ok("encoders", f"{name}: not in the catalogue, known when it is loaded")
            case state:
                yield ok("encoders", f"{name}: {state}")
