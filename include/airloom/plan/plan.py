"""The plan of a pipeline: pure data, kept with each version, all that compiling and running it needs.

This module is imported by every parse of a DAG: it imports the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FORMAT = 2
SUCCESS, FAILED, SKIPPED, NOT_RUN = "success", "failed", "skipped", "not_run"
TRIGGER_RULE = "none_failed_min_one_success"
FINALLY = "finally"
"""The step, and its kind, of what runs at the end of a run."""
GROUP = "group"
"""The kind of a step of nodes that share a task whatever they are; nothing leaves it."""

PIPELINE = "pipeline"
"""The kind of the step of a node that runs another pipeline."""
INNER = "inner"
"""The part of a key, behind the step's id, of what XCom keeps of the nodes that are not exits of it: one entry."""


class PlanFormatError(ValueError):
    """Raise for a plan, or a part of one, that a newer release has written."""


@dataclass(frozen=True)
class PlanInput:
    """Name an input port and the `node.port`s that feed it, in the order of the edges."""

    name: str
    kind: str
    many: bool
    required: bool
    sources: tuple[str, ...]


@dataclass(frozen=True)
class PlanOutput:
    """Name an output port."""

    name: str
    kind: str


@dataclass(frozen=True)
class PlanNode:
    """Hold what a node needs at run beside its config; `step` is empty for a node without a task of its own.

    `effect` says what it may touch outside: pure, read, write. `role` says how it runs: work, choice, loop, wait,
    trigger, config. `after` are the `node.port`s that come before it without an edge, for its body reads them.
    """

    id: str
    type: str
    version: int
    effect: str
    method: str
    step: str
    inputs: tuple[PlanInput, ...]
    outputs: tuple[PlanOutput, ...]
    error_port: bool = False
    on_error: str = "stop"
    sql: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """The columns of each source relation (`node.port`) that `sql` was made for."""
    role: str = "work"
    file: str = ""
    """The hash of the user's file that the node type comes from."""
    functions: Mapping[str, str] = field(default_factory=dict)
    """The hashes of the files of the users' functions that its config names, by these names."""
    hash: str = ""
    """Two nodes of the same hash do the same with the same: type, version, functions, config, and the hashes of what it
    reads."""
    after: tuple[str, ...] = ()
    body: Plan | None = None

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(output.name for output in self.outputs)


@dataclass(frozen=True)
class PlanStep:
    """Hold one Airflow task: its nodes in topological order, and its place among the others.

    `exits` are the nodes whose ports leave the step; a step of kind `group` or `finally` has none.
    """

    id: str
    kind: str
    nodes: tuple[str, ...]
    upstream: tuple[str, ...]
    reads: tuple[str, ...]
    follow: Mapping[str, tuple[str, ...]]
    chooses: bool
    retries: int
    retry_delay: float
    timeout: float | None
    pool: str | None
    exits: tuple[str, ...]
    trigger_rule: str = TRIGGER_RULE
    retry_backoff: str = "fixed"
    max_retry_delay: float = 3600.0
    parallel: int = 1
    """How many tasks share the items of its loop; the step's own then comes behind them."""

    @property
    def first_tasks(self) -> tuple[str, ...]:
        """Return the ids of the tasks that it begins with: those that share its items, or its only one."""
        if self.parallel == 1:
            return (self.id,)
        return tuple(f"{self.id}--{number}" for number in range(1, self.parallel + 1))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the ids of all its tasks, its own last."""
        return tuple(dict.fromkeys((*self.first_tasks, self.id)))


@dataclass(frozen=True)
class Gate:
    """Stand for one port of a choosing step, where its target has another upstream task as well."""

    id: str
    node: str
    port: str
    upstream: str


@dataclass(frozen=True)
class Label:
    """Write the names of ports on an edge between two tasks."""

    source: str
    target: str
    label: str


@dataclass(frozen=True)
class Plan:
    """Hold the whole plan, or that of a body; `version` is the pipeline's version number, set when the store keeps it.

    `result` is the `node.port` of a body's result. `triggers` says which nodes run when a trigger node fires;
    `interface` is what the pipeline takes and gives as a part of another one, `interfaces` are those of the pipelines
    that its nodes name, `values` those of the installation that its expressions read, as they were when this was
    planned.
    """

    nodes: Mapping[str, PlanNode]
    steps: tuple[PlanStep, ...]
    gates: tuple[Gate, ...]
    labels: tuple[Label, ...]
    version: int = 0
    result: str | None = None
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interface: Mapping[str, Any] = field(default_factory=dict)
    interfaces: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def step(self, identifier: str) -> PlanStep:
        """Return a step by its id; raise KeyError where there is none."""
        for step in self.steps:
            if step.id == identifier:
                return step
        raise KeyError(identifier)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON, the same for the same plan, byte for byte."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "version": self.version,
            "nodes": {name: _json(node, leave_out="id") for name, node in self.nodes.items()},
            "steps": [_json(step) for step in self.steps],
            "gates": [_json(gate) for gate in self.gates],
            "labels": [{"from": label.source, "to": label.target, "label": label.label} for label in self.labels],
            "triggers": _plain(self.triggers),
            "interface": _plain(self.interface),
            "interfaces": _plain(self.interfaces),
            "values": _plain(self.values),
            "result": self.result,
        }
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote, also that of an earlier release; raise PlanFormatError for a newer format."""
        read = READERS.get(data["format"])
        if read is None:
            raise PlanFormatError(
                f"the plan has format {data['format']}, this release reads {', '.join(map(str, READERS))}: "
                "upgrade Airloom"
            )
        return read(data)


