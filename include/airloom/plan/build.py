"""Document → plan: steps, gates, ports; deterministic."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from airloom.engine.relation import Columns
from airloom.nodes.ports import ERROR, WIRING
from airloom.nodes.sdk import Node, Ports
from airloom.plan.grouping import group
from airloom.plan.plan import Gate, Label, Plan, PlanInput, PlanNode, PlanOutput, PlanStep, StepKind
from airloom.spec.document import Document, Edge, NodeEntry

TABLE_METHODS = frozenset({"query", "scan", "copy_to"})


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


def resolve_wires(document: Document, nodes: Mapping[str, ResolvedNode]) -> tuple[Wire, ...]:
    """Return the edges with both ports named; an end without a port means the node's only one (of its kind)."""
    wires = []
    for edge in document.edges:
        source, output = Edge.split(edge.source)
        target, target_port = Edge.split(edge.target)
        if source in nodes and target in nodes:
            output = output or default_output(nodes[source].ports)
            target_port = target_port or default_input(nodes[target].ports)
            if output and target_port:
                wires.append(Wire(source, output, target, target_port))
    return tuple(wires)


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


def build_plan(resolved: Resolved) -> Plan:
    """Return the plan of a document that the checks found correct."""
    document = resolved.document
    tasks = [node for node in topological(document, resolved.wires) if _effect(resolved, node) != "config"]
    known = set(tasks)
    wires = [wire for wire in resolved.wires if wire.source in known and wire.target in known]
    error_nodes = {wire.source for wire in wires if wire.output == ERROR}
    groups = _groups(resolved, tasks, wires, error_nodes)
    step_of = {node: _step_id(members) for members in groups for node in members}
    nodes = {
        node.id: _plan_node(resolved, node.id, step_of.get(node.id, ""), node.id in error_nodes)
        for node in document.nodes
    }
    upstream_steps: dict[str, set[str]] = {step: set() for step in step_of.values()}
    for wire in wires:
        if step_of[wire.source] != step_of[wire.target]:
            upstream_steps[step_of[wire.target]].add(step_of[wire.source])
    steps: list[tuple[list[str], str, bool, dict[str, list[str]]]] = []
    gates: dict[str, Gate] = {}
    labels: dict[tuple[str, str], list[str]] = {}
    for members in groups:
        step = _step_id(members)
        chooses = _chooses(nodes[members[-1]])
        follow: dict[str, list[str]] = {}
        for wire in wires:
            if wire.source not in members or step_of[wire.target] == step:
                continue
            target = step_of[wire.target]
            if chooses and len(upstream_steps[target]) > 1:
                gate = Gate(gate_id(wire.source, wire.output), wire.source, wire.output, step)
                gates[gate.id] = gate
                target = gate.id
            elif chooses:
                names = labels.setdefault((step, target), [])
                if wire.output not in names:
                    names.append(wire.output)
            reached = follow.setdefault(f"{wire.source}.{wire.output}", [])
            if target not in reached:
                reached.append(target)
        steps.append((members, step, chooses, follow))
    choosing = {step for _, step, chooses, _ in steps if chooses}
    upstream = _upstream(wires, step_of, upstream_steps, choosing)
    return Plan(
        nodes=nodes,
        steps=tuple(
            _plan_step(resolved, members, step, chooses, follow, upstream[step], nodes, wires)
            for members, step, chooses, follow in steps
        ),
        gates=tuple(gates.values()),
        labels=tuple(Label(source, target, " | ".join(names)) for (source, target), names in labels.items()),
    )


def _effect(resolved: Resolved, node: str) -> str:
    return resolved.nodes[node].node_class.declaration.effect


