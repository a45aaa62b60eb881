"""What a step's results mean for its task: what XCom keeps, whether the task fails or is skipped, what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airloom.dags.xcom import packed
from airloom.plan.plan import FAILED, INNER, SKIPPED, SUCCESS, PlanNode, PlanStep
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


SHARE = "share"
"""The key of what a task keeps that has worked through its items: its first attempt, and a failure that is handled."""
OUTPUTS, FAILURE = "outputs", "failure"
"""The keys of what a run that another one has called leaves for it: outputs of the pipeline, and what failed."""


def outcome_of(step: PlanStep, results: Mapping[str, NodeResult], called: Mapping[str, Any] | None = None) -> Outcome:
    """Settle the results of a step's nodes: a failure that nothing handles fails the task.

    `called` is the document of the run where another run waits for its outputs.
    """
    values: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    failure: dict[str, Any] | None = None
    for node, result in results.items():
        # A failed node's error is kept as it is, under the key that the reference of its error port would have.
        entries: dict[str, Any] = {
            port: packed(reference) for port, reference in result.outputs.items() if port != "error"
        }
        if result.error is not None:
            values[f"{node}.error"] = result.error
        if result.state == SUCCESS or result.handled:
            entries["fired"] = result.fired
        if result.statistics:
            entries["statistics"] = result.statistics
        if node in step.exits:
            values |= {f"{node}.{key}": value for key, value in entries.items()}
        elif entries:
            inner[node] = entries
        if result.state == FAILED and not result.handled:
            failure = failure or result.error
    if inner:
        values[f"{step.id}.{INNER}"] = inner
    if called is not None:
        if outputs := _outputs(called, results):
            values[OUTPUTS] = outputs
        if failure is not None:
            values[FAILURE] = {**failure, "trace": None}
    exits = {node: results[node] for node in step.exits if node in results}
    return Outcome(
        values=values,
        failure=failure,
        skipped=bool(exits) and all(result.state == SKIPPED for result in exits.values()),
        followed=sorted(
            {
                task
                for node, result in exits.items()
                for port in result.fired
                for task in step.follow.get(f"{node}.{port}", ())
            }
        ),
    )


def _outputs(document: Mapping[str, Any], results: Mapping[str, NodeResult]) -> dict[str, Any]:
    """Return the outputs of the pipeline that these results hold, by name."""
    outputs = {}
    for name, end in document.get("outputs", {}).items():
        node, _, port = end.partition(".")
        references = results[node].outputs if node in results else {}
        reference = references.get(port) if port else next(iter(references.values()), None)
        if reference is not None:
            outputs[name] = packed(reference)
    return outputs


def line_of(node: PlanNode, result: NodeResult) -> str:
    """Return the line that a task's log has about a node: how it ended, rows, where to, seconds."""
    counts = {port: count for port, count in (result.statistics.get("rows") or {}).items() if count is not None}
    facts = [
        f"{count:,} {'row' if count == 1 else 'rows'}{f' at {port}' if len(counts) > 1 else ''}"
        for port, count in counts.items()
    ]
    written = result.outputs.get("done", {}).get("value")
    if facts and isinstance(written, dict) and "target" in written:
        facts[0] += f" to {written['target']}"
    if node.role == "choice" and result.state == SUCCESS:
        facts.append(f"chose {', '.join(result.fired) or 'no port'}")
    if "seconds" in result.statistics:
        facts.append(f"{result.statistics['seconds']} s")
    return ", ".join([f"node {node.id}: {result.state}", *facts])
