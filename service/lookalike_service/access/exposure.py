"""Where the service may answer without keys: on loopback, or where something in front authenticates."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from lookalike_service.errors import InvalidField
from lookalike_service.settings import Settings


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether an address or host name is this machine's own, which no other can reach."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def warning(settings: Settings) -> str:
    """What to warn of at start where there are no keys."""
    if settings.open:
        return (
            "no API keys and LOOKALIKE_OPEN: whoever reaches this port may read, change and delete "
            "everything, unless something in front of it authenticates"
        )
    return "no API keys: every program on this machine may use the service, and no other machine"


def check_address(settings: Settings, *, has_keys: bool) -> None:
    """Return if the service may listen on its address. Raises InvalidField saying what to do."""
    if has_keys or settings.open or is_loopback(settings.host):
        return
    raise InvalidField(
        f"without API keys the service listens on loopback alone, not on {settings.host}, where other "
        "machines reach it. Make a key:\n"
        "  lookalike keys new --role admin --file keys.json\n"
        "and start with LOOKALIKE_API_KEYS_FILE=keys.json. Or, if something in front of the service "
        "authenticates its callers, start with --open (LOOKALIKE_OPEN=true)."
    )
