"""What a check is told about the world: Connections, pools, files, columns of sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airloom.engine.relation import Columns
from airloom.engine.storage import Files


@dataclass(frozen=True)
class Facts:
    """Hold what is known; None means that it is not known here, and then nothing is said about it."""

    connections: Mapping[str, str] | None = None
    """Name → type of the Connections that exist."""
    pools: frozenset[str] | None = None
    files: Files | None = None
    """Where file sources are looked at for their columns."""
    sources: Mapping[str, Columns] = field(default_factory=dict)
    """Node id → columns of sources that are no files."""
