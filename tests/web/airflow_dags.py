"""Pipelines that Airflow's database has read, without a DAG processor, and their runs, without a scheduler."""

from __future__ import annotations

from typing import Any

from airloom.dags.actor import administrator
from airloom.dags.publishing import publish
from airloom.store.records import StoredVersion
from airloom.store.store import Store

Json = dict[str, Any]


def read_pipeline(store: Store, document: Json, author: str = "ann") -> StoredVersion:
    """Publish a document, and let Airflow have read it."""
    published = publish(store, document, actor=administrator(author))
    assert published.version is not None, published.problems
    let_airflow_read(published.version)
    return published.version


def let_airflow_read(version: StoredVersion) -> None:
    """Let Airflow have read a version."""
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    from airloom.dags.factory import pipeline

    dag = pipeline(version.document, version.plan)
    # Airflow keeps the text of the file; any will do.
    dag.fileloc, dag.relative_fileloc = __file__, f"{dag.dag_id}.py"
    with create_session(scoped=False) as session:
        session.merge(DagBundleModel(name="airloom"))
        session.flush()
        update_dag_parsing_results_in_db(
            "airloom", str(version.revision), [LazyDeserializedDAG.from_dag(dag)], {}, None, set(), session
        )


def set_tasks(pipeline: str, run_id: str, state: str, **tasks: str) -> None:
    """Let the run be in a state, and its tasks in theirs."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == pipeline, DagRun.run_id == run_id))
        assert run is not None
        run.set_state(state)
        found = session.scalars(
            select(TaskInstance).where(TaskInstance.dag_id == pipeline, TaskInstance.run_id == run_id)
        )
        for task in found:
            task.set_state(tasks.get(task.task_id), session=session)


def task_states(pipeline: str, run_id: str) -> dict[str, str | None]:
    """Return the states of a run's tasks in Airflow."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        rows = session.execute(
            select(TaskInstance.task_id, TaskInstance.state).where(
                TaskInstance.dag_id == pipeline, TaskInstance.run_id == run_id
            )
        )
        return {str(row[0]): None if row[1] is None else str(row[1]) for row in rows}


def conf_of(pipeline: str, run_id: str) -> Json:
    """Return what Airflow hands to the tasks of a run."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return dict(session.scalar(select(DagRun.conf).where(DagRun.dag_id == pipeline, DagRun.run_id == run_id)) or {})
