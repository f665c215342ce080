"""Which encoders of the catalogue load here as things are, and which need a download first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lookalike_service.encoders.catalog import CATALOG, CatalogRow, HubWeights, PackagedWeights
from lookalike_service.errors import WeightsMissing
from lookalike_service.settings import Settings

State = Literal["installed", "offline", "download"]


@dataclass(frozen=True, slots=True)
class Available:
    """A row of the catalogue with its state.

    `installed`: comes with the service. `offline`: its weights are in this machine's cache. `download`: they
    would be fetched on first use.
    """

    row: CatalogRow
    state: State


def available(settings: Settings) -> list[Available]:  # noqa: ARG001 - no setting moves the cache yet
    """Every row of the catalogue, with what it takes to load it here; asks no network, loads no model."""
    return [Available(row, _state(row)) for row in CATALOG]


def _state(row: CatalogRow) -> State:
    match row.weights:
        case None:
            return "installed"
        case PackagedWeights():
            return "installed" if _is_installed(row.weights) else "download"
        case HubWeights():
            from lookalike_service.encoders.hub import cached  # noqa: PLC0415 - the hub's client is slow

            return "offline" if cached(row.weights) else "download"


def _is_installed(weights: PackagedWeights) -> bool:
    from lookalike_service.encoders.weights import packaged_file  # noqa: PLC0415 - torch is slow

    try:
        packaged_file(weights)
    except WeightsMissing:
        return False
    return True
