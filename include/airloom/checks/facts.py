"""What a check is told about the world: Connections, pools, files, columns of sources."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airloom.engine.storage import Files
from airloom.nodes.context import PlainContext, RunFacts
from airloom.spec.error import ConfigurationError


@dataclass(frozen=True)
class Facts:
    """Hold what is known; None means that it is not known here, and then nothing is said about it."""

    connections: Mapping[str, str] | None = None
    """Name → type of the Connections that exist."""
    pools: frozenset[str] | None = None
    files: Files | None = None
    """Where file sources are looked at for their columns."""
    connection: Callable[[str], Any] | None = None
    """Gives an Airflow Connection by name: sources are asked for their columns through it."""

    def context(self) -> PlainContext | None:
        """Return what a source needs to describe itself, or None where Connections are out of reach."""
        if self.connection is None or self.files is None:
            return None
        log = logging.getLogger("airloom.check")
        return PlainContext(RunFacts("check", "check"), {}, self.files, self.connection, log)


def unreachable() -> PlainContext:
    """Return the context of a check that knows neither Connections nor files."""

    def refuse(name: str) -> Any:
        raise ConfigurationError(f"Connection {name!r} is out of reach here")

    return PlainContext(RunFacts("check", "check"), {}, Files(Path(), ()), refuse, logging.getLogger("airloom.check"))
