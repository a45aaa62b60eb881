"""Document → plan: steps, gates, ports; deterministic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airloom.checks.resolved import Resolved, ResolvedNode, Wire, topological
from airloom.nodes.ports import ERROR
from airloom.plan.grouping import group
from airloom.plan.plan import FINALLY, GROUP, Gate, Label, Plan, PlanInput, PlanNode, PlanOutput, PlanStep
from airloom.spec.expression import texts

TABLE_METHODS = frozenset({"query", "scan", "copy_to"})


def build_plan(resolved: Resolved) -> Plan:
    """Return the plan of a document that the checks found correct."""
    return _Builder(resolved).build()


def gate_id(node: str, port: str) -> str:
    """Return the task id of the gate of a port."""
    return f"{node}--{port}"


@dataclass
class _Links:
    """What joins steps: where each port leads, what comes before each step, gates, and labels of edges."""

    follow: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    upstream: dict[str, list[str]] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    labels: dict[tuple[str, str], list[str]] = field(default_factory=dict)


class _Builder:
    """Plan the nodes of one scope; a body is planned by a builder of its own."""

    def __init__(self, resolved: Resolved, *, inside: bool = False) -> None:
        self.resolved = resolved
        self.inside = inside
        self.order = topological(resolved.nodes, resolved.wires, resolved.after)
        self.tasks = [node for node in self.order if resolved.nodes[node].role != "config"]
        known = set(self.tasks)
        self.wires = [wire for wire in resolved.wires if wire.source in known and wire.target in known]
        self.error_nodes = {wire.source for wire in self.wires if wire.output == ERROR}
        self.feeding: dict[tuple[str, str], list[str]] = {}
        for wire in resolved.wires:
            self.feeding.setdefault((wire.target, wire.input), []).append(f"{wire.source}.{wire.output}")
        self.after = {node: self._after(node) for node in resolved.after}

    def build(self) -> Plan:
        """Return the plan."""
        resolved = self.resolved
        groups = self._groups()
        step_of = {node: _step_id(members) for members in groups for node in members}
        nodes = self._nodes(step_of)
        choosing = {_step_id(members) for members in groups if any(_chooses(nodes[node]) for node in members)}
        if self._is_one_task:
            choosing.clear()
        links = self._links(step_of, choosing)
        steps = [self._step(members, nodes, links, choosing) for members in groups]
        if resolved.last is not None and resolved.last.nodes:
            last = _Builder(resolved.last)
            nodes |= last._nodes(dict.fromkeys(last.tasks, FINALLY))
            before = {task for step in steps for task in step.upstream} | {
                gate.upstream for gate in links.gates.values()
            }
            steps.append(last._last([task for task in (*links.upstream, *links.gates) if task not in before]))
        return Plan(
            nodes=nodes,
            steps=tuple(steps),
            gates=tuple(links.gates.values()),
            labels=tuple(Label(source, target, " | ".join(names)) for (source, target), names in links.labels.items()),
            result=resolved.result,
            triggers=self._triggers(),
            interface=resolved.interface.to_json(),
            interfaces={name: interface.to_json() for name, interface in resolved.interfaces.items()},
            values={} if self.inside else resolved.values,
        )

    def _after(self, node: str) -> tuple[str, ...]:
        """Return every port of the nodes that come before a node without an edge: whichever fires, they have ended."""
        return tuple(
            f"{other}.{port}"
            for other in self.resolved.after[node]
            for port in (
                *(port.name for port in self.resolved.nodes[other].ports.outputs),
                *([ERROR] if other in self.error_nodes else []),
            )
        )

    # Steps

    def _groups(self) -> list[list[str]]:
        resolved = self.resolved
        if resolved.document.settings.grouping == "none":
            return [[node] for node in self.tasks]
        if self._is_one_task:
            return [self.tasks]
        feeds: dict[str, list[str]] = {node: [] for node in self.tasks}
        for wire in self.wires:
            if wire.target not in feeds[wire.source]:
                feeds[wire.source].append(wire.target)
        for node, others in resolved.after.items():
            for other in others:
                if node not in feeds[other]:
                    feeds[other].append(node)
        alone = self.error_nodes | {name for name, node in resolved.nodes.items() if node.entry.stands_alone}
        # A source that sorts its rows reads every value of them, whatever others need of it.
        alone |= {node for node in self.tasks if _sorts_rows(resolved.nodes[node])}
        methods = {node: resolved.nodes[node].node_class.method for node in self.tasks}
        return group(
            self.tasks,
            feeds,
            {node: None if node in alone else _group_kind(resolved.nodes[node]) for node in self.tasks},
            exits=resolved.referenced | self._ends,
            first=[node for node in self.tasks if methods[node] == "scan"],
            last=[node for node in self.tasks if methods[node] == "copy_to"],
        )

    @property
    def _ends(self) -> set[str]:
        """Return the nodes whose ports are read from outside: outputs of the pipeline, the result of a body."""
        ends = [self.resolved.result] if self.inside else self.resolved.document.outputs.values()
        return {end.partition(".")[0] for end in ends if end}

    def _links(self, step_of: Mapping[str, str], choosing: set[str]) -> _Links:
        wires = [*self.wires, *self._order_wires()]
        before: dict[str, set[str]] = {step: set() for step in step_of.values()}
        for wire in wires:
            if step_of[wire.source] != step_of[wire.target]:
                before[step_of[wire.target]].add(step_of[wire.source])
        links = _Links({step: {} for step in before}, {step: [] for step in before})
        leaving: dict[str, list[Wire]] = {step: [] for step in before}
        for wire in wires:
            step, target = step_of[wire.source], step_of[wire.target]
            if step != target:
                leaving[step].append(wire)
                gated = step in choosing and len(before[target]) > 1
                task = gate_id(wire.source, wire.output) if gated else step
                if task not in links.upstream[target]:
                    links.upstream[target].append(task)
        for step, wire in ((step, wire) for step, wires_of_step in leaving.items() for wire in wires_of_step):
            target = step_of[wire.target]
            if step in choosing and len(before[target]) > 1:
                gate = Gate(gate_id(wire.source, wire.output), wire.source, wire.output, step)
                links.gates[gate.id] = gate
                target = gate.id
            elif step in choosing and wire.input:
                names = links.labels.setdefault((step, target), [])
                if wire.output not in names:
                    names.append(wire.output)
            follow = links.follow[step].setdefault(f"{wire.source}.{wire.output}", [])
            if target not in follow:
                follow.append(target)
        return links

    def _order_wires(self) -> list[Wire]:
        """Return an edge without an input for each port that comes before a node only because its body reads it."""
        wires = []
        for node, ports in self.after.items():
            for source, _, port in (port.partition(".") for port in ports):
                wires.append(Wire(source, port, node, ""))
        return wires

    def _step(self, members: list[str], nodes: Mapping[str, PlanNode], links: _Links, choosing: set[str]) -> PlanStep:
        settings = self.resolved.document.settings
        entry = self.resolved.nodes[members[0]].entry
        step = _step_id(members)
        inside = set(members)
        reads = [source for node in members for port in nodes[node].inputs for source in port.sources]
        timeout = entry.timeout or settings.timeout
        delay = entry.retry_delay or settings.retry_delay
        longest = entry.max_retry_delay or settings.max_retry_delay
        return PlanStep(
            id=step,
            kind=self._kind(members, nodes),
            nodes=tuple(members),
            upstream=tuple(links.upstream[step]),
            reads=tuple(dict.fromkeys(source for source in reads if self._is_elsewhere(source, inside))),
            follow={port: tuple(targets) for port, targets in links.follow[step].items()},
            chooses=step in choosing,
            retries=self._retries(members),
            retry_delay=delay.total_seconds(),
            timeout=timeout.total_seconds() if timeout else None,
            pool=entry.pool or settings.pool,
            exits=() if self._is_one_task else (members[-1],),
            retry_backoff=entry.retry_backoff or settings.retry_backoff,
            max_retry_delay=longest.total_seconds(),
            parallel=1 if self._is_one_task else entry.parallel,
        )

    def _retries(self, members: list[str]) -> int:
        """Return how often a step is tried again: one of all nodes, which tries them itself, where it was killed."""
        entries = [self.resolved.nodes[name].entry for name in (members if self._is_one_task else members[:1])]
        settings = self.resolved.document.settings
        return max(settings.retries if entry.retries is None else entry.retries for entry in entries)

    @property
    def _is_one_task(self) -> bool:
        return self.resolved.document.settings.grouping == "all" and not self.inside and len(self.tasks) > 1

    def _last(self, upstream: list[str]) -> PlanStep:
        """Return the step of what runs at the end, behind these tasks."""
        settings = self.resolved.document.settings
        return PlanStep(
            id=FINALLY,
            kind=FINALLY,
            nodes=tuple(self.tasks),
            upstream=tuple(upstream),
            reads=(),
            follow={},
            chooses=False,
            retries=settings.retries,
            retry_delay=settings.retry_delay.total_seconds(),
            timeout=settings.timeout.total_seconds() if settings.timeout else None,
            pool=settings.pool,
            exits=(),
            retry_backoff=settings.retry_backoff,
            max_retry_delay=settings.max_retry_delay.total_seconds(),
        )

    def _is_elsewhere(self, source: str, inside: set[str]) -> bool:
        node = source.partition(".")[0]
        return node not in inside and node in self.resolved.nodes and self.resolved.nodes[node].role != "config"

    def _kind(self, members: list[str], nodes: Mapping[str, PlanNode]) -> str:
        if self._is_one_task:
            return GROUP
        if all(nodes[node].method in TABLE_METHODS for node in members):
            return "table"
        return "objects" if len(members) > 1 else self.resolved.nodes[members[0]].node_class.step_kind

    # Nodes

    def _nodes(self, step_of: Mapping[str, str]) -> dict[str, PlanNode]:
        bodies = {name: _Builder(body, inside=True).build() for name, body in self.resolved.bodies.items()}
        hashes = self._hashes(bodies)
        return {
            name: self._node(name, step_of.get(name, ""), hashes[name], bodies.get(name))
            for name in self.resolved.nodes
        }

    def _node(self, name: str, step: str, digest: str, body: Plan | None) -> PlanNode:
        resolved = self.resolved
        node = resolved.nodes[name]
        declaration = node.node_class.declaration
        inputs = []
        relations: dict[str, tuple[tuple[str, str], ...]] = {}
        for port in node.ports.inputs:
            sources = tuple(self.feeding.get((name, port.name), ()))
            inputs.append(PlanInput(port.name, port.kind, port.many, port.required, sources))
            for source in sources:
                if source in resolved.columns:
                    relations[source] = tuple(resolved.columns[source].items())
        # Where an expression stands in the config, its value belongs into the query: each run builds it anew.
        sql = {} if list(texts(node.entry.config)) else resolved.sql.get(name, {})
        return PlanNode(
            id=name,
            type=declaration.type,
            version=declaration.version,
            effect=node.effect,
            method=node.node_class.method,
            step=step,
            inputs=tuple(inputs),
            outputs=tuple(PlanOutput(port.name, port.kind) for port in node.ports.outputs),
            error_port=name in self.error_nodes,
            on_error=node.entry.on_error,
            sql=dict(sql),
            columns=relations if sql else {},
            role=declaration.role,
            file=node.file.hash if node.file else "",
            functions={function: file.hash for function, file in node.functions.items()},
            hash=digest,
            after=self.after.get(name, ()),
            body=body,
        )

    def _hashes(self, bodies: Mapping[str, Plan]) -> dict[str, str]:
        """Return the hash of each node: of what it is and does, and of what it reads."""
        hashes: dict[str, str] = {}
        for name in self.order:
            node = self.resolved.nodes[name]
            declaration = node.node_class.declaration
            # A source without a hash is a loop's item, an input, or a node around a body: that one's node has it.
            reads = {
                port.name: [[source, hashes.get(source.partition(".")[0])]
                            for source in self.feeding.get((name, port.name), ())]
                for port in node.ports.inputs
            }  # fmt: skip
            others = {other: hashes.get(other) for other in (*node.reads, *self.resolved.after.get(name, ()))}
            body = bodies.get(name)
            inside = {} if body is None else {inner: planned.hash for inner, planned in body.nodes.items()}
            facts = [
                declaration.type, declaration.version, node.file.hash if node.file else "", node.entry.config,
                reads, others, inside, body.result if body else None,
                *([[node.values, [self.resolved.values[value] for value in node.values]]] if node.values else []),
                *([[function, file.hash] for function, file in node.functions.items()]),
            ]  # fmt: skip
            hashes[name] = _digest(facts)
        return hashes

    def _triggers(self) -> dict[str, tuple[str, ...]]:
        """Return the nodes that run when a trigger node fires: what it reaches, and what that needs."""
        triggers = [name for name in self.order if self.resolved.nodes[name].role == "trigger"]
        if not triggers:
            return {}
        nodes_of: dict[str, tuple[str, ...]] = {}
        for trigger in triggers:
            reached = _closure([trigger], ((wire.source, wire.target) for wire in self.resolved.wires))
            needed = _closure(reached, ((wire.target, wire.source) for wire in self.resolved.wires))
            others = set(triggers) - {trigger}
            nodes_of[trigger] = tuple(name for name in self.order if name in needed - others)
        return nodes_of


def _closure(start: Iterable[str], pairs: Iterable[tuple[str, str]]) -> set[str]:
    targets: dict[str, list[str]] = {}
    for source, target in pairs:
        targets.setdefault(source, []).append(target)
    reached = set(start)
    waiting = list(reached)
    while waiting:
        for target in targets.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode(errors="surrogatepass")).hexdigest()


def _sorts_rows(node: ResolvedNode) -> bool:
    return node.node_class.method == "scan" and len(node.ports.outputs) > 1


def _group_kind(node: ResolvedNode) -> str | None:
    if node.node_class.method in TABLE_METHODS:
        return "table"
    return "objects" if node.effect == "pure" and node.role == "work" else None


def _step_id(members: list[str]) -> str:
    return members[0] if len(members) == 1 else f"{members[0]}-{members[-1]}"


def _chooses(node: PlanNode) -> bool:
    if node.error_port or (node.role == "choice" and len(node.outputs) > 1):
        return True
    return node.on_error == "continue" and any(output.kind == "table" for output in node.outputs)