def nodes_of(plan: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return every node of a plan in JSON by its id, those in bodies too."""
    nodes = dict(plan["nodes"])
    for node in plan["nodes"].values():
        if node.get("body") is not None:
            nodes |= nodes_of(node["body"])
    return nodes


def functions_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of the files of all users' functions that a plan in JSON names, by the functions' names."""
    return {function: file for node in nodes_of(plan).values() for function, file in node.get("functions", {}).items()}


def _read_1(data: Mapping[str, Any]) -> Plan:
    """Read format 1: effects that are roles now, and one exit a step."""
    nodes = {}
    for identifier, node in data["nodes"].items():
        role = {"control": "choice", "config": "config"}.get(node["effect"], "work")
        effect = node["effect"] if role == "work" else "pure"
        nodes[identifier] = _node(identifier, {**node, "effect": effect, "role": role})
    steps = tuple(_step({**step, "exits": [step["nodes"][-1]]}) for step in data["steps"])
    return Plan(nodes, steps, _gates(data), _labels(data), data.get("version", 0))


def _read_2(data: Mapping[str, Any]) -> Plan:
    return Plan(
        {identifier: _node(identifier, node) for identifier, node in data["nodes"].items()},
        tuple(_step(step) for step in data["steps"]),
        _gates(data),
        _labels(data),
        data["version"],
        data["result"],
        {trigger: tuple(nodes) for trigger, nodes in data["triggers"].items()},
        data["interface"],
        data["interfaces"],
        data.get("values", {}),
    )


READERS: Mapping[int, Callable[[Mapping[str, Any]], Plan]] = {1: _read_1, 2: _read_2}
"""What reads each format."""


def _gates(data: Mapping[str, Any]) -> tuple[Gate, ...]:
    return tuple(Gate(**gate) for gate in data["gates"])


def _labels(data: Mapping[str, Any]) -> tuple[Label, ...]:
    return tuple(Label(label["from"], label["to"], label["label"]) for label in data["labels"])


def _node(identifier: str, data: Mapping[str, Any]) -> PlanNode:
    body = data.get("body")
    return PlanNode(
        id=identifier,
        **{
            **data,
            "inputs": tuple(PlanInput(**{**item, "sources": tuple(item["sources"])}) for item in data["inputs"]),
            "outputs": tuple(PlanOutput(**item) for item in data["outputs"]),
            "columns": {name: tuple((c, t) for c, t in columns) for name, columns in data["columns"].items()},
            "after": tuple(data.get("after", ())),
            "body": None if body is None else _read_2(body),
        },
    )


def _step(data: Mapping[str, Any]) -> PlanStep:
    return PlanStep(
        **{
            **data,
            "nodes": tuple(data["nodes"]),
            "upstream": tuple(data["upstream"]),
            "reads": tuple(data["reads"]),
            "follow": {port: tuple(tasks) for port, tasks in data["follow"].items()},
            "exits": tuple(data["exits"]),
        }
    )


def _json(value: Any, leave_out: str = "") -> dict[str, Any]:
    return {item.name: _plain(getattr(value, item.name)) for item in fields(value) if item.name != leave_out}


def _plain(value: Any) -> Any:
    if isinstance(value, Plan):
        return value.to_json()
    if isinstance(value, PlanInput | PlanOutput):
        return _json(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
