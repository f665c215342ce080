"""API keys as they are kept: a digest with a role, never the key.

A key is 32 random bytes, so its SHA-256 is as hard to turn back as the key is to guess: 2^256 tries. Slow
hashes such as bcrypt or Argon2 make up for what people choose as passwords; here they would only make each
request slow, and give whoever sends wrong keys a way to keep the processor busy.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError

from lookalike_service.errors import InvalidField
from lookalike_service.schemas.base import Name, Wire

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = ("read", "write", "admin")
"""Each may do what those before it may."""

PREFIX = "lk_"
"""What keys begin with, so that scanners for leaked secrets can tell one."""
_BYTES = 32
_ID = 12

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*?\[\]!-]{1,128}$")]


class Key(Wire):
    """One key's entry: the SHA-256 of the key in hex, what it may do, and until when."""

    sha256: Digest
    role: Role
    collections: tuple[Pattern, ...] | None = Field(
        None, min_length=1, description="Names or shell-style patterns; absent: every collection."
    )
    name: Name | None = None
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """Its name, else the beginning of its digest: what lists and logs call it."""
        return self.name or self.sha256[:_ID]

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


_KEYS = TypeAdapter(list[Key])


def new_key() -> str:
    """A key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def entry(
    key: str,
    role: Role,
    collections: Sequence[str] | None = None,
    name: str | None = None,
    expires: datetime | None = None,
) -> Key:
    """The entry of a key. Raises InvalidField for a name or pattern that cannot be one."""
    try:
        return Key(
            sha256=digest(key),
            role=role,
            collections=tuple(collections) if collections else None,
            name=name,
            created=datetime.now(UTC).replace(microsecond=0),
            expires=expires,
        )
    except ValidationError as error:
        raise InvalidField(_described(error)) from error


def digest(key: str) -> str:
    """The SHA-256 of a key, in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(text: str | bytes) -> tuple[Key, ...]:
    """Entries from a JSON list of them. Raises InvalidField saying which is wrong."""
    try:
        keys = tuple(_KEYS.validate_json(text))
    except ValidationError as error:
        raise InvalidField(_described(error)) from error
    for what in ("sha256", "name"):
        values = [getattr(key, what) for key in keys if getattr(key, what) is not None]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise InvalidField(f"Two keys have the {what} '{twice[0]}'.")
    return keys


def write_keys(keys: Sequence[Key]) -> str:
    """Entries as a JSON list, as `read_keys` takes it."""
    text = _KEYS.dump_json(list(keys), exclude_none=True, indent=2).decode("ascii")
    return text + "\n"


def _described(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
