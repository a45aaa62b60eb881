"""A loop whose items several tasks share: what each of them does, and the task behind them that gives the results."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airloom.dags.operator import NodeOperator
from airloom.dags.outcome import SHARE, Outcome

if TYPE_CHECKING:
    from airloom.dags.surroundings import TaskSurroundings
    from airloom.plan.plan import Plan, PlanStep
    from airloom.runtime.results import NodeResult
    from airloom.runtime.step import Workplace


class ShareOperator(NodeOperator):
    """Work through the items of one share. What the node gives, the task behind all shares says."""

    def __init__(self, *, number: int, step: PlanStep, **kwargs: Any) -> None:
        super().__init__(step=step, **kwargs)
        self.number = number
        self.shares = step.parallel
        self.chooses = False

    def run_step(
        self, workplace: Workplace, plan: Plan, surroundings: TaskSurroundings, beside: dict[str, NodeResult]
    ) -> dict[str, NodeResult]:
        """Run the node for the items of this share."""
        from airloom.runtime.loop import Share

        share = Share(self.number, self.shares)
        return workplace.run(plan, self.step_id, surroundings, share=share).nodes

    def outcome(self, step: PlanStep, results: dict[str, NodeResult], surroundings: TaskSurroundings) -> Outcome:
        """Return what the task does; a failure that an edge or `on_error` takes is left to the task behind it."""
        outcome = super().outcome(step, results, surroundings)
        if outcome.failure is not None or outcome.skipped:
            return outcome
        share: dict[str, Any] = {"attempt": surroundings.run.first_attempt}
        for result in results.values():
            if result.handled:
                share["failed"] = asdict(result)
        return Outcome({SHARE: share})


class CollectOperator(NodeOperator):
    """Give what the tasks have done that share the items of a loop."""

    def run_step(
        self, workplace: Workplace, plan: Plan, surroundings: TaskSurroundings, beside: dict[str, NodeResult]
    ) -> dict[str, NodeResult]:
        """Return the result of the node: the first failure of a share that is handled, or what all shares have done."""
        from airloom.runtime.results import NodeResult

        step = plan.step(self.step_id)
        shares = surroundings.shares(step)
        for share in shares:
            if "failed" in share:
                return {step.nodes[0]: NodeResult(**share["failed"])}
        # An item that has failed for good fails no less in another attempt of this task.
        surroundings.run = replace(surroundings.run, last_attempt=True)
        attempts = [share["attempt"] for share in shares]
        return workplace.run(plan, self.step_id, surroundings, share=attempts).nodes
