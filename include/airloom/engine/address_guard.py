"""The guard of addresses: a name is looked up once, each address that it leads to is judged, and only those are asked.

It stands below HTTP, where connections are made: so it sees each redirect, and a name that leads elsewhere the second
time leads nowhere.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from airloom.spec.addresses import Address, Allowed, is_public, reached
from airloom.spec.error import ConfigurationError, TransientError

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name; raises OSError where there are none."""


class AddressForbidden(ConfigurationError):
    """Raise where a request would go to an address that pipelines may not ask."""

    code = "address.forbidden"


class NameUnknown(TransientError):
    """Raise where a name leads to no address now."""

    code = "address.unknown"


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a name; raise OSError where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressGuard:
    """Judge where requests may go: public addresses, and what is `allowed` beside them."""

    def __init__(self, allowed: Sequence[str] = (), resolve: Resolve = look_up) -> None:
        self._allowed = [Allowed.parse(text) for text in allowed]
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host; raise AddressForbidden if one of them may not be asked."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise NameUnknown(f"there is no address of {host!r}", hint="is the name right, and known where tasks run?")
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            if not self._may_ask(host, address, port):
                # Which address it is stays unsaid: names of an inner network are nobody's business.
                raise AddressForbidden(
                    f"{host}:{port} is not public, so pipelines may not ask it",
                    hint="an administrator allows it by AIRLOOM_HTTP_ALLOW",
                )
        return list(found)

    def _may_ask(self, host: str, address: Address, port: int) -> bool:
        end = reached(address)
        return is_public(end) or any(entry.admits(host, end, port) for entry in self._allowed)
