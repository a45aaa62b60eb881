"""How nodes ended: what a step gives back, to Airflow and to `airloom try` alike."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airloom.nodes.context import RunFacts
from airloom.plan.plan import FAILED, NOT_RUN, SKIPPED, SUCCESS
from airloom.plan.rule import Outcome
from airloom.spec.error import AirloomError


@dataclass
class NodeResult:
    """Say how one node ended: its state, the ports that fired with their references, error, statistics, config.

    `handled` is set for a failure that the run goes on after, even where no port fires.
    """

    state: str
    fired: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] | None = None
    handled: bool = False

    @property
    def outcome(self) -> Outcome:
        """Return what the one rule needs to know."""
        return Outcome(self.state, tuple(self.fired), self.handled)


@dataclass
class StepResult:
    """Hold the results of a step's nodes."""

    nodes: dict[str, NodeResult]

    @property
    def failed(self) -> NodeResult | None:
        """Return the first node that failed without anything handling it, or None."""
        return next((node for node in self.nodes.values() if node.state == FAILED and not node.handled), None)

    @property
    def skipped(self) -> bool:
        """Tell whether the step's exit, which all other nodes lead to, was skipped."""
        return list(self.nodes.values())[-1].state == SKIPPED


class Surroundings(Protocol):
    """Give a step what other steps have left, the run, and Connections."""

    run: RunFacts
    params: Mapping[str, Any]
    trigger: Mapping[str, Any] | None
    log: logging.Logger
    sample_rows: int | None
    """How many rows a table that is read from outside gives at most; all of them where None."""

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port carries, or None where it did not fire."""

    def fired(self, node: str) -> list[str] | None:
        """Return the ports of a node that fired, or None where the node did not run."""

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection; raise ConfigurationError where there is none."""


def error_json(error: BaseException, node: str) -> dict[str, Any]:
    """Return what is kept of a failure: text for the user, place, hint, kind, and the trace for who mends nodes."""
    if isinstance(error, AirloomError):
        found = {**error.to_json(), "node": error.node or node, "trace": None}
    else:
        found = {
            "code": "node.fault",
            "message": f"{type(error).__name__}: {error}",
            "failure": "system",
            "node": node,
            "field": None,
            "hint": None,
            "trace": "".join(traceback.format_exception(error))[-8000:],
        }
    return {key: _printable(value) if isinstance(value, str) else value for key, value in found.items()}


def _printable(text: str) -> str:
    # An error that quotes what no database keeps would take the place of the one that it tells about.
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


__all__ = ["FAILED", "NOT_RUN", "SKIPPED", "SUCCESS", "NodeResult", "StepResult", "Surroundings", "error_json"]
