"""How nodes ended: what a step gives back, to Airflow and to `airloom try` alike."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airloom.nodes.context import RunFacts
from airloom.plan.plan import FAILED, NOT_RUN, SKIPPED, SUCCESS
from airloom.plan.rule import Outcome
from airloom.spec.error import AirloomError
from airloom.spec.node_file import NodeFile

if TYPE_CHECKING:
    from airloom.runtime.redactor import Redactor
    from airloom.runtime.upstream import Upstream


INSTALLED = (str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix, "<frozen")
"""Where the files are that are not a user's."""


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
    """Hold the results of a step's nodes; `exits` are those whose ports leave it."""

    nodes: dict[str, NodeResult]
    exits: tuple[str, ...]

    @property
    def failed(self) -> NodeResult | None:
        """Return the first node that failed without anything handling it, or None."""
        return next((node for node in self.nodes.values() if node.state == FAILED and not node.handled), None)

    @property
    def skipped(self) -> bool:
        """Tell whether all exits of the step were skipped."""
        return bool(self.exits) and all(self.nodes[node].state == SKIPPED for node in self.exits)


@dataclass(frozen=True)
class Ending:
    """Say how a run ended, `success` or `failed`, and with what: the first failure that nothing handled."""

    state: str
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Call:
    """Ask for a run of another pipeline; `inputs` are references by name, `node` is the one that asks."""

    node: str
    pipeline: str
    params: Mapping[str, Any]
    inputs: Mapping[str, dict[str, Any]]
    waits: bool


@dataclass(frozen=True)
class Called:
    """Say which run was made for a call, and the references of what it gave, by name."""

    run_id: str
    outputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)


class Surroundings(Protocol):
    """Give a step what other steps have left, the run, and Connections."""

    run: RunFacts
    params: Mapping[str, Any]
    trigger: Mapping[str, Any] | None
    log: logging.Logger
    redactor: Redactor
    """Knows the secrets of the Connections that were asked for here."""
    sample_rows: int | None
    """How many rows a table that is read from outside gives at most; all of them where None."""
    given: Mapping[str, Mapping[str, Any]]
    """What edges read that is no node: `loop` and `inputs`, each with its values by name."""
    outer: Upstream | None
    """What is around the body that the step stands in."""

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port carries, or None where it did not fire."""

    def fired(self, node: str) -> list[str] | None:
        """Return the ports of a node that fired, or None where the node did not run."""

    def call(self, call: Call) -> Called:
        """Run another pipeline and return what it gave; leave the process meanwhile, where the platform can.

        Raises the error of the run where that failed.
        """

    def ending(self) -> Ending:
        """Return how the run ended; asked by what runs behind all other nodes."""

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection; raise ConfigurationError where there is none."""

    def node_file(self, digest: str) -> NodeFile | None:
        """Return the user's file of node types that has this hash, or None where it is not known."""


def error_json(error: BaseException, node: str, redactor: Redactor) -> dict[str, Any]:
    """Return what is kept of a failure, without secrets: text, place, hint, kind, and the trace."""
    if isinstance(error, AirloomError):
        failure = {**error.to_json(), "node": error.node or node, "trace": None}
    else:
        failure = {
            "code": "node.fault",
            "message": f"{type(error).__name__}: {error}{_place_of(error)}",
            "failure": "system",
            "node": node,
            "field": None,
            "hint": None,
            # Cut last: a part of a secret would not be known for one.
            "trace": redactor.text("".join(traceback.format_exception(error)))[-8000:],
        }
    # The others are words that something is decided by.
    failure |= {name: redactor.value(failure[name]) for name in ("message", "field", "hint")}
    return {key: _printable(value) if isinstance(value, str) else value for key, value in failure.items()}


def error_text(error: Mapping[str, Any]) -> str:
    """Return the line that a failure is logged with."""
    place = ", ".join(f"{name} {error[name]!r}" for name in ("node", "field") if error.get(name))
    hint = f" Hint: {error['hint']}" if error.get("hint") else ""
    return f"{place}: {error['message']}{hint}" if place else f"{error['message']}{hint}"


def _place_of(error: BaseException) -> str:
    """Return the last place in a user's own file that an exception came through, with its line of code."""
    inner = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(INSTALLED)]
    if not inner:
        return ""
    frame = inner[-1]
    line = f": {frame.line[:200]}" if frame.line else ""
    # A user's file that came without its folder has its hash behind an @.
    name = os.path.basename(frame.filename).partition("@")[0]
    return f" ({name}, line {frame.lineno}{line})"


def _printable(text: str) -> str:
    # An error that quotes what no database keeps would take the place of the one that it tells about.
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


__all__ = [
    "FAILED",
    "NOT_RUN",
    "SKIPPED",
    "SUCCESS",
    "NodeResult",
    "StepResult",
    "Surroundings",
    "error_json",
    "error_text",
]
