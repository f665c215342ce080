"""What may be fetched from: which addresses are public, and which hosts are listed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.fetching.allowed import is_listed, is_public

PRIVATE_V4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip


@given(st.sampled_from(PRIVATE_V4).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_private_address_is_public_however_it_is_wrapped(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        str(address),
        f"::ffff:{address}",  # mapped
        str(ipaddress.IPv6Address(number)),  # compatible
        str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),  # NAT64
        str(ipaddress.IPv6Address((0x64FF9B0001 << 80) | number)),  # local NAT64
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),  # 6to4
        str(ipaddress.IPv6Address((0x20010000 << 96) | (~number & 0xFFFFFFFF))),  # Teredo
    ]
    assert not [each for each in wrapped if is_public(each)]


@given(st.ip_addresses(v=6))
def test_what_is_public_to_us_is_global_to_python(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_what_is_public_ipv4_to_us_is_global_to_python(address: ipaddress.IPv4Address) -> None:
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "168.63.129.16", "100.100.100.200", "255.255.255.255", "192.0.0.192", "5f00::1", "3fff::1",
])  # fmt: skip
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(("scheme", "host", "port", "patterns", "listed"), [
    ("https", "a.example.com", None, ["*.example.com"], True),
    ("https", "example.com", None, ["*.example.com"], False),
    ("https", "a.example.com.evil.example", None, ["*.example.com"], False),
    ("https", "a.example.com", 443, ["A.Example.com"], True),
    ("https", "a.example.com", 80, ["a.example.com"], False),
    ("http", "a.example.com", 8080, ["*"], False),
    ("http", "a.example.com", 8080, ["*:8080"], True),
    ("http", "a.example.com", None, ["*:8080"], False),
])  # fmt: skip
def test_hosts_are_listed_by_name_and_pattern(
    scheme: str, host: str, port: int | None, patterns: list[str], listed: bool
) -> None:
    assert is_listed(scheme, host, port, patterns) == listed
