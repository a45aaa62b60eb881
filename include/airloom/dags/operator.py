"""The one operator of pipelines: runs a step's nodes, hands references on, and chooses what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BranchMixIn
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from airloom.plan.plan import FINALLY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.dags.outcome import Outcome
    from airloom.dags.surroundings import TaskSurroundings
    from airloom.plan.plan import Plan, PlanNode, PlanStep
    from airloom.runtime.results import NodeResult
    from airloom.runtime.step import Workplace


class NodeFailed(AirflowException):
    """Raise when a step failed in a way that another attempt may cure."""


class NodeOperator(BaseOperator, BranchMixIn):
    """Run the nodes of one step of a pipeline.

    XCom keys are `<node>.<port>` (a reference) and `<node>.error`; of an exit also `<node>.fired` and
    `<node>.statistics`, and of all other nodes these two in one entry, `<step>.inner`. `config` and `sql` are for
    people to read: the runtime renders each node's configuration just before the node runs, in a sandbox over five
    names, and the Rendered Template tab then shows what it made of it.
    """

    template_fields = ("config", "sql")
    template_fields_renderers = {"config": "json", "sql": "sql"}
    overwrite_rtif_after_execution = True
    ui_color = "#e8f1fb"

    def __init__(
        self,
        *,
        document: dict[str, Any],
        plan: Plan,
        step: PlanStep,
        config: dict[str, Any],
        sql: str | None = None,
        type_name: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.document = document
        self.plan = plan
        self.config = config
        self.sql = sql
        self.chooses = step.chooses
        self.step_id = step.id
        self.custom_operator_name = type_name

    @property
    def inherits_from_skipmixin(self) -> bool:
        """Tell the scheduler whether it has to look for tasks that this one skipped."""
        return self.chooses

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Leave the fields as they are written: the runtime renders, so that its errors reach the error port."""

    def execute(self, context: Context) -> None:
        """Run the step; keep what its nodes gave; skip the tasks that no fired port leads to."""
        from dataclasses import replace

        from airloom.dags.outcome import FINAL_FAILURES, line_of
        from airloom.dags.partial import partial_run, with_step
        from airloom.runtime.results import error_text
        from airloom.runtime.step import Workplace
        from airloom.spec.configuration import configuration

        _end_with_supervisor()
        correlation_id = ((context["dag_run"].conf or {}).get("airloom") or {}).get("correlation_id")
        if correlation_id is not None:
            self.log.info("correlation_id=%s", correlation_id)
        plan = self.plan
        step = plan.step(self.step_id)
        surroundings = self.surroundings(context)
        workplace = Workplace(self.document, configuration())
        beside: dict[str, NodeResult] = {}
        if (partial := partial_run(context)) is not None:
            beside, whole = partial.results_of(step), step
            step = partial.step(step, plan)
            plan = with_step(plan, step)
            surroundings.run = replace(surroundings.run, logical_date=partial.date or surroundings.run.logical_date)
        try:
            results = self.run_step(workplace, plan, surroundings, beside) if step.nodes else {}
        except AirflowTaskTimeout:
            self.on_kill()
            stopped = step.exits or (workplace.at_work,)
            results = workplace.ended if not step.exits else {}
            results |= {node: self._timed_out(plan.nodes[node], surroundings.run.last_attempt) for node in stopped}
        if partial is not None:
            step, results = step if step.nodes else whole, {**beside, **partial.checked(results)}
        outcome = self.outcome(step, results, surroundings)
        for node, result in results.items():
            self.log.info(line_of(plan.nodes[node], result))
            # Airflow logs the one that fails the task.
            if result.error is not None and result.error is not outcome.failure:
                self.log.error(error_text(result.error))
        self._show(results)
        for key, value in outcome.values.items():
            context["ti"].xcom_push(key=key, value=value)
        if outcome.failure is not None:
            # A step without exits has tried its nodes again itself.
            final = outcome.failure.get("failure") in FINAL_FAILURES or not step.exits
            raise (AirflowFailException if final else NodeFailed)(error_text(outcome.failure))
        if outcome.skipped:
            raise AirflowSkipException("nothing leads to this step in this run")
        if self.chooses:
            last = [task.id for task in plan.steps if task.kind == FINALLY]
            first = {task.id: task.first_tasks for task in plan.steps}
            followed = [task for follower in outcome.followed for task in first.get(follower, (follower,))]
            self.skip_all_except(context["ti"], [*followed, *last])

    def run_step(
        self, workplace: Workplace, plan: Plan, surroundings: TaskSurroundings, beside: dict[str, NodeResult]
    ) -> dict[str, NodeResult]:
        """Run the nodes of the step; `beside` are the results of those that it has in a run of the whole alone."""
        return workplace.run(plan, self.step_id, surroundings, beside=beside).nodes

    def outcome(self, step: PlanStep, results: dict[str, NodeResult], surroundings: TaskSurroundings) -> Outcome:
        """Return what the task does."""
        from airloom.dags.outcome import outcome_of

        called = self.document if surroundings.caller is not None else None
        return outcome_of(step, results, called)

    def surroundings(self, context: Context) -> TaskSurroundings:
        """Return what the step may ask of Airflow."""
        from airloom.dags.surroundings import TaskSurroundings

        return TaskSurroundings(context, self.document, self.plan)

    def on_kill(self) -> None:
        """End the processes that run this step's queries: they would outlive a task that is only asked to stop."""
        from airloom.engine.child import end_children

        end_children()

    def _show(self, results: dict[str, NodeResult]) -> None:
        rendered = {node: result.rendered for node, result in results.items() if result.rendered is not None}
        self.config = {**self.config, **rendered}

    def _timed_out(self, node: PlanNode, last_attempt: bool) -> NodeResult:
        from airloom.dags.outcome import StepTimeout
        from airloom.plan.rule import fired_ports, handles_failure
        from airloom.runtime.results import FAILED, NodeResult

        error = StepTimeout(
            f"stopped, for it took longer than its timeout of {self.execution_timeout}",
            node=node.id,
            hint="raise the timeout of the node, or that of the pipeline's settings",
        )
        fired = list(fired_ports(node, failed=True)) if last_attempt else []
        outputs = {port: {"kind": "any", "value": None} for port in fired}
        handled = last_attempt and handles_failure(node)
        return NodeResult(FAILED, fired=fired, handled=handled, outputs=outputs, error=error.to_json())


def _end_with_supervisor() -> None:
    """Let this process end with the one that watches it: nobody would take its result, and a retry does its work."""
    from airflow.sdk.execution_time import comms, task_runner

    from airloom.engine.child import die_with_parent

    # `dag.test()` runs tasks in the user's own process.
    if isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), comms.CommsDecoder):
        die_with_parent()
