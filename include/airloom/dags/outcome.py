"""What a step's results mean for its task: what XCom keeps, whether the task fails or is skipped, what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.plan.plan import FAILED, SKIPPED, SUCCESS, Plan, PlanStep
from airloom.plan.rule import fired_ports
from airloom.spec.error import TransientError

if TYPE_CHECKING:
    from airloom.runtime.step import NodeResult

# Faults of these types fail again with the same input.
FINAL_FAILURES = ("configuration", "data")
NULL = {"kind": "object", "value": None}


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


def outcome_of(plan: Plan, step: PlanStep, results: Mapping[str, NodeResult], last_attempt: bool) -> Outcome:
    """Settle the results of a step's nodes.

    A failure that no further attempt can mend fires what the one rule says (the error port; with `on_error: continue`
    the node's ports, null to their readers); one that fires nothing fails the task.
    """
    values: dict[str, Any] = {}
    failure: dict[str, Any] | None = None
    leaving: list[str] = []
    for node, result in results.items():
        fired, outputs = list(result.fired), dict(result.outputs)
        if result.state == FAILED:
            error = result.error or {}
            final = last_attempt or error.get("failure") in FINAL_FAILURES
            fired = list(fired_ports(plan.nodes[node], failed=True)) if final else []
            # The error itself is kept under the key that the reference of the error port would have.
            outputs = {port: NULL for port in fired if port != "error"}
            values[f"{node}.error"] = error
            if not fired and failure is None:
                failure = error
        values |= {f"{node}.{port}": reference for port, reference in outputs.items()}
        if result.state == SUCCESS or fired:
            values[f"{node}.fired"] = fired
        if result.statistics:
            values[f"{node}.statistics"] = result.statistics
        leaving += [f"{node}.{port}" for port in fired]
    exit_result = results.get(step.exit)
    return Outcome(
        values=values,
        failure=failure,
        skipped=exit_result is not None and exit_result.state == SKIPPED,
        followed=sorted({task for port in leaving for task in step.follow.get(port, ())}),
    )


def error_text(error: Mapping[str, Any]) -> str:
    """Return the line that a task fails with."""
    node = f"node {error['node']!r}: " if error.get("node") else ""
    return f"{node}{error.get('message', 'failed')}" + (f" Hint: {error['hint']}" if error.get("hint") else "")
