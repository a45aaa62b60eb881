"""The one rule of which nodes run: obeyed by Airflow's mapping and by the run in this process.

A node that ends well fires all its output ports; only a node of role choice chooses; a failed node with an `error`
edge fires only `error`. An edge is live if its port fired. A node runs once, when all its edges are settled and every
required port has a live one; else it is skipped. What a body reads counts as an edge to the node that has the body.
Below a failure that nothing handles, nodes are not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from airloom.plan.plan import FAILED, NOT_RUN, PlanNode

Decision = Literal["run", "skipped", "not_run"]


@dataclass(frozen=True)
class Outcome:
    """Say how a node ended, which of its ports fired, and whether its failure, if it failed, is taken care of."""

    state: str
    fired: tuple[str, ...] = ()
    handled: bool = False

    @property
    def unhandled(self) -> bool:
        """Tell whether everything below has to stay undone."""
        return self.state == NOT_RUN or (self.state == FAILED and not self.handled)


def decide(node: PlanNode, outcomes: Mapping[str, Outcome]) -> Decision:
    """Say whether a node runs, given how all nodes that feed it ended."""
    edges = [source.partition(".") for source in (*(s for port in node.inputs for s in port.sources), *node.after)]
    settled = [(outcomes[source], port) for source, _, port in edges if source in outcomes]
    if any(outcome.unhandled for outcome, _ in settled):
        return "not_run"
    if settled and not any(port in outcome.fired for outcome, port in settled):
        return "skipped"
    for port in node.inputs:
        connected = [source for source in port.sources if source.partition(".")[0] in outcomes]
        if port.required and connected and not live_sources(connected, outcomes):
            return "skipped"
    return "run"


def live_sources(sources: tuple[str, ...] | list[str], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return those of the `node.port`s that fired, in their order."""
    live = []
    for source in sources:
        node, _, port = source.partition(".")
        if node in outcomes and port in outcomes[node].fired:
            live.append(source)
    return live


def handles_failure(node: PlanNode) -> bool:
    """Tell whether a run goes on below a node that failed: by its error port, or by `on_error: continue`."""
    return node.error_port or node.on_error == "continue"


def fired_ports(node: PlanNode, *, failed: bool = False, chosen: str | None = None) -> tuple[str, ...]:
    """Return the ports that fire when a node ended: well, by its choice, or failed."""
    if failed:
        if node.error_port:
            return ("error",)
        return tuple(out.name for out in node.outputs if out.kind != "table") if node.on_error == "continue" else ()
    if node.role == "choice" and chosen is not None:
        return (chosen,) if chosen else ()
    return node.ports
