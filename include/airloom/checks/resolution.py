"""From what the checks found to what a plan is built from: scope by scope, with what nodes do by what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airloom.checks.columns import ColumnReport
from airloom.checks.config import CheckedNode
from airloom.checks.facts import Facts
from airloom.checks.graph import ScopeGraph, input_ports
from airloom.checks.resolved import Resolved, ResolvedNode
from airloom.nodes.catalog import catalog
from airloom.nodes.fields import marks_of
from airloom.nodes.ports import Interface, Port
from airloom.nodes.sdk import EFFECTS, Effect
from airloom.spec.document import Document


class Resolution:
    """Resolve a document in which the checks found no error.

    `ends` has the node and port of each output of the pipeline and each result of a body, by its JSON Pointer.
    """

    def __init__(
        self,
        document: Document,
        nodes: Mapping[str, CheckedNode],
        graphs: Sequence[ScopeGraph],
        columns: ColumnReport,
        ends: Mapping[str, tuple[str, Port]],
        facts: Facts,
    ) -> None:
        self.document = document
        self.nodes = nodes
        self.graphs = {graph.scope.at: graph for graph in graphs}
        self.bodies = {graph.scope.owner: graph for graph in graphs if graph.scope.owner is not None}
        self.columns = columns
        self.ends = ends
        self.facts = facts
        self.catalog = catalog()
        self.wired: dict[str, list[str]] = {}
        """The config nodes that are wired to a node."""
        for wire in (wire for graph in graphs for wire in graph.wires):
            if wire.source in nodes and nodes[wire.source].node_class.declaration.role == "config":
                self.wired.setdefault(wire.target, []).append(wire.source)
        self.referenced = frozenset(
            reference[1]
            for node in nodes.values()
            for reference in node.references
            if reference[0] == "nodes" and len(reference) > 1
        )

    def resolve(self) -> Resolved:
        """Return the document as a plan is built from it."""
        return self._resolved(self.graphs[""])

    def _resolved(self, graph: ScopeGraph) -> Resolved:
        inside = [entry.id for _, entry in graph.scope.nodes]
        bodies = {name: self._resolved(self.bodies[name]) for name in inside if name in self.bodies}
        result = self.ends.get(graph.scope.at + "/result")
        outermost = graph.scope.at == ""
        return Resolved(
            self.document,
            {name: self._node(name, graph) for name in inside},
            graph.wires,
            self.columns.sql,
            self.columns.columns,
            self.referenced,
            after={name: tuple(others) for name, others in graph.after.items()},
            bodies=bodies,
            result=f"{result[0]}.{result[1].name}" if result else None,
            last=self._resolved(self.graphs["/finally"]) if outermost and "/finally" in self.graphs else None,
            interface=self._interface() if outermost else Interface(),
            interfaces=self._interfaces() if outermost else {},
            values=self._values(),
        )

    def _node(self, name: str, graph: ScopeGraph) -> ResolvedNode:
        node = self.nodes[name]
        references = [reference for reference in node.references if len(reference) > 1]
        read = (name for kind, name, *_ in references if kind == "nodes")
        return ResolvedNode(
            node.entry,
            node.node_class,
            node.ports,
            self._effect(name, graph),
            tuple(sorted(set(read))),
            tuple(sorted({name for kind, name, *_ in references if kind == "values"})),
            self.catalog.file_of(node.node_class),
            node.functions,
        )

    def _effect(self, name: str, graph: ScopeGraph) -> Effect:
        node = self.nodes[name]
        found = [node.node_class.effect_of(node.node if node.node is not None else node.entry.config)]
        found += [self._effect(source, graph) for source in self.wired.get(name, ())]
        if name in self.bodies:
            inner = self.bodies[name]
            found += [self._effect(entry.id, inner) for _, entry in inner.scope.nodes]
        return max(found, key=EFFECTS.index)

    def _interface(self) -> Interface:
        outputs = ((name, self.ends[f"/outputs/{name}"][1].kind) for name in self.document.outputs)
        return Interface(input_ports(self.document), tuple(Port(name, kind) for name, kind in outputs))

    def _values(self) -> dict[str, Any]:
        references = (reference for node in self.nodes.values() for reference in node.references)
        used = {reference[1] for reference in references if reference[0] == "values" and len(reference) > 1}
        return {name: self.facts.values.constants[name] for name in sorted(used)}

    def _interfaces(self) -> dict[str, Interface]:
        found: dict[str, Interface] = {}
        for node in self.nodes.values():
            for _, mark, value in marks_of(node.node_class.config_schema(), node.entry.config):
                interface = self.facts.interface(value) if mark["is"] == "pipeline" else None
                if interface is not None:
                    found[value] = interface
        return dict(sorted(found.items()))
