"""Published weights: from this machine's cache, else from the hub, else what to do about it."""

from __future__ import annotations

from pathlib import Path

import structlog
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lookalike_service.encoders.catalog import HubWeights
from lookalike_service.errors import InvalidField, WeightsMissing

log = structlog.get_logger(__name__)


def cached(weights: HubWeights, revision: str | None = None) -> Path | None:
    """The weights in this machine's cache, or None; asks no network."""
    for name in weights.files:
        found = try_to_load_from_cache(weights.repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return None


def fetch(weights: HubWeights, revision: str | None, spec_with_file: str) -> Path:
    """The weights, from the cache or by download.

    `spec_with_file`: the spec that loads them from a file, for the error. Raises WeightsMissing when there
    is no way to them from here, InvalidField for a revision that there is not.
    """
    found = cached(weights, revision)
    if found is not None:
        return found
    log.info("downloading weights", repository=weights.repository, files=weights.files)
    for name in weights.files:
        try:
            return Path(hf_hub_download(weights.repository, name, revision=revision))
        except RemoteEntryNotFoundError:
            continue
        except RevisionNotFoundError as error:
            raise InvalidField(
                f"'{weights.repository}' has no revision '{revision}': give a branch, tag or commit of it."
            ) from error
        except (GatedRepoError, RepositoryNotFoundError) as error:
            raise WeightsMissing(
                f"'{weights.repository}' is not open to this machine: accept its terms on the hub and "
                "log in with `hf auth login`, or download it elsewhere."
            ) from error
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise WeightsMissing(_how_to_get(weights, revision, spec_with_file)) from error
    raise WeightsMissing(f"'{weights.repository}' has none of {', '.join(weights.files)}.")


def _how_to_get(weights: HubWeights, revision: str | None, spec_with_file: str) -> str:
    at = f" --revision {revision}" if revision else ""
    folder = f"models--{weights.repository.replace('/', '--')}"
    return (
        f"The weights are not on this machine, and the hub cannot be reached from it. On a machine that "
        f"can, run `hf download {weights.repository} {weights.files[0]}{at}`; then copy its folder "
        f"'{folder}' into '{constants.HF_HUB_CACHE}' here, or copy the file anywhere and use "
        f"'{spec_with_file}'."
    )
