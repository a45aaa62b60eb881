"""Running a whole plan here and now, without Airflow and without a store: what `airloom try` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from airloom.plan.plan import Plan, PlanStep
from airloom.runtime.local import LocalSurroundings
from airloom.runtime.results import NodeResult
from airloom.runtime.step import Workplace


def run_pipeline(
    plan: Plan,
    workplace: Workplace,
    surroundings: LocalSurroundings,
    skip: Callable[[str], bool] = lambda node: False,
    pinned: Mapping[str, NodeResult] | None = None,
) -> Iterator[tuple[str, NodeResult]]:
    """Run the steps in order and yield each node's result.

    A step whose exits `skip` names is not run, and of one without exits not the nodes that it names; one whose exits
    are `pinned` is not run either, and has those results.
    """
    for step in plan.steps:
        leaving = step.exits or step.nodes
        if pinned and all(node in pinned for node in leaving):
            results = {node: pinned[node] for node in leaving}
        elif all(skip(node) for node in leaving) or _stopped(plan, step, surroundings):
            results = {node: NodeResult("not_run") for node in step.nodes}
        else:
            results = workplace.run(plan, step.id, surroundings, skip).nodes
        surroundings.results.update(results)
        yield from results.items()


def _stopped(plan: Plan, step: PlanStep, surroundings: LocalSurroundings) -> bool:
    # As Airflow does: nothing below a failure that nobody handles, or below what was not run, starts.
    after = (source for node in step.nodes for source in plan.nodes[node].after)
    sources = {source.partition(".")[0] for source in (*step.reads, *after)}
    results = [surroundings.results[node] for node in sources if plan.nodes[node].step not in ("", step.id)]
    return any(result.outcome.unhandled for result in results)
