"""What a node may ask of its surroundings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airloom.engine.storage import Files


@dataclass(frozen=True)
class RunFacts:
    """Name the run, the node and the attempt that this work belongs to.

    Attempts count on when a run is cleared; `first_attempt` is the one with which the work began since then, so that
    what an attempt before it did is an earlier life's, and what one from it on did is a retry's.
    """

    pipeline: str
    run_id: str
    node: str = ""
    map_index: int = -1
    attempt: int = 1
    first_attempt: int = 1
    last_attempt: bool = True
    logical_date: datetime | None = None
    started_at: datetime | None = None


class Context(Protocol):
    """Give a node its run, its parameters, Connections, files, and a log."""

    @property
    def run(self) -> RunFacts:
        """Return the facts of the run and the attempt."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Return the run's parameters."""

    @property
    def files(self) -> Files:
        """Return the files that pipelines may read and write."""

    @property
    def log(self) -> logging.Logger:
        """Return the log of the task."""

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection, as a hook's `connection` takes it; raise ConfigurationError without it."""

    def emit(self, event: Mapping[str, Any]) -> None:
        """Show progress while the node runs."""


@dataclass(frozen=True)
class PlainContext:
    """A context of given parts: what a run, a check and a test hand to a node."""

    run: RunFacts
    params: Mapping[str, Any]
    files: Files
    connections: Callable[[str], Any]
    log: logging.Logger

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection; raise ConfigurationError where there is none."""
        return self.connections(name)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write progress to the log."""
        self.log.info("progress: %s", dict(event))
