"""A document whose ends and ports are all known: what the checks hand to the plan."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from airloom.engine.relation import Columns
from airloom.nodes import functions
from airloom.nodes.catalog import catalog, remember
from airloom.nodes.kinds import KINDS
from airloom.nodes.ports import Interface
from airloom.nodes.sdk import Effect, Node, Ports, Role
from airloom.spec.document import Document, NodeEntry
from airloom.spec.node_file import NodeFile


@dataclass(frozen=True)
class ResolvedNode:
    """A node of a document with its class, the ports that its config gives it, and what its expressions read.

    `effect` is that of this node: its own, or a stronger one of what it runs inside itself or is wired to.
    """

    entry: NodeEntry
    node_class: type[Node]
    ports: Ports
    effect: Effect = "pure"
    reads: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """The values of the installation that its expressions read."""
    file: NodeFile | None = None
    """The user's file that the class comes from."""
    functions: Mapping[str, NodeFile] = field(default_factory=dict)
    """The files of the users' functions that its config names, by these names."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The process that reads this may not know the text of a user's file.
        declared = self.node_class.declaration
        rest = (self.ports, self.effect, self.reads, self.values, self.file, self.functions)
        return _resolved_node, (self.entry, declared.type, declared.version, *rest)

    @property
    def role(self) -> Role:
        """Return how the node runs."""
        return self.node_class.declaration.role


def _resolved_node(
    entry: NodeEntry,
    name: str,
    version: int,
    ports: Ports,
    effect: Effect,
    reads: tuple[str, ...],
    values: tuple[str, ...],
    file: NodeFile | None,
    named: Mapping[str, NodeFile],
) -> ResolvedNode:
    if file is not None:
        remember(file)
    for function in named.values():
        functions.remember(function)
    node_class = catalog().get(name, version, file.hash if file is not None else "")
    return ResolvedNode(entry, node_class, ports, effect, reads, values, file, named)


@dataclass(frozen=True)
class Wire:
    """An edge with both ports named; `loop` and `inputs` are sources that are not nodes."""

    source: str
    output: str
    target: str
    input: str


@dataclass(frozen=True)
class Resolved:
    """What the checks found out about a correct document, or a part of one, and what building its plan needs.

    `nodes` and `wires` are those that stand side by side; `bodies` holds what stands inside of a node, `after` the
    nodes that a node's body reads by expression, which come before it.
    """

    document: Document
    nodes: Mapping[str, ResolvedNode]
    wires: tuple[Wire, ...]
    sql: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: Mapping[str, Columns] = field(default_factory=dict)
    """The columns of each `node.port` where they are known."""
    referenced: frozenset[str] = frozenset()
    """The nodes that expressions of other nodes read."""
    after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bodies: Mapping[str, Resolved] = field(default_factory=dict)
    result: str | None = None
    """The `node.port` that is the result of a body."""
    last: Resolved | None = None
    """What stands in `finally`."""
    interface: Interface = field(default_factory=Interface)
    """What the pipeline takes and gives as a part of another one."""
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    """Those of the pipelines that nodes name."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The values of the installation that expressions read."""

    @property
    def every_node(self) -> dict[str, ResolvedNode]:
        """Return the nodes that stand side by side, and all that stand inside of them or in `finally`."""
        found = dict(self.nodes)
        for part in (*self.bodies.values(), *([self.last] if self.last else [])):
            found |= part.every_node
        return found


def default_output(ports: Ports) -> str | None:
    """Return the port that an edge from the node alone means, or None where it has to be named."""
    return ports.outputs[0].name if len(ports.outputs) == 1 else None


def default_input(ports: Ports) -> str | None:
    """Return the port that an edge to the node alone means: the only one, or the only one beside wiring or required."""
    if len(ports.inputs) == 1:
        return ports.inputs[0].name
    data = [port for port in ports.inputs if not KINDS[port.kind].wiring]
    if len(data) == 1:
        return data[0].name
    required = [port for port in data if port.required]
    return required[0].name if len(required) == 1 else None


def topological(
    nodes: Iterable[str], wires: Iterable[Wire], after: Mapping[str, Iterable[str]] | None = None
) -> list[str]:
    """Return the nodes in topological order, ties by place in the document; raise CycleError for a cycle.

    `after` names the nodes that come before a node without an edge.
    """
    after = after or {}
    place = {node: index for index, node in enumerate(nodes)}
    sorter: TopologicalSorter[str] = TopologicalSorter({node: after.get(node, ()) for node in place})
    for wire in wires:
        if wire.source in place:
            sorter.add(wire.target, wire.source)
    sorter.prepare()
    order: list[str] = []
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for node in sorter.get_ready():
            heapq.heappush(ready, (place[node], node))
        _, node = heapq.heappop(ready)
        order.append(node)
        sorter.done(node)
    return order
