"""A document whose ends and ports are all known: what the checks hand to the plan."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from airloom.engine.relation import Columns
from airloom.nodes.ports import WIRING
from airloom.nodes.sdk import Node, Ports
from airloom.spec.document import Document, NodeEntry


@dataclass(frozen=True)
class ResolvedNode:
    """A node of a document with its class and the ports that its config gives it."""

    entry: NodeEntry
    node_class: type[Node]
    ports: Ports


@dataclass(frozen=True)
class Wire:
    """An edge with both ports named."""

    source: str
    output: str
    target: str
    input: str


@dataclass(frozen=True)
class Resolved:
    """What the checks found out about a correct document, and what building its plan needs."""

    document: Document
    nodes: Mapping[str, ResolvedNode]
    wires: tuple[Wire, ...]
    sql: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: Mapping[str, Columns] = field(default_factory=dict)
    """The columns of each `node.port` where they are known."""
    referenced: frozenset[str] = frozenset()
    """The nodes that expressions of other nodes read."""


def default_output(ports: Ports) -> str | None:
    """Return the port that an edge from the node alone means, or None where it has to be named."""
    return ports.outputs[0].name if len(ports.outputs) == 1 else None


def default_input(ports: Ports) -> str | None:
    """Return the port that an edge to the node alone means: the only one beside wiring, or the only required one."""
    data = [port for port in ports.inputs if port.kind not in WIRING]
    if len(data) == 1:
        return data[0].name
    required = [port for port in data if port.required]
    return required[0].name if len(required) == 1 else None


def topological(document: Document, wires: Iterable[Wire]) -> list[str]:
    """Return the nodes in topological order, ties by place in the document; raise CycleError for a cycle."""
    place = {node.id: index for index, node in enumerate(document.nodes)}
    sorter: TopologicalSorter[str] = TopologicalSorter({node.id: () for node in document.nodes})
    for wire in wires:
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
