"""What a step's results mean for its task: what XCom keeps, whether the task fails or is skipped, what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.dags.xcom import packed
from airloom.plan.plan import FAILED, SKIPPED, SUCCESS, PlanStep
from airloom.spec.error import TransientError

if TYPE_CHECKING:
    from airloom.runtime.results import NodeResult

# Faults of these types fail again with the same input.
FINAL_FAILURES = ("configuration", "data")


class StepTimeout(TransientError):
    """Raise when a step was stopped because it took longer than its timeout."""

    code = "timeout"


@dataclass(frozen=True)
class Outcome:
    """Say what the task does: push `values`, then fail with `failure`, or be skipped, or let `followed` run."""

    values: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] | None = None
    skipped: bool = False
    followed: list[str] = field(default_factory=list)


def outcome_of(step: PlanStep, results: Mapping[str, NodeResult]) -> Outcome:
    """Settle the results of a step's nodes: a failure that nothing handles fails the task."""
    values: dict[str, Any] = {}
    failure: dict[str, Any] | None = None
    for node, result in results.items():
        # A failed node's error is kept as it is, under the key that the reference of its error port would have.
        values |= {f"{node}.{port}": packed(reference) for port, reference in result.outputs.items() if port != "error"}
        if result.error is not None:
            values[f"{node}.error"] = result.error
        if result.state == SUCCESS or result.handled:
            values[f"{node}.fired"] = result.fired
        if result.statistics:
            values[f"{node}.statistics"] = result.statistics
        if result.state == FAILED and not result.handled:
            failure = failure or result.error
    exit_result = results.get(step.exit)
    fired = exit_result.fired if exit_result is not None else []
    return Outcome(
        values=values,
        failure=failure,
        skipped=exit_result is not None and exit_result.state == SKIPPED,
        followed=sorted({task for port in fired for task in step.follow.get(f"{step.exit}.{port}", ())}),
    )


def error_text(error: Mapping[str, Any]) -> str:
    """Return the line that a task fails with."""
    node = f"node {error['node']!r}: " if error.get("node") else ""
    return f"{node}{error['message']}" + (f" Hint: {error['hint']}" if error.get("hint") else "")
