"""Connections of the HTTP client: to addresses that the guard lets through, and until a deadline."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from airloom.engine.address_guard import AddressForbidden, AddressGuard

Left = Callable[[], float]
"""Gives the seconds that are left until the deadline."""


class GuardedNetwork(httpcore.NetworkBackend):
    """Connect to addresses that the guard lets through."""

    def __init__(self, guard: AddressGuard, left: Left) -> None:
        self._guard = guard
        self._left = left
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to the first address that takes one; raise AddressForbidden where one is closed."""
        addresses = self._guard.addresses(host, port)
        for at, address in enumerate(addresses):
            # The first that does not answer leaves time for the others.
            seconds = _or_late(self._left, httpcore.ConnectTimeout) / (len(addresses) - at)
            try:
                return _Bounded(
                    self._inner.connect_tcp(address, port, seconds, local_address, socket_options), self._left
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if at == len(addresses) - 1:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Raise AddressForbidden: no socket of this machine is asked."""
        raise AddressForbidden("no socket of this machine is asked")


class _Bounded(httpcore.NetworkStream):
    """A connection on which every piece has to come before the deadline, however small the pieces are."""

    def __init__(self, inner: httpcore.NetworkStream, left: Left) -> None:
        self._inner = inner
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _or_late(self._left, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _or_late(self._left, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _or_late(self._left, httpcore.ConnectTimeout)
        return _Bounded(self._inner.start_tls(ssl_context, server_hostname, seconds), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _or_late(left: Left, late: type[Exception]) -> float:
    seconds = left()
    if seconds <= 0:
        raise late("the time is over")
    return seconds
