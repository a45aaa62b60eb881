"""Random pipelines of nodes that do nothing, and Airflow's rules played through on their plans."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from airloom.checks.resolved import Resolved, ResolvedNode, Wire
from airloom.nodes.sdk import (
    Control,
    Copy,
    Files,
    FileSink,
    FileSource,
    Fired,
    Node,
    Query,
    Relation,
    Scan,
    Sink,
    Source,
    Table,
    Written,
    each,
    ports_of,
)  # fmt: skip
from airloom.plan.plan import FAILED, NOT_RUN, SKIPPED, SUCCESS, Plan
from airloom.plan.rule import Outcome, decide, fired_ports, handles_failure
from airloom.spec.document import Document


class Files1(FileSource):
    """Scan."""

    def scan(self, files: Files) -> Scan:
        raise NotImplementedError


class Read1(Source):
    """Read."""

    def run(self) -> dict:  # type: ignore[type-arg]
        raise NotImplementedError


class One(Table):
    """One in."""

    def query(self, rows: Relation) -> Query:
        raise NotImplementedError


class Two(Table):
    """Two in, both needed."""

    def query(self, left: Relation, right: Relation) -> Query:
        raise NotImplementedError


class Many(Table):
    """Any number in."""

    def query(self, *tables: Relation) -> Query:
        raise NotImplementedError


class Choose(Control, outputs=[each("ports")]):
    """Choose."""

    ports: list[str] = ["a", "b"]

    def run(self, value: object) -> Fired:
        raise NotImplementedError


class Write1(Sink):
    """Write."""

    def run(self, rows: Relation) -> Written:
        raise NotImplementedError


class Copy1(FileSink):
    """Copy."""

    def copy_to(self) -> Copy:
        raise NotImplementedError


SOURCES: list[type[Node]] = [Files1, Read1]
INNER: list[type[Node]] = [One, One, Two, Many, Many, Choose, Write1, Copy1]


@st.composite
def pipelines(draw: st.DrawFn, largest: int = 9) -> Resolved:
    """Draw a pipeline: sources, tables, choices, sinks; error edges; nodes that go on after a failure."""
    count = draw(st.integers(2, largest))
    classes = [draw(st.sampled_from(SOURCES))]
    classes += [draw(st.sampled_from([*SOURCES, *INNER, *INNER])) for _ in range(count - 1)]
    nodes: dict[str, ResolvedNode] = {}
    wires: list[Wire] = []
    entries = []
    for index, node_class in enumerate(classes):
        name = f"n{index}"
        config = {"ports": ["a", "b"]} if node_class is Choose else {}
        ports = ports_of(node_class, config)
        entry = {"id": name, "type": node_class.declaration.type, "config": config}
        if draw(st.integers(0, 9)) == 0:
            entry["on_error"] = "continue"
        if draw(st.integers(0, 9)) == 0:
            entry["retries"] = 0
        open_ports = [
            (other, port.name) for other, found in nodes.items()
            for port in (*found.ports.outputs, *found.ports.outputs, *error_port(found, draw))
        ]  # fmt: skip
        for port in ports.inputs:
            for _ in range(draw(st.integers(1, 3)) if port.many else 1):
                source, output = draw(st.sampled_from(open_ports))
                wire = Wire(source, output, name, port.name)
                if wire not in wires:
                    wires.append(wire)
        entries.append(entry)
        document_entry = Document.model_validate({"id": "x", "nodes": [entry]}).nodes[0]
        nodes[name] = ResolvedNode(document_entry, node_class, ports)
    grouping = draw(st.sampled_from(["auto", "auto", "none"]))
    document = Document.model_validate({"id": "x", "nodes": entries, "settings": {"grouping": grouping}})
    referenced = frozenset(name for name in nodes if draw(st.integers(0, 9)) == 0)
    return Resolved(document, nodes, tuple(wires), referenced=referenced)


def error_port(found: ResolvedNode, draw: st.DrawFn) -> tuple[object, ...]:
    """Return the error port of a node, sometimes."""
    from airloom.nodes.sdk import ERROR_PORT

    return (ERROR_PORT,) if draw(st.integers(0, 3)) == 0 else ()


Fates = Mapping[str, str]
"""Node → `ok`, `fail`, or the port that a choosing node takes."""


def end(plan: Plan, name: str, fate: str) -> Outcome:
    """Return how a node that runs ends."""
    node = plan.nodes[name]
    if fate == "fail":
        return Outcome(FAILED, fired_ports(node, failed=True), handles_failure(node))
    if node.role == "choice":
        return Outcome(SUCCESS, fired_ports(node, chosen="" if fate == "ok" else fate))
    return Outcome(SUCCESS, fired_ports(node))


def by_the_rule(plan: Plan, fates: Fates) -> dict[str, Outcome]:
    """Play the rule node by node."""
    outcomes: dict[str, Outcome] = {}
    for name, node in plan.nodes.items():
        decision = decide(node, outcomes)
        outcomes[name] = end(plan, name, fates[name]) if decision == "run" else Outcome(decision)
    return outcomes


def by_airflow(plan: Plan, fates: Fates) -> dict[str, Outcome]:
    """Play Airflow's trigger rule none_failed_min_one_success and its skips task by task, the rule inside a task."""
    tasks: dict[str, str] = {}
    told_to_skip: set[str] = set()
    outcomes: dict[str, Outcome] = {}
    gates = {gate.id: gate for gate in plan.gates}
    downstream: dict[str, set[str]] = {}
    for step in plan.steps:
        for task in step.upstream:
            downstream.setdefault(task, set()).add(step.id)
    for gate in plan.gates:
        downstream.setdefault(gate.upstream, set()).add(gate.id)
    waiting = [*gates, *(step.id for step in plan.steps)]
    while waiting:
        task = next(t for t in waiting if all(u in tasks for u in upstream_of(plan, t)))
        waiting.remove(task)
        states = [tasks[u] for u in upstream_of(plan, task)]
        if any(state in ("failed", "upstream_failed") for state in states):
            tasks[task] = "upstream_failed"
        elif task in told_to_skip or (states and all(state == "skipped" for state in states)):
            tasks[task] = "skipped"
        elif task in gates:
            tasks[task] = "success"
        else:
            run_task(plan, task, fates, outcomes, tasks, told_to_skip, downstream)
        if task not in gates and tasks[task] in ("upstream_failed", "skipped"):
            for name in plan.step(task).nodes:
                outcomes.setdefault(name, Outcome(NOT_RUN if tasks[task] == "upstream_failed" else SKIPPED))
    return outcomes


