"""What may be fetched from: hosts by name, and of addresses the public ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's own services, behind a public address
    )
]  # fmt: skip
"""Not public, by IANA's registry of special purposes; Python's own lists differ from version to version."""
_UNICAST = IPv6Network("2000::/3")
"""All there is of public IPv6. Outside lie `::1`, mapped IPv4, NAT64, private, link-local and multicast."""
_V6 = [
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]  # fmt: skip
"""Tunnels to IPv4 (Teredo, 6to4), protocols and documentation."""
_PORTS = {"http": 80, "https": 443}


def is_public(address: str) -> bool:
    """Whether an IP address is one on the public internet, with no way round to another."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _V4)
    return found in _UNICAST and not any(found in network for network in _V6)


def is_listed(scheme: str, host: str, port: int | None, patterns: Sequence[str]) -> bool:
    """Whether a host is on the list of names and patterns; other ports than 80 and 443 only if it says so."""
    default = _PORTS[scheme]
    place = host if port in {None, default} else f"{host}:{port}"
    return any(_matches(place, pattern.lower()) for pattern in patterns)


def _matches(place: str, pattern: str) -> bool:
    return (":" in place) == (":" in pattern) and fnmatchcase(place, pattern)
