"""What a run of a part of a pipeline is to do, as the store keeps it, and what that means for one step.

Tasks import this module: it imports no more than they need in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airloom.plan.plan import FAILED, NOT_RUN, SKIPPED, SUCCESS
from airloom.runtime.results import NodeResult
from airloom.spec.error import DataError

if TYPE_CHECKING:
    from airloom.plan.plan import Plan, PlanStep

MARK = "partial"
"""What `conf.airloom` holds of such a run. It says nothing but that the store knows more: anybody may write a conf."""


@dataclass(frozen=True)
class PartialRun:
    """Say what becomes of each node, and what those that are reused have given.

    `run_id` is the run that is reused, if one is, `logical_date` is its own; `nodes` and `writes` are what was asked
    for; `files` are those that a node is to read again, as they were.
    """

    parts: Mapping[str, str]
    nodes: Mapping[str, str]
    writes: bool = False
    run_id: str | None = None
    logical_date: str | None = None
    results: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    files: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what the store keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PartialRun:
        """Read what `to_json` wrote."""
        return cls(**data)

    @property
    def date(self) -> datetime | None:
        """Return the logical date of the run that is reused."""
        return None if self.logical_date is None else datetime.fromisoformat(self.logical_date)

    def step(self, step: PlanStep, plan: Plan) -> PlanStep:
        """Return a step with the nodes that work in this run alone; it has none where the whole step does not run."""
        from airloom.plan.partial import cut

        return cut(step, plan, self.parts)

    def results_of(self, step: PlanStep) -> dict[str, NodeResult]:
        """Return how the nodes of a step that do not work end: as in the other run, or skipped."""
        from airloom.plan.partial import WORKING

        return {
            node: NodeResult(**self.results[node]) if node in self.results else NodeResult(SKIPPED)
            for node in step.nodes
            if self.parts.get(node) not in WORKING
        }

    def checked(self, results: dict[str, NodeResult]) -> dict[str, NodeResult]:
        """Return the results of a step that read again what the other run read; a failure where that is not the same.

        That the files are as they were is known before the run begins; that a pattern finds no others, only now.
        """
        for node, files in self.files.items():
            if node in results and results[node].state == SUCCESS and results[node].statistics.get("read") != files:
                error = DataError(
                    f"the node read other files than in run {self.run_id!r}, so what is reused does not go with it",
                    node=node,
                    hint=f"run from node {node!r}",
                )
                failed = NodeResult(FAILED, error={**error.to_json(), "trace": None})
                return {name: failed if name == node else NodeResult(NOT_RUN) for name in results}
        return results


def partial_run(context: Any) -> PartialRun | None:
    """Return what the run of a task is to do where that is a part of the pipeline, by the store alone."""
    run = context["dag_run"]
    if not ((run.conf or {}).get("airloom") or {}).get(MARK):
        return None
    from airloom.dags.bundle import task_database_url
    from airloom.store.lookup import run_reuse

    reuse = run_reuse(task_database_url(), run.dag_id, run.run_id)
    return None if reuse is None else PartialRun.from_json(reuse)


def with_step(plan: Plan, step: PlanStep) -> Plan:
    """Return a plan with a step in place of that of the same id."""
    return replace(plan, steps=tuple(step if other.id == step.id else other for other in plan.steps))
