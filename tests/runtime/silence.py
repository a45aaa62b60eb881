"""A server that accepts whatever connects, and never answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Silence:
    """Hold what was accepted."""

    listener: socket.socket
    accepted: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the URI of a Connection to it."""
        return f"postgres://user:word@127.0.0.1:{self.listener.getsockname()[1]}/x"

    def accept(self) -> None:
        """Accept until the listener is shut."""
        with contextlib.suppress(OSError):
            while True:
                self.accepted.append(self.listener.accept()[0])

    def hang_up(self) -> None:
        """End what was accepted, without an answer."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for accepted in self.accepted:
            accepted.close()


@pytest.fixture
def silence() -> Iterator[Silence]:
    """Return a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Silence(listener)
        thread = threading.Thread(target=found.accept)
        thread.start()
        yield found
        found.hang_up()
        thread.join()
