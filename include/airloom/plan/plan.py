"""The plan of a pipeline: pure data, kept with each version, all that compiling and running it needs.

This module is imported by every parse of a DAG: it imports the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = 1
StepKind = Literal["table", "objects", "node"]
SUCCESS, FAILED, SKIPPED, NOT_RUN = "success", "failed", "skipped", "not_run"


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
    """Hold what a node needs at run beside its config; `step` is empty for a node without a task of its own."""

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

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(output.name for output in self.outputs)


@dataclass(frozen=True)
class PlanStep:
    """Hold one Airflow task: its nodes in topological order, and its place among the others."""

    id: str
    kind: StepKind
    nodes: tuple[str, ...]
    upstream: tuple[str, ...]
    reads: tuple[str, ...]
    follow: Mapping[str, tuple[str, ...]]
    chooses: bool
    retries: int
    retry_delay: float
    timeout: float | None
    pool: str | None

    @property
    def exit(self) -> str:
        """Return the node that all others of the step lead to; only its ports leave the step."""
        return self.nodes[-1]


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
    """Hold the whole plan; `version` is the pipeline's version number, set when the store keeps it."""

    nodes: Mapping[str, PlanNode]
    steps: tuple[PlanStep, ...]
    gates: tuple[Gate, ...]
    labels: tuple[Label, ...]
    version: int = 0

    def step(self, identifier: str) -> PlanStep:
        """Return a step by its id; raise KeyError where there is none."""
        for step in self.steps:
            if step.id == identifier:
                return step
        raise KeyError(identifier)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON, the same for the same plan, byte for byte."""
        nodes = {}
        for identifier, node in self.nodes.items():
            nodes[identifier] = {key: value for key, value in asdict(node).items() if key != "id"}
        labels = [{"from": label.source, "to": label.target, "label": label.label} for label in self.labels]
        plain: dict[str, Any] = _lists(
            {
                "format": FORMAT,
                "version": self.version,
                "nodes": nodes,
                "steps": [asdict(step) for step in self.steps],
                "gates": [asdict(gate) for gate in self.gates],
                "labels": labels,
            }
        )
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_json` wrote; raise ValueError for a format of a newer release."""
        if data["format"] > FORMAT:
            raise ValueError(
                f"the plan has format {data['format']}, this release reads up to {FORMAT}: upgrade Airloom"
            )
        nodes = {identifier: _node(identifier, node) for identifier, node in data["nodes"].items()}
        steps = tuple(
            PlanStep(
                **{
                    **step,
                    "nodes": tuple(step["nodes"]),
                    "upstream": tuple(step["upstream"]),
                    "reads": tuple(step["reads"]),
                    "follow": {port: tuple(tasks) for port, tasks in step["follow"].items()},
                }
            )
            for step in data["steps"]
        )
        gates = tuple(Gate(**gate) for gate in data["gates"])
        labels = tuple(Label(label["from"], label["to"], label["label"]) for label in data["labels"])
        return cls(nodes, steps, gates, labels, data.get("version", 0))


def _node(identifier: str, data: Mapping[str, Any]) -> PlanNode:
    return PlanNode(
        id=identifier,
        **{
            **data,
            "inputs": tuple(PlanInput(**{**item, "sources": tuple(item["sources"])}) for item in data["inputs"]),
            "outputs": tuple(PlanOutput(**item) for item in data["outputs"]),
            "columns": {name: tuple((c, t) for c, t in columns) for name, columns in data["columns"].items()},
        },
    )


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_lists(item) for item in value]
    return value
