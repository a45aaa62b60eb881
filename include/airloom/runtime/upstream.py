"""What the nodes of a step may read: what nodes before them left, in this step, in others, and around a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airloom.nodes.context import ENDING_NAMES, RUN_NAMES
from airloom.plan.plan import FINALLY, Plan, PlanNode, PlanStep
from airloom.plan.rule import Outcome
from airloom.runtime.results import SKIPPED, SUCCESS, NodeResult, Surroundings
from airloom.runtime.values import value_of
from airloom.spec.error import ConfigurationError
from airloom.spec.expression import View

NOT_GIVEN = object()
"""Stands for an input of the pipeline that has no default and was not handed over."""


@dataclass(frozen=True)
class Handed:
    """Stands for an input that another run has handed over, by its reference."""

    reference: dict[str, Any]


def inputs_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a document in JSON, by name: each is its default as long as nothing hands them over."""
    return {name: declared.get("default", NOT_GIVEN) for name, declared in document.get("inputs", {}).items()}


class Upstream:
    """Look up what nodes left; `results` are those of the step that runs, filled as its nodes end.

    At the end of a run, a port that did not fire is null.
    """

    def __init__(self, plan: Plan, step: PlanStep, around: Surroundings) -> None:
        self._plan = plan
        self._step = step
        self._around = around
        self.results: dict[str, NodeResult] = {}
        self.names: Mapping[str, Any] = {
            "nodes": View([*plan.nodes, *(around.outer.nodes if around.outer else ())], self._node_ports),
            "params": around.params,
            "values": around.outer.names["values"] if around.outer else plan.values,
            "trigger": around.trigger or {},
            "run": View((*RUN_NAMES, *ENDING_NAMES), self._fact)
            if step.kind == FINALLY
            else View(RUN_NAMES, self._fact),
            "loop": around.given.get("loop", {}),
        }
        """What expressions know."""

    @property
    def nodes(self) -> Mapping[str, Any]:
        """Return the nodes that expressions know, each with its ports."""
        nodes: Mapping[str, Any] = self.names["nodes"]
        return nodes

    def outcome(self, node: str) -> Outcome:
        """Return how a node ended, as far as the one rule asks."""
        if node in self._around.given:
            return Outcome(SUCCESS, tuple(self._around.given[node]))
        if node in self.results:
            return self.results[node].outcome
        if node in self._step.nodes:
            # Asked before its turn, for the whole group at once: it is taken to end well.
            return Outcome(SUCCESS, self._plan.nodes[node].ports)
        fired = self._around.fired(node)
        return Outcome(SKIPPED) if fired is None else Outcome(SUCCESS, tuple(fired))

    def outcomes(self, node: PlanNode) -> dict[str, Outcome]:
        """Return how the nodes ended that a node has edges from; what is only wired to it has no outcome."""
        sources = (*(source for port in node.inputs for source in port.sources), *node.after)
        names = {source.partition(".")[0] for source in sources}
        return {name: self.outcome(name) for name in sorted(names) if self._runs(name)}

    def reference(self, source: str) -> dict[str, Any] | None:
        """Return the reference that a `node.port` carries, or None where it did not fire."""
        node, _, port = source.partition(".")
        if node in self._around.given:
            value = self._around.given[node][port]
            if value is NOT_GIVEN:
                raise ConfigurationError(
                    f"the input {port!r} of the pipeline was not handed over", hint="give it a default in the document"
                )
            return value.reference if isinstance(value, Handed) else {"kind": "any", "value": value}
        if node in self.results:
            return self.results[node].outputs.get(port)
        return self._around.reference(node, port)

    def value(self, source: str) -> Any:
        """Return the value that a `node.port` carries, None where it did not fire."""
        reference = self.reference(source)
        return value_of(reference) if reference is not None else None

    def _fact(self, name: str) -> Any:
        if name in ENDING_NAMES:
            return getattr(self._around.ending(), name)
        return self._around.run.run_id if name == "id" else getattr(self._around.run, name)

    def _runs(self, name: str) -> bool:
        return name in self._around.given or self._plan.nodes[name].role != "config"

    def _node_ports(self, node: str) -> Any:
        if node not in self._plan.nodes and self._around.outer is not None:
            return self._around.outer.nodes[node]
        ports = (*self._plan.nodes[node].ports, "error")
        return View(ports, lambda port: self._port_value(node, port))

    def _port_value(self, node: str, port: str) -> Any:
        reference = self.reference(f"{node}.{port}")
        if reference is None:
            if self._step.kind == FINALLY:
                return None
            raise KeyError(f"nodes.{node}.{port} did not fire")
        return value_of(reference)
