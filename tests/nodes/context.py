"""A Context for tests: Connections by their URL, and the run that a test wants."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airloom.engine.storage import Files
from airloom.nodes.context import RunFacts
from airloom.spec.error import ConfigurationError


@dataclass
class LocalContext:
    """Answer a node without Airflow; `events` keeps what it emits."""

    connections: Mapping[str, str] = field(default_factory=dict)
    files: Files = field(default_factory=lambda: Files(Path(), ()))
    params: Mapping[str, Any] = field(default_factory=dict)
    run: RunFacts = field(default_factory=lambda: RunFacts("pipeline", "run_1", "node"))
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("airloom.tests"))
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection made of the URL of that name; raise ConfigurationError without it."""
        from airflow.sdk import Connection

        if name not in self.connections:
            raise ConfigurationError(f"there is no Connection {name!r}")
        return Connection(conn_id=name, uri=self.connections[name].replace("postgresql+psycopg://", "postgres://"))

    def emit(self, event: Mapping[str, Any]) -> None:
        """Keep the event."""
        self.events.append(event)
