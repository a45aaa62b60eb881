"""Runs in the database of Airflow that tests of this folder share."""

from __future__ import annotations

from datetime import UTC, datetime


def know_dag(pipeline: str, bundle: str = "airloom") -> None:
    """Let Airflow know a DAG of a bundle."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.merge(DagBundleModel(name=bundle))
        session.flush()
        dag = DagModel(
            dag_id=pipeline, bundle_name=bundle, fileloc="", relative_fileloc="", is_stale=False, is_paused=False
        )
        session.merge(dag)


def begin_run(pipeline: str, run_id: str = "run_1") -> None:
    """Let Airflow know an active run of a pipeline."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with create_session(scoped=False) as session:
        session.add(
            DagRun(
                dag_id=pipeline,
                run_id=run_id,
                run_type=DagRunType.MANUAL,
                run_after=datetime.now(UTC),
                state="running",
                triggered_by=DagRunTriggeredByType.TEST,
            )
        )


def end_run(pipeline: str, run_id: str = "run_1", at: datetime | None = None) -> None:
    """Let a run be over."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == pipeline, DagRun.run_id == run_id))
        assert run is not None
        run._state = "success"
        run.end_date = at or datetime.now(UTC)
