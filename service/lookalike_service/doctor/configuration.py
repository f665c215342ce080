"""Settings: names that exist, values that will do, and who may reach the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning

if TYPE_CHECKING:
    from lookalike_service.settings import Settings


def read_settings(environment: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings, if they can be read, and what is to be said of their names and values."""
    try:
        from pydantic import ValidationError  # noqa: PLC0415 - the extra may be missing

        from lookalike_service.environment import (  # noqa: PLC0415
            SETTINGS,
            unfit_values,
            unknown_names,
        )
        from lookalike_service.settings import Settings  # noqa: PLC0415
    except ImportError as error:
        return None, [skipped("settings", f"the extra 'service' is not installed ({error})")]
    findings = [warning("settings", what, todo) for what, todo in unknown_names(environment)]
    try:
        settings = Settings()
    except ValidationError as error:
        todo = "`lookalike serve --help` and docs say what is allowed"
        return None, findings + [problem("settings", line, todo) for line in unfit_values(error)]
    given = sum(name in environment for name in SETTINGS)
    return settings, findings or [ok("settings", f"{given} variables set, all known")]


def access(surroundings: Surroundings) -> Iterator[Finding]:
    """Who may call: keys, or an address that only this machine reaches."""
    settings = surroundings.settings
    if settings is None:
        yield skipped("access", "no settings to look at")
        return
    from lookalike_service.access.exposure import check_address  # noqa: PLC0415 - as the settings
    from lookalike_service.access.keyring import open_keyring  # noqa: PLC0415
    from lookalike_service.errors import InvalidField  # noqa: PLC0415

    try:
        keys = open_keyring(settings) is not None
        check_address(settings, has_keys=keys)
    except InvalidField as error:
        what, _, todo = error.detail.partition(". ")
        yield problem("access", what, todo or "see docs/operations.md")
        return
    if keys and not _keys_in_force(settings):
        todo = "make one: `lookalike keys new`"
        yield warning(
            "access", "there is no key, or none that has not expired: nobody may call", todo
        )
    elif keys:
        yield ok("access", f"with API keys, on {settings.host}")
    elif settings.open:
        todo = "make sure that something in front authenticates, or use API keys (`lookalike keys`)"
        yield warning("access", "LOOKALIKE_OPEN: whoever reaches the port may do everything", todo)
    else:
        yield ok("access", f"no keys; {settings.host} is reached from this machine alone")


def _keys_in_force(settings: Settings) -> int:
    """How many of the API keys have not expired."""
    from lookalike_service.access.keyring import read_file  # noqa: PLC0415 - as the settings
    from lookalike_service.access.keys import read_keys  # noqa: PLC0415

    file, now = settings.api_keys_file, datetime.now(UTC)
    keys = read_file(file) if file else read_keys(settings.api_keys or "[]")
    return sum(not key.expired(now) for key in keys)


def store(surroundings: Surroundings) -> Iterator[Finding]:
    """Options that the chosen store can meet."""
    settings = surroundings.settings
    if settings is None:
        yield skipped("store options", "no settings to look at")
        return
    from lookalike_service.errors import InvalidField  # noqa: PLC0415 - as the settings
    from lookalike_service.store.factory import embedded_options, server_options  # noqa: PLC0415

    try:
        if settings.qdrant_url is None:
            embedded_options(settings)
            yield ok("store options", f"embedded, in {settings.data}")
        else:
            server_options(settings)
            yield ok("store options", "a Qdrant server")
    except InvalidField as error:
        what, _, todo = error.detail.rpartition("; ")
        yield problem("store options", what or error.detail, todo)
