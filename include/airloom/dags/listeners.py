"""What Airflow tells us: a run of one of our pipelines has begun, or has ended.

A listener and no DAG callback: one callback of a versioned bundle makes the DAG processor of Airflow 3.3 parse the file
in a loop. The scheduler calls these, so they never raise and never wait long; what is lost while the store does not
answer, the worker makes up for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Put the start of a run into the outbox."""
    _note(dag_run, None)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Put the end of a run into the outbox."""
    _note(dag_run, "success")


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Put the end of a run into the outbox."""
    _note(dag_run, "failed")


def _note(run: DagRun, ended: Literal["success", "failed"] | None) -> None:
    from airloom.dags.bundle import task_database_url
    from airloom.dags.platform import bundle_name, has_bundle
    from airloom.spec.error import AirloomError
    from airloom.store.event import run_ended, run_started

    try:
        if not has_bundle() or run.dag_model is None or run.dag_model.bundle_name != bundle_name():
            return
        if ended is None:
            run_started(task_database_url(), run.dag_id, run.run_id)
        else:
            run_ended(task_database_url(), run.dag_id, run.run_id, ended)
    except AirloomError as error:
        what = "the end" if ended else "the start"
        log.warning("%s of run %s of pipeline %s was not noted: %s", what, run.run_id, run.dag_id, error)