def _groups(resolved: Resolved, order: list[str], wires: Iterable[Wire], error_nodes: Iterable[str]) -> list[list[str]]:
    if resolved.document.settings.grouping == "none":
        return [[node] for node in order]
    feeds: dict[str, list[str]] = {node: [] for node in order}
    for wire in wires:
        if wire.target not in feeds[wire.source]:
            feeds[wire.source].append(wire.target)
    alone = set(error_nodes) | {node.id for node in resolved.document.nodes if node.stands_alone}
    methods = {node: resolved.nodes[node].node_class.method for node in order}
    return group(
        order,
        feeds,
        {node: None if node in alone else _group_kind(resolved.nodes[node].node_class) for node in order},
        exits=resolved.referenced,
        first=[node for node in order if methods[node] == "scan"],
        last=[node for node in order if methods[node] == "copy_to"],
    )


def _group_kind(node_class: type[Node]) -> str | None:
    if node_class.method in TABLE_METHODS:
        return "table"
    return "objects" if node_class.declaration.effect == "pure" else None


def _step_id(members: list[str]) -> str:
    if len(members) == 1:
        return members[0]
    return f"{members[0]}-{members[-1]}"


def gate_id(node: str, port: str) -> str:
    """Return the task id of the gate of a port."""
    return f"{node}--{port}"


def _chooses(node: PlanNode) -> bool:
    if node.error_port or (node.effect == "control" and len(node.outputs) > 1):
        return True
    return node.on_error == "continue" and any(output.kind == "table" for output in node.outputs)


def _plan_node(resolved: Resolved, node: str, step: str, error_port: bool) -> PlanNode:
    found = resolved.nodes[node]
    declaration = found.node_class.declaration
    inputs = []
    relations: dict[str, tuple[tuple[str, str], ...]] = {}
    for port in found.ports.inputs:
        sources = [f"{w.source}.{w.output}" for w in resolved.wires if w.target == node and w.input == port.name]
        inputs.append(PlanInput(port.name, port.kind, port.many, port.required, tuple(sources)))
        for source in sources:
            if source in resolved.columns:
                relations[source] = tuple(resolved.columns[source].items())
    sql = resolved.sql.get(node, {})
    return PlanNode(
        id=node,
        type=declaration.type,
        version=declaration.version,
        effect=declaration.effect,
        method=found.node_class.method,
        step=step,
        inputs=tuple(inputs),
        outputs=tuple(PlanOutput(port.name, port.kind) for port in found.ports.outputs),
        error_port=error_port,
        on_error=found.entry.on_error,
        sql=dict(sql),
        columns=relations if sql else {},
    )


def _upstream(
    wires: Iterable[Wire], step_of: Mapping[str, str], upstream_steps: Mapping[str, set[str]], choosing: set[str]
) -> dict[str, list[str]]:
    upstream: dict[str, list[str]] = {step: [] for step in upstream_steps}
    for wire in wires:
        source, target = step_of[wire.source], step_of[wire.target]
        if source == target:
            continue
        gated = source in choosing and len(upstream_steps[target]) > 1
        task = gate_id(wire.source, wire.output) if gated else source
        if task not in upstream[target]:
            upstream[target].append(task)
    return upstream


def _plan_step(
    resolved: Resolved,
    members: list[str],
    step: str,
    chooses: bool,
    follow: Mapping[str, list[str]],
    upstream: list[str],
    nodes: Mapping[str, PlanNode],
    wires: Iterable[Wire],
) -> PlanStep:
    settings = resolved.document.settings
    entry = resolved.nodes[members[0]].entry
    kind: StepKind = "node"
    if all(nodes[node].method in TABLE_METHODS for node in members):
        kind = "table"
    elif len(members) > 1:
        kind = "objects"
    reads = [
        f"{wire.source}.{wire.output}" for node in members for wire in wires
        if wire.target == node and wire.source not in members
    ]  # fmt: skip
    timeout = entry.timeout or settings.timeout
    delay = entry.retry_delay or settings.retry_delay
    return PlanStep(
        id=step,
        kind=kind,
        nodes=tuple(members),
        upstream=tuple(upstream),
        reads=tuple(dict.fromkeys(reads)),
        follow={port: tuple(targets) for port, targets in follow.items()},
        chooses=chooses,
        retries=settings.retries if entry.retries is None else entry.retries,
        retry_delay=delay.total_seconds(),
        timeout=timeout.total_seconds() if timeout else None,
        pool=entry.pool or settings.pool,
    )
