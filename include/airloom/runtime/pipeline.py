"""Running a whole plan here and now, without Airflow and without a store: what `airloom try` does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airloom.nodes.context import RunFacts
from airloom.plan.plan import Plan
from airloom.runtime.results import NodeResult
from airloom.runtime.step import run_step
from airloom.spec.configuration import Configuration


@dataclass
class LocalSurroundings:
    """Keep what steps leave in this process."""

    run: RunFacts
    params: Mapping[str, Any]
    connections: Callable[[str], Any]
    trigger: Mapping[str, Any] | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("airloom.run"))
    sample_rows: int | None = None
    results: dict[str, NodeResult] = field(default_factory=dict)

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port carries, or None where it did not fire."""
        result = self.results.get(node)
        return result.outputs.get(port) if result else None

    def fired(self, node: str) -> list[str] | None:
        """Return the ports of a node that fired, or None where the node did not run."""
        result = self.results.get(node)
        return result.fired if result and result.state in ("success", "failed") else None

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection."""
        return self.connections(name)


def run_pipeline(
    plan: Plan,
    document: Mapping[str, Any],
    surroundings: LocalSurroundings,
    settings: Configuration,
    skip: Callable[[str], bool] = lambda node: False,
    pinned: Mapping[str, NodeResult] | None = None,
) -> Iterator[tuple[str, NodeResult]]:
    """Run the steps in order and yield each node's result.

    A step whose exit `skip` names is not run; one whose exit is `pinned` is not run either, and has that result.
    """
    for step in plan.steps:
        if pinned and step.exit in pinned:
            found = {step.exit: pinned[step.exit]}
        elif skip(step.exit) or _stopped(plan, step.reads, surroundings):
            found = {node: NodeResult("not_run") for node in step.nodes}
        else:
            found = run_step(plan, step.id, document, surroundings, settings).nodes
        surroundings.results.update(found)
        yield from found.items()


def _stopped(plan: Plan, reads: tuple[str, ...], surroundings: LocalSurroundings) -> bool:
    # As Airflow does: nothing below a failure that nobody handles, or below what was not run, starts.
    sources = {source.partition(".")[0] for source in reads}
    results = [surroundings.results[node] for node in sources if plan.nodes[node].step]
    return any(result.outcome.unhandled for result in results)
