"""Who makes a request, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from lookalike_service.access.keys import ROLES, Key, Role
from lookalike_service.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, or anybody where the service is open.

    `collections`: names and shell-style patterns of what they may see, None for all. `id` tells callers
    apart in logs and limits.
    """

    id: str
    role: Role
    collections: tuple[str, ...] | None = None
    has_key: bool = True

    @classmethod
    def of(cls, key: Key) -> Caller:
        """The holder of a key."""
        return cls(key.id, key.role, key.collections)

    def may(self, role: Role) -> bool:
        """Whether they may do what takes this role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, collection: str) -> bool:
        """Whether a collection is in their scope; a pinned name (`Collection.pinned`) is its collection's."""
        if self.collections is None:
            return True
        name = collection.partition("@")[0]
        return any(fnmatchcase(name, pattern) for pattern in self.collections)

    def check_role(self, role: Role) -> None:
        """Return if they may. Raises Forbidden."""
        if not self.may(role):
            raise Forbidden(
                f"This call needs a key with the role '{role}'; key '{self.id}' has '{self.role}'."
            )

    def check_collection(self, collection: str) -> None:
        """Return if the collection is in scope, whether or not it exists. Raises Forbidden."""
        if not self.sees(collection):
            raise Forbidden(
                f"Key '{self.id}' is for the collections {_listed(self.collections or ())}, and "
                f"'{collection:.80}' is none of them."
            )


def _listed(patterns: Sequence[str]) -> str:
    return ", ".join(f"'{pattern}'" for pattern in patterns)


@lru_cache(maxsize=1024)
def anybody(address: str) -> Caller:
    """The caller at this address, of a service without keys; the /64 of IPv6 is one caller's."""
    found = address.partition("%")[0]
    if ":" in found:
        with suppress(ValueError):
            mapped = IPv6Address(found).ipv4_mapped
            found = str(mapped or ip_network(f"{found}/64", strict=False))
    return Caller(found, "admin", has_key=False)
