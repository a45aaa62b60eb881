"""Backfills: the runs of a pipeline's schedule in a range of the past.

For processes that Airflow lets into its database, as `airloom.dags.platform`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airloom.dags import parsing
from airloom.dags.runs import startable_version
from airloom.spec.error import ConfigurationError

if TYPE_CHECKING:
    from airloom.store.store import Store

Repeat = Literal["none", "failed", "completed"]


def start_backfill(
    store: Store,
    pipeline: str,
    since: datetime,
    until: datetime,
    params: Mapping[str, Any],
    *,
    repeat: Repeat = "none",
    at_once: int | None = None,
    user: str | None = None,
    dry_run: bool = False,
) -> list[datetime]:
    """Start the runs of a pipeline's schedule from `since` to `until`, both included; return their times.

    Times that have a run are left out, unless `repeat` asks for those that failed, or for all. No more than `at_once`
    run at a time, by default as many as the pipeline allows. With `dry_run` nothing is started. Raises NotFound where
    there is no such pipeline, ConfigurationError for a range, params or a pipeline that Airflow cannot fill.
    """
    from airflow.models.backfill import ReprocessBehavior, _create_backfill, _do_dry_run
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.session import create_session

    if since > until:
        raise ConfigurationError("the range ends before it begins", hint="give the earlier time as --from")
    if since >= datetime.now(UTC):
        raise ConfigurationError("the range lies in the future", hint="its runs start by themselves when they are due")
    version = startable_version(store, pipeline, params)
    if not version.document.get("schedule"):
        raise ConfigurationError(
            f"pipeline {pipeline!r} has no schedule, so there are no times to fill",
            hint="start single runs with airloom run --date, or give it a schedule",
        )
    parsing.wait_for_version(pipeline, version.number)
    behaviour = ReprocessBehavior(repeat)
    try:
        with create_session(scoped=False) as session:
            times: list[datetime] = [
                moment
                for info in _do_dry_run(
                    dag_id=pipeline,
                    from_date=since,
                    to_date=until,
                    reverse=False,
                    reprocess_behavior=behaviour,
                    dag_run_conf=dict(params),
                    session=session,
                )
                if (moment := info.logical_date) is not None
            ]
        if times and not dry_run:
            _create_backfill(
                dag_id=pipeline,
                from_date=since,
                to_date=until,
                max_active_runs=at_once or version.document.get("settings", {}).get("max_active_runs", 1),
                reverse=False,
                dag_run_conf=dict(params),
                triggering_user_name=user,
                reprocess_behavior=behaviour,
                run_on_latest_version=True,
            )
    except (AirflowException, ValueError) as error:
        raise ConfigurationError(f"Airflow refused to fill pipeline {pipeline!r}: {error}") from None
    return times
