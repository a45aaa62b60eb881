"""Document → plan: steps, gates, ports; deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airloom.checks.resolved import Resolved, Wire, topological
from airloom.nodes.ports import ERROR
from airloom.nodes.sdk import Node
from airloom.plan.grouping import group
from airloom.plan.plan import Gate, Label, Plan, PlanInput, PlanNode, PlanOutput, PlanStep, StepKind
from airloom.spec.expression import texts

TABLE_METHODS = frozenset({"query", "scan", "copy_to"})


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
    # A source that sorts its rows reads every value of them, whatever others need of it.
    alone |= {node for node in order if _sorts_rows(resolved, node)}
    methods = {node: resolved.nodes[node].node_class.method for node in order}
    return group(
        order,
        feeds,
        {node: None if node in alone else _group_kind(resolved.nodes[node].node_class) for node in order},
        exits=resolved.referenced,
        first=[node for node in order if methods[node] == "scan"],
        last=[node for node in order if methods[node] == "copy_to"],
    )


def _sorts_rows(resolved: Resolved, node: str) -> bool:
    found = resolved.nodes[node]
    return found.node_class.method == "scan" and len(found.ports.outputs) > 1


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
    # Where an expression stands in the config, its value belongs into the query: each run builds it anew.
    sql = {} if list(texts(found.entry.config)) else resolved.sql.get(node, {})
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