def upstream_of(plan: Plan, task: str) -> tuple[str, ...]:
    """Return the tasks before a task."""
    for gate in plan.gates:
        if gate.id == task:
            return (gate.upstream,)
    return plan.step(task).upstream


def run_task(
    plan: Plan, task: str, fates: Fates, outcomes: dict[str, Outcome], tasks: dict[str, str],
    told_to_skip: set[str], downstream: Mapping[str, set[str]],
) -> None:  # fmt: skip
    """Run the nodes of a task as the operator does, and say which tasks it skips."""
    step = plan.step(task)
    for name in step.nodes:
        decision = decide(plan.nodes[name], outcomes)
        outcomes[name] = end(plan, name, fates[name]) if decision == "run" else Outcome(decision)
    if any(outcomes[name].state == FAILED and not outcomes[name].handled for name in step.nodes):
        tasks[task] = "failed"
        return
    if all(outcomes[name].state == SKIPPED for name in step.exits):
        tasks[task] = "skipped"
        return
    tasks[task] = "success"
    if step.chooses:
        followed = {
            target for port, targets in step.follow.items() for target in targets
            if port.partition(".")[2] in outcomes[port.partition(".")[0]].fired
        }  # fmt: skip
        told_to_skip |= downstream.get(task, set()) - followed
