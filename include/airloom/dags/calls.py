"""Runs of other pipelines: started by a task, which then waits in the triggerer and takes what they gave."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airloom.dags.operator import NodeOperator
from airloom.dags.outcome import FAILURE, OUTPUTS
from airloom.dags.surroundings import CALL, TaskSurroundings
from airloom.dags.xcom import packed, unpacked
from airloom.runtime.results import Call, Called
from airloom.spec.error import AirloomError, ConfigurationError, SystemFault

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.plan.plan import Plan

LOOKS_EVERY = 2.0
"""Seconds between two looks at a run that somebody waits for."""
ENDED = ("success", "failed")


class PipelineOperator(NodeOperator):
    """Run the node of a step that calls another pipeline, and run it again when that has ended."""

    resumed: str | None = None

    def surroundings(self, context: Context) -> CallingSurroundings:
        """Return what the step may ask of Airflow, a run of another pipeline among it."""
        return CallingSurroundings(context, self.document, self.plan, self.execution_timeout, self.resumed)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        """Go on with the run that has ended."""
        self.resumed = event[1]["run_ids"][0]
        self.execute(context)


class CallingSurroundings(TaskSurroundings):
    """Answer the runtime's questions from the task's run, and start runs of other pipelines.

    `resumed` is the id of the run that has ended meanwhile.
    """

    def __init__(
        self, context: Context, document: dict[str, Any], plan: Plan, timeout: timedelta | None, resumed: str | None
    ) -> None:
        super().__init__(context, document, plan)
        self._timeout = timeout
        self._resumed = resumed

    def call(self, call: Call) -> Called:
        """Return what a run of the pipeline gave; start one and leave the process where none has ended yet.

        Another attempt of the task takes up the run that an earlier one has started, unless that failed.
        """
        run_id = self._resumed or self._started(call)
        if not call.waits:
            return Called(run_id)
        state = self._state(call.pipeline, run_id)
        if state not in ENDED:
            self._wait(call.pipeline, run_id)
        tasks = self._task.get_task_states(dag_id=call.pipeline, run_ids=[run_id]).get(run_id, {})
        if state == "failed":
            raise self._failure(call, run_id, [task for task, ended in tasks.items() if ended == "failed"])
        pulled = self._pulled(call.pipeline, run_id, list(tasks), OUTPUTS)
        outputs = {
            name: unpacked(reference) for outputs_of_task in pulled for name, reference in outputs_of_task.items()
        }
        return Called(run_id, {name: reference for name, reference in outputs.items() if reference is not None})

    def _started(self, call: Call) -> str:
        from airloom.engine.data_folder import DataFolder
        from airloom.runtime.progress import Done, Progress, digest
        from airloom.spec.configuration import configuration

        progress = Progress(DataFolder(configuration().data_url), replace(self.run, node=call.node), at_once=True)
        for earlier in (done.result for done in progress.earlier.values() if done.result is not None):
            if self._state(call.pipeline, earlier["run_id"]) not in (None, "failed"):
                self._keep(call, earlier["run_id"])
                return str(earlier["run_id"])
        # Nobody can know it beforehand, and so take what is handed over.
        run_id = f"called__{uuid.uuid4()}"
        progress.add(str(self.run.attempt), Done(digest(None), {"run_id": run_id}), {})
        self._keep(call, run_id)
        self._start(call, run_id)
        return run_id

    def _keep(self, call: Call, run_id: str) -> None:
        inputs = {name: packed(reference) for name, reference in call.inputs.items()}
        value = {"pipeline": call.pipeline, "run_id": run_id, "inputs": inputs, "waits": call.waits}
        self._task.xcom_push(key=CALL, value=value)

    def _start(self, call: Call, run_id: str) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import TriggerDagRun

        caller = {"pipeline": self.run.pipeline, "run_id": self.run.run_id, "task": self._task.task_id}
        try:
            paused = self._task.get_dag(call.pipeline).is_paused
            if not paused:
                conf = {**call.params, "airloom": {"caller": caller}}
                task_runner.SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=call.pipeline, run_id=run_id, conf=conf))
        except AirflowRuntimeError as error:
            raise ConfigurationError(f"Airflow did not start the pipeline {call.pipeline!r}: {error}") from None
        if paused:
            raise ConfigurationError(
                f"the pipeline {call.pipeline!r} is paused", hint=f"let it run again: airloom unpause {call.pipeline}"
            )
        self.log.info("started run %s of pipeline %s", run_id, call.pipeline)

    def _state(self, pipeline: str, run_id: str) -> str | None:
        """Return the state of a run, None where there is none."""
        # Asked for the state alone, Airflow gives the same error for a run that is not there and for any other fault.
        if self._task.get_dr_count(dag_id=pipeline, run_ids=[run_id]) == 0:
            return None
        state = self._task.get_dagrun_state(dag_id=pipeline, run_id=run_id)
        return str(getattr(state, "value", state))

    def _wait(self, pipeline: str, run_id: str) -> None:
        """Leave this process until the run has ended."""
        from airflow.providers.standard.triggers.external_task import DagStateTrigger
        from airflow.sdk.exceptions import TaskDeferred

        trigger = DagStateTrigger(pipeline, list(ENDED), run_ids=[run_id], poll_interval=LOOKS_EVERY)  # type: ignore[arg-type]
        raise TaskDeferred(trigger=trigger, method_name="execute_complete", timeout=self._timeout)

    def _failure(self, call: Call, run_id: str, failed: list[str]) -> AirloomError:
        failures = self._pulled(call.pipeline, run_id, failed, FAILURE)
        where = f"the run {run_id} of pipeline {call.pipeline!r} failed"
        if not failures:
            return SystemFault(where, hint=f"airloom logs {call.pipeline} {run_id}")
        error = AirloomError.from_json({**failures[0], "node": None, "field": None})
        error.message = f"{where} at node {failures[0]['node']!r}: {failures[0]['message']}"
        return error

    def _pulled(self, pipeline: str, run_id: str, tasks: list[str], key: str) -> list[dict[str, Any]]:
        values = [self._task.xcom_pull(dag_id=pipeline, run_id=run_id, task_ids=task, key=key) for task in tasks]
        return [value for value in values if isinstance(value, dict)]
