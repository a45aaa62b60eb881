"""What people do to runs that are there: cancel one, retry what failed in it, delete it.

For processes that Airflow lets into its database, as `airloom.dags.platform`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airloom.dags.runs import RunState, run_of, run_state
from airloom.dags.surroundings import CALL
from airloom.engine.data_folder import DataFolder
from airloom.plan.plan import FINALLY
from airloom.spec.configuration import configuration
from airloom.spec.error import ConfigurationError
from airloom.store.records import ConflictError, NewEvent, NotFound

if TYPE_CHECKING:
    from airloom.store.store import Store

Result = TypeVar("Result")
NOT_STARTED = (None, "scheduled", "queued", "up_for_retry", "up_for_reschedule")
"""The states of tasks that have not begun, or wait for another try."""


def cancel_run(pipeline: str, run_id: str) -> RunState:
    """End a run as failed: its tasks at work stop within seconds, and those that wait are skipped.

    So do the runs of other pipelines that it waits for. Raises NotFound where Airflow knows no such run, ConflictError
    where it has ended.
    """
    from airflow.api_fastapi.core_api.datamodels.dag_run import DagRunMutableStates
    from airflow.api_fastapi.core_api.services.public.dag_run import patch_dag_run_state

    if run_of(pipeline, run_id).ended:
        raise ConflictError(f"run {run_id!r} of pipeline {pipeline!r} has ended", hint="there is nothing to cancel")

    def cancel(session: Any) -> list[tuple[str, str]]:
        run, dag = _run_and_dag(session, pipeline, run_id)
        waiting = {task.task_id for task in run.get_task_instances(session=session) if task.state in NOT_STARTED}
        called = _called(session, run)
        patch_dag_run_state(dag=dag, dag_run=run, state=DagRunMutableStates.FAILED, session=session)
        if dag.has_task(FINALLY):
            # It runs yet, and the run then has the state of the last tasks before it: that of a skipped one is success.
            for task in run.get_task_instances(session=session):
                if task.task_id in waiting and task.state == "skipped":
                    task.set_state("upstream_failed", session=session)
        return called

    for other, other_id in _changed(cancel):
        with contextlib.suppress(ConflictError, NotFound):  # it has ended meanwhile, or not begun
            cancel_run(other, other_id)
    return run_of(pipeline, run_id)


def _called(session: Any, run: Any) -> list[tuple[str, str]]:
    """Return pipeline and id of the runs that tasks of this one wait for, by what these tasks themselves keep."""
    from airflow.models.xcom import XComModel
    from airflow.utils.state import State
    from sqlalchemy import select

    at_work = {task.task_id for task in run.get_task_instances(session=session) if task.state not in State.finished}
    query = select(XComModel).where(
        XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id, XComModel.key == CALL
    )
    calls = [XComModel.deserialize_value(row) for row in session.scalars(query) if row.task_id in at_work]
    return [(call["pipeline"], call["run_id"]) for call in calls if call.get("waits")]


def retry_from(pipeline: str, run_id: str, tasks: Collection[str]) -> list[str]:
    """Run tasks of a run that has ended again, by the run's own version, and all behind them; return all their ids.

    Raises NotFound where Airflow knows no such run or tasks, ConflictError where the run has not ended.
    """
    run = run_of(pipeline, run_id)
    if not run.ended:
        raise ConflictError(f"run {run_id!r} of pipeline {pipeline!r} is {run.state}", hint="wait for its end")

    def clear(session: Any) -> list[str]:
        run_of_dag, dag = _run_and_dag(session, pipeline, run_id)
        if unknown := [task for task in tasks if not dag.has_task(task)]:
            raise NotFound(f"run {run_id!r} of pipeline {pipeline!r} has no task {unknown[0]!r}")
        behind = {follower for task in tasks for follower in dag.get_task(task).get_flat_relative_ids(upstream=False)}
        cleared = sorted({*tasks, *behind})
        dag.clear(task_ids=cleared, run_id=run_of_dag.run_id, session=session)
        return cleared

    return _changed(clear)


def retry_run(pipeline: str, run_id: str) -> list[str]:
    """Let a failed run go on from where it failed, by its own version; return the ids of the tasks that run again.

    They are those that failed or did not run, and all behind them; what ended well stays. Raises NotFound where Airflow
    knows no such run, ConflictError where it has not failed.
    """
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    state = run_of(pipeline, run_id).state
    if state != "failed":
        raise ConflictError(f"run {run_id!r} of pipeline {pipeline!r} is {state}", hint="only a failed run is retried")

    def clear(session: Any) -> list[str]:
        run, dag = _run_and_dag(session, pipeline, run_id)
        states = session.execute(
            select(TaskInstance.task_id, TaskInstance.state).where(
                TaskInstance.dag_id == pipeline, TaskInstance.run_id == run_id
            )
        )
        known = {task: state for task, state in states if dag.has_task(task)}
        failed = {task for task, state in known.items() if state in ("failed", "upstream_failed")}
        behind = {follower for task in failed for follower in dag.get_task(task).get_flat_relative_ids(upstream=False)}
        # A cancelled run has skipped what waited; what a choice skipped is skipped again.
        skipped = {task for task, state in known.items() if state in ("skipped", "removed") or state is None}
        tasks = sorted((failed | behind | skipped) & known.keys())
        dag.clear(task_ids=tasks, run_id=run.run_id, session=session)
        return tasks

    return _changed(clear)


def delete_run(store: Store, pipeline: str, run_id: str) -> None:
    """Delete a run that has ended, its data, and all that is known of it.

    Raises NotFound where neither Airflow nor the store knows it, ConflictError where it has not ended.
    """
    from airflow.utils.session import create_session

    state = run_state(pipeline, run_id)
    if state is None and store.runs.get(pipeline, run_id) is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}")
    if state is not None:
        if not state.ended:
            raise ConflictError(
                f"run {run_id!r} of pipeline {pipeline!r} is {state.state}", hint="cancel it first, or wait for its end"
            )
        with create_session(scoped=False) as session:
            session.delete(_run(session, pipeline, run_id))
    # Airflow first, the store last: what is cut short in between is found again, and ended by a second call.
    DataFolder(configuration().data_url).remove_run(pipeline, run_id)
    store.node_runs.remove(pipeline, run_id)
    store.runs.remove(pipeline, run_id)
    store.feed.add([NewEvent("runs", "deleted", pipeline, run_id)])


def _changed(change: Callable[[Any], Result]) -> Result:
    """Return what a function returns that changes Airflow's tasks in a session, which is committed.

    It is called again where the database ended it for a deadlock: Airflow's scheduler takes the same rows in an order
    of its own.
    """
    from airflow.utils.retries import run_with_db_retries
    from airflow.utils.session import create_session

    def once() -> Result:
        with create_session(scoped=False) as session:
            return change(session)

    return cast("Result", run_with_db_retries()(once))


def _run(session: Any, pipeline: str, run_id: str) -> Any:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    run = session.scalar(select(DagRun).where(DagRun.dag_id == pipeline, DagRun.run_id == run_id))
    if run is None:
        raise NotFound(f"pipeline {pipeline!r} has no run {run_id!r}")
    return run


def _run_and_dag(session: Any, pipeline: str, run_id: str) -> tuple[Any, Any]:
    """Return a run, and its DAG as it was when the run began."""
    from airflow.models.dagbag import DBDagBag

    run = _run(session, pipeline, run_id)
    dag = DBDagBag().get_dag_for_run(run, session=session)
    if dag is None:
        raise ConfigurationError(
            f"Airflow has forgotten the DAG of run {run_id!r} of pipeline {pipeline!r}",
            hint="publish the pipeline again, and start another run",
        )
    return run, dag
