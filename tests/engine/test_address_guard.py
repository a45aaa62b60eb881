from __future__ import annotations

import ipaddress

import pytest

from airloom.engine.address_guard import AddressForbidden, AddressGuard, NameUnknown
from airloom.spec.addresses import Allowed, is_public, reached

CLOSED = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::7f00:1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "2001:0:c000:201:0:0:80ff:fffe",
]  # fmt: skip
OPEN = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_public_is_closed_whatever_wraps_it(text: str) -> None:
    assert not is_public(reached(ipaddress.ip_address(text)))
    with pytest.raises(AddressForbidden) as caught:
        AddressGuard(resolve=lambda host, port: [text]).addresses("inner.example.com", 443)
    assert text not in str(caught.value)
    assert caught.value.failure == "configuration"


@pytest.mark.parametrize("text", OPEN)
def test_public_addresses_are_open(text: str) -> None:
    assert AddressGuard(resolve=lambda host, port: [text]).addresses("example.com", 443) == [text]


def test_one_closed_address_closes_the_name() -> None:
    with pytest.raises(AddressForbidden):
        AddressGuard(resolve=lambda host, port: ["1.1.1.1", "10.0.0.1"]).addresses("example.com", 80)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
def test_other_spellings_of_an_inner_address_are_looked_up_before_they_are_judged(host: str) -> None:
    with pytest.raises(AddressForbidden):
        AddressGuard().addresses(host, 80)


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "admitted"),
    [
        ("10.0.0.0/8", "a", "10.9.9.9", 80, True),
        ("10.0.0.0/8", "a", "172.16.0.1", 80, False),
        ("10.0.0.0/8", "a", "::ffff:10.0.0.1", 80, True),
        ("127.0.0.1:8080", "a", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "a", "127.0.0.1", 8081, False),
        ("[::1]:8080", "a", "::1", 8080, True),
        ("::1", "a", "::1", 9, True),
        ("fd00::/8", "a", "fd12::1", 80, True),
        ("api.internal", "API.internal.", "10.0.0.1", 80, True),
        ("api.internal", "xapi.internal", "10.0.0.1", 80, False),
        ("api.internal:443", "api.internal", "10.0.0.1", 80, False),
        ("*.internal", "deep.api.internal", "10.0.0.1", 80, True),
        ("*.internal", "internal", "10.0.0.1", 80, False),
        ("*.internal", "evilinternal", "10.0.0.1", 80, False),
    ],
)
def test_what_an_administrator_allows(entry: str, host: str, address: str, port: int, admitted: bool) -> None:
    guard = AddressGuard([entry], resolve=lambda host, port: [address])
    if admitted:
        assert guard.addresses(host, port) == [address]
    else:
        with pytest.raises(AddressForbidden):
            guard.addresses(host, port)


@pytest.mark.parametrize("text", ["", "10.0.0.0/40", "1.2.3", "10.0.0.1/8", "a b", "http://x", "*", "-x"])
def test_what_cannot_be_allowed_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="neither a network such as"):
        Allowed.parse(text)


def test_a_name_without_an_address_may_have_one_later() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(NameUnknown, match=r"no address of 'nowhere\.example'"):
        AddressGuard(resolve=unknown).addresses("nowhere.example", 80)
