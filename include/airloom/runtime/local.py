"""Surroundings that keep what steps leave in this process: for a try, and for the nodes of a body."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airloom.nodes.context import RunFacts
from airloom.runtime.redactor import Redactor
from airloom.runtime.results import FAILED, SUCCESS, Call, Called, Ending, NodeResult
from airloom.runtime.upstream import Upstream
from airloom.spec.error import ConfigurationError
from airloom.spec.node_file import NodeFile


@dataclass
class LocalSurroundings:
    """Keep what steps leave in this process."""

    run: RunFacts
    params: Mapping[str, Any]
    connections: Callable[[str], Any]
    trigger: Mapping[str, Any] | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("airloom.run"))
    sample_rows: int | None = None
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outer: Upstream | None = None
    node_files: Callable[[str], NodeFile | None] = lambda digest: None
    """Finds a user's file of node types by its hash; the folder holds those of what is tried."""
    redactor: Redactor = field(default_factory=Redactor)
    results: dict[str, NodeResult] = field(default_factory=dict)

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port carries, or None where it did not fire."""
        result = self.results.get(node)
        return result.outputs.get(port) if result else None

    def fired(self, node: str) -> list[str] | None:
        """Return the ports of a node that fired, or None where the node did not run."""
        result = self.results.get(node)
        return result.fired if result and result.state in ("success", "failed") else None

    def call(self, call: Call) -> Called:
        """Raise ConfigurationError: there is nothing here that runs another pipeline."""
        raise ConfigurationError(
            f"the pipeline {call.pipeline!r} is run by Airflow alone", hint="pin its outputs to try what comes after it"
        )

    def ending(self) -> Ending:
        """Return how the nodes ended that have run."""
        for result in self.results.values():
            if result.state == FAILED and not result.handled:
                return Ending(FAILED, result.error and {**result.error, "trace": None})
        return Ending(SUCCESS)

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection."""
        connection = self.connections(name)
        self.redactor.learn(connection)
        return connection

    def node_file(self, digest: str) -> NodeFile | None:
        """Return the user's file of node types that has this hash, or None where it is not known."""
        return self.node_files(digest)
