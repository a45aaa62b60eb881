"""What a step may ask of Airflow while it runs: references of earlier nodes, parameters, facts, Connections."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airloom.dags.xcom import unpacked
from airloom.nodes.context import RunFacts
from airloom.spec.error import ConfigurationError
from airloom.spec.params import as_expression_values

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airloom.plan.plan import Plan


class TaskSurroundings:
    """Answer the runtime's questions from the task's run; each answer is looked up when it is asked for."""

    sample_rows: int | None = None

    def __init__(self, context: Context, document: Mapping[str, Any], plan: Plan, log: Any) -> None:
        self._context = context
        self._task: Any = context["ti"]
        self._plan = plan
        self._fired: dict[str, list[str] | None] = {}
        self.log: logging.Logger = log
        schemas = document.get("params", {})
        self.params: Mapping[str, Any] = as_expression_values(
            schemas, {name: context["params"][name] for name in schemas}
        )
        # What started the run, where something but the clock or a person did.
        self.trigger: Mapping[str, Any] | None = ((context["dag_run"].conf or {}).get("airloom") or {}).get("trigger")
        self.run = _run_facts(self._task, context["dag_run"])

    def reference(self, node: str, port: str) -> dict[str, Any] | None:
        """Return the reference that a port of an earlier node gave, or None where the port did not fire."""
        if port != "error":
            return unpacked(self._pull(node, port))
        if "error" not in (self.fired(node) or []):
            return None
        # The trace is for who mends nodes, not for the nodes that follow.
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

        try:
            return Connection.get(name)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"there is no Connection {name!r}", hint="make it in Airflow under Admin, Connections"
            ) from None

    def _pull(self, node: str, key: str) -> Any:
        task = self._plan.nodes[node].step
        # Asked for one map index, Airflow logs an error for each value that is not there: a port that did not fire.
        return self._task.xcom_pull(task_ids=task, key=f"{node}.{key}")


def _run_facts(task: Any, run: Any) -> RunFacts:
    return RunFacts(
        pipeline=task.dag_id,
        run_id=task.run_id,
        map_index=task.map_index if task.map_index is not None else -1,
        attempt=task.try_number,
        # Airflow counts attempts on when a task is cleared, and then allows its retries anew.
        first_attempt=max(1, task.max_tries - task.task.retries + 1),
        last_attempt=task.try_number > task.max_tries,
        # A run that a person starts has no logical date; what it has is the time from which it may run.
        logical_date=run.logical_date or run.run_after,
        started_at=run.start_date,
    )
