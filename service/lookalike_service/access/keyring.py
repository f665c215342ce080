"""The keys that are in force, read again when their file changes."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import structlog

from lookalike_service.access.keys import Key, digest, read_keys
from lookalike_service.errors import InvalidField, Unauthorized
from lookalike_service.settings import Settings

log = structlog.get_logger(__name__)
_LOOK_EVERY = 1.0
Stamp: TypeAlias = tuple[int, int, int] | None


class Keyring:
    """Finds the entry of a key. Thread-safe.

    A file is looked at once a second at most, and read when it has changed. If it then cannot be read, the
    log says so and the keys that were in force stay.
    """

    def __init__(
        self,
        keys: tuple[Key, ...] = (),
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._clock = file, clock
        self._looking = threading.Lock()
        self._looked = clock()
        self._stamp = None if file is None else _stamp(file)
        self._keys = keys if file is None else read_file(file)

    def find(self, key: str) -> Key:
        """The entry of a key. Raises Unauthorized if there is none or its time is over.

        Every entry is compared, each in constant time, so that the time taken tells nothing.
        """
        self._look_again()
        asked, found = digest(key), None
        for each in self._keys:
            if hmac.compare_digest(each.sha256, asked):
                found = each
        if found is None:
            raise Unauthorized("This API key is not one of the service's.")
        if found.expired(datetime.now(UTC)):
            raise Unauthorized(f"API key '{found.id}' has expired at {found.expires}.")
        return found

    def _look_again(self) -> None:
        if self._file is None or self._clock() - self._looked < _LOOK_EVERY:
            return
        with self._looking:
            self._looked = self._clock()
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._keys = read_file(self._file)
            except InvalidField as error:
                log.error("API keys not read again; the former ones stay", reason=error.detail)
            else:
                log.info("API keys read again", keys=len(self._keys))


def _stamp(file: Path) -> Stamp:
    """What changes when a file does; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_file(file: Path) -> tuple[Key, ...]:
    """The entries in a file. Raises InvalidField naming it."""
    try:
        return read_keys(file.read_bytes())
    except OSError as error:
        raise InvalidField(f"{file}: {error.strerror}.") from error
    except InvalidField as error:
        raise InvalidField(f"{file}: {error.detail}") from error


def open_keyring(settings: Settings) -> Keyring | None:
    """The keys of the settings, None where the service has none. Raises InvalidField."""
    if settings.api_keys and settings.api_keys_file:
        raise InvalidField("Give LOOKALIKE_API_KEYS or LOOKALIKE_API_KEYS_FILE, not both.")
    if settings.api_keys_file:
        return Keyring(file=settings.api_keys_file)
    if not settings.api_keys:
        return None
    try:
        return Keyring(read_keys(settings.api_keys))
    except InvalidField as error:
        raise InvalidField(f"LOOKALIKE_API_KEYS: {error.detail}") from error
