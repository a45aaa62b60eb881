"""Which addresses pipelines may ask by HTTP: public ones, and those that an administrator allows."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*", re.IGNORECASE)
PORT = re.compile(r"(.*?):(\d{1,5})")
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Allowed:
    """Something that may be asked beside public addresses: a network, or a name; at one port where that is said.

    A name stands for itself, and with `*.` before it for all names below it.
    """

    network: Network | None = None
    name: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """Read 10.0.0.0/8, 127.0.0.1:8080, [::1]:8080, api.internal or *.internal; raise ValueError for another."""
        rest, port = text.strip(), None
        with_port = PORT.fullmatch(rest)
        if with_port and (":" not in with_port[1] or with_port[1].endswith("]")):
            rest, port = with_port[1], int(with_port[2])
        try:
            return cls(ipaddress.ip_network(rest.strip("[]")), port=port)
        except ValueError:
            if not NAME.fullmatch(rest) or re.fullmatch(r"[\d.]+", rest):
                raise ValueError(
                    f"{text!r} is neither a network such as 10.0.0.0/8 nor a name such as api.internal"
                ) from None
        return cls(name=rest.lower(), port=port)

    def admits(self, host: str, address: Address, port: int) -> bool:
        """Tell whether this allows an address, to which a name leads."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        name = host.lower().rstrip(".")
        return name.endswith(self.name[1:]) if self.name.startswith("*.") else name == self.name


def reached(address: Address) -> Address:
    """Return the address that is reached in the end: that within one which only wraps it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in TRANSLATED:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the Internet: not of this machine, of a private network, or of no use."""
    return address.is_global and not address.is_multicast and not address.is_reserved
