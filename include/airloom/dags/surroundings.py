"""What a step may ask of Airflow while it runs: references of earlier nodes, parameters, facts, Connections."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airloom.dags.outcome import SHARE
from airloom.dags.xcom import unpacked
from airloom.nodes.context import RunFacts
from airloom.plan.plan import FAILED, GROUP, INNER, SUCCESS
from airloom.runtime.redactor import Redactor
from airloom.runtime.results import Call, Called, Ending
from airloom.runtime.upstream import Handed, inputs_of
from airloom.spec.connection import how_to_make
from airloom.spec.error import ConfigurationError, SystemFault
from airloom.spec.expression import View
from airloom.spec.node_file import NodeFile
from airloom.spec.params import as_expression_values

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.plan.plan import Plan, PlanStep
    from airloom.runtime.upstream import Upstream

CALL = "call"
"""The key of what a task keeps of the run that it has called for."""


class TaskSurroundings:
    """Answer the runtime's questions from the task's run; each answer is looked up when it is asked for."""

    sample_rows: int | None = None
    outer: Upstream | None = None

    def __init__(self, context: Context, document: Mapping[str, Any], plan: Plan) -> None:
        self._context = context
        self._task: Any = context["ti"]
        self._plan = plan
        self._kinds = {step.id: step.kind for step in plan.steps}
        self._fired: dict[str, list[str] | None] = {}
        self._entries: dict[str, dict[str, dict[str, Any]]] = {}
        # Not the operator's: Airflow copies what that says to the log of the executor before any secret is masked.
        self.log = logging.getLogger("airloom.run")
        self.redactor = Redactor()
        schemas = document.get("params", {})
        self.params: Mapping[str, Any] = as_expression_values(
            schemas, {name: context["params"][name] for name in schemas}
        )
        # What started the run, where something but the clock or a person did.
        self.trigger: Mapping[str, Any] | None = ((context["dag_run"].conf or {}).get("airloom") or {}).get("trigger")
        self.run = _run_facts(self._task, context["dag_run"], document)
        self.caller: Mapping[str, str] | None = ((context["dag_run"].conf or {}).get("airloom") or {}).get("caller")
        """The task of another run that has called for this one, if one has."""
        inputs = inputs_of(document)
        handed = View(inputs, lambda name: self._handed.get(name, inputs[name])) if self.caller else inputs
        self.given: Mapping[str, Mapping[str, Any]] = {"inputs": handed}

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port of an earlier node gave, or None where the port did not fire."""
        if port != "error":
            return unpacked(self._pull(node, port))
        if "error" not in (self.fired(node) or []):
            return None
        # The trace is for who repairs nodes, not for the nodes that follow.
        return {"kind": "object", "value": {**self._pull(node, "error"), "trace": None}}

    def fired(self, node: str) -> list[str] | None:
        """Return the ports that an earlier node fired, or None where it did not run."""
        if node not in self._fired:
            self._fired[node] = self._pull(node, "fired")
        return self._fired[node]

    def connection(self, name: str) -> Any:
        """Return an Airflow Connection; raise ConfigurationError where there is none of that name."""
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowNotFoundException
        from airflow.sdk.log import mask_secret

        try:
            connection = Connection.get(name)
        except AirflowNotFoundException:
            raise ConfigurationError(f"there is no Connection {name!r}", hint=how_to_make(name)) from None
        for secret in self.redactor.learn(connection):
            mask_secret(secret)  # in what Airflow itself logs and shows
        return connection

    def node_file(self, digest: str) -> NodeFile | None:
        """Return the user's file of node types that has this hash, or None where the store does not know it."""
        from airloom.dags.bundle import task_database_url
        from airloom.store.lookup import node_file

        return node_file(task_database_url(), digest)

    @functools.cached_property
    def _handed(self) -> Mapping[str, Handed]:
        """Return what the caller hands over; its call has to name this run, so that nobody reads another's."""
        caller = self.caller or {}
        call = self._task.xcom_pull(
            dag_id=caller.get("pipeline"), run_id=caller.get("run_id"), task_ids=caller.get("task"), key=CALL
        )
        ours = (self.run.pipeline, self.run.run_id)
        if not isinstance(call, dict) or (call.get("pipeline"), call.get("run_id")) != ours:
            raise ConfigurationError("the run that called for this one does not know of it", hint="start it anew")
        return {name: Handed(unpacked(reference) or {}) for name, reference in call["inputs"].items()}

    def call(self, call: Call) -> Called:
        """Raise SystemFault: only a task of its own runs another pipeline."""
        raise SystemFault(f"the step of node {call.node!r} runs no other pipeline")

    def ending(self) -> Ending:
        """Return how the tasks before this one ended, and the first error that one of them left."""
        states = self._task.get_task_states(self._task.dag_id, run_ids=[self._task.run_id]).get(self._task.run_id, {})
        failed = [task for task, state in states.items() if state == "failed"]
        if not failed:
            return Ending(FAILED if "upstream_failed" in states.values() else SUCCESS)
        step_of = {task: step.id for step in self._plan.steps for task in step.tasks}
        for node in self._plan.nodes.values():
            for task in (task for task in failed if step_of.get(task) == node.step):
                error = self._task.xcom_pull(task_ids=task, key=f"{node.id}.error")
                if error and self.fired(node.id) is None:
                    return Ending(FAILED, {**error, "trace": None})
        # A task that was killed, or that a person marked as failed, left no error.
        nodes = [node.id for node in self._plan.nodes.values() if node.step == step_of.get(failed[0])]
        lost = SystemFault(f"task {failed[0]!r} failed without an error", node=nodes[0] if len(nodes) == 1 else None)
        return Ending(FAILED, {**lost.to_json(), "trace": None})

    def shares(self, step: PlanStep) -> list[dict[str, Any]]:
        """Return what the tasks kept that share the items of a loop, in their order."""
        return [self._task.xcom_pull(task_ids=task, key=SHARE) for task in step.first_tasks]

    def _pull(self, node: str, key: str) -> Any:
        task = self._plan.nodes[node].step
        if key != "error" and self._kinds[task] == GROUP:
            return self._inner(task).get(node, {}).get(key)
        # Asked for one map index, Airflow logs an error for each value that is not there: a port that did not fire.
        return self._task.xcom_pull(task_ids=task, key=f"{node}.{key}")

    def _inner(self, task: str) -> dict[str, dict[str, Any]]:
        if task not in self._entries:
            self._entries[task] = self._task.xcom_pull(task_ids=task, key=f"{task}.{INNER}") or {}
        return self._entries[task]


def index_path(map_index: int | None) -> str:
    """Return the index path of a task of Airflow, which numbers mapped tasks from 0 and says -1 of any other."""
    return str(map_index) if map_index is not None and map_index >= 0 else ""


def _run_facts(task: Any, run: Any, document: Mapping[str, Any]) -> RunFacts:
    return RunFacts(
        pipeline=task.dag_id,
        run_id=task.run_id,
        index=index_path(task.map_index),
        attempt=task.try_number,
        # Airflow counts attempts on when a task is cleared, and then allows its retries anew.
        first_attempt=max(1, task.max_tries - task.task.retries + 1),
        last_attempt=task.try_number > task.max_tries,
        # A run that a person starts has no logical date; what it has is the time from which it may run.
        logical_date=run.logical_date or run.run_after,
        started_at=run.start_date,
        schedule=document.get("schedule"),
    )
